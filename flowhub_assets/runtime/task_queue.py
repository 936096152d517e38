"""Which task may be decided upon next: the bookkeeping of one local run, without any process."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from flowhub_assets.ir.pipeline import Pipeline, Task
from flowhub_assets.ir.task_tree import waits_for


class TaskQueue:
    """Hands out tasks whose upstream tasks are settled: the higher ``priority`` first, else in the pipeline's order."""

    def __init__(self, pipeline: Pipeline, finished: Iterable[str]) -> None:
        done = set(finished)
        self._tasks = pipeline.tasks
        self._order = {task.name: index for index, task in enumerate(pipeline.tasks)}
        self._missing: dict[str, set[str]] = {}
        self._downstream: dict[str, list[Task]] = {}
        self._ready: list[tuple[int, int]] = []
        for task in pipeline.tasks:
            if task.name in done:
                continue
            self._missing[task.name] = set(waits_for(task)) & self._order.keys() - done
            for name in self._missing[task.name]:
                self._downstream.setdefault(name, []).append(task)
            if not self._missing[task.name]:
                self._push(task)

    def __bool__(self) -> bool:
        return bool(self._ready)

    def take(self) -> Task:
        """The next task that may start. Raises IndexError if there is none now."""
        return self._tasks[heapq.heappop(self._ready)[1]]

    def done(self, name: str) -> None:
        """The task has succeeded or was skipped: those that waited only for it may start."""
        for task in self._downstream.get(name, ()):
            self._missing[task.name].discard(name)
            if not self._missing[task.name]:
                self._push(task)

    def _push(self, task: Task) -> None:
        heapq.heappush(self._ready, (-task.priority, self._order[task.name]))
