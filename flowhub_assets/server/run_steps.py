"""The steps of a run by the names that its users know: those of its tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flowhub_assets.errors import NotFound
from flowhub_assets.ir.grouping import steps_of_tasks
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.ir.spelling import did_you_mean
from flowhub_assets.to_dagster.failure_sensor import flow_steps, step_name
from flowhub_assets.to_dagster.graphs import is_graph


class StepNames:
    """Dagster's keys of steps ↔ tasks. Without a pipeline, whose file is gone say, the keys are the names.

    The list and the end of a loop have the loop's name, an iteration has its item's behind it: ``cities[3]``.
    Several tasks in one step go by the first one's name, and are found by any.
    """

    def __init__(self, pipeline: Pipeline | None) -> None:
        self._pipeline = pipeline
        self._tasks = flow_steps(pipeline) if pipeline is not None else {}

    def name(self, step_key: str) -> str:
        """What its users call a step."""
        if self._pipeline is None:
            return step_key
        task = self._tasks.get(step_name(self._pipeline, step_key))
        if task is None:
            return step_key
        _, bracket, item = step_key.partition("[")
        return task if item in ("", "?]") else f"{task}{bracket}{item}"

    def keys(self, name: str, step_keys: Iterable[str]) -> list[str]:
        """The keys of the step of that name, task, or key, among ``step_keys``. Raises NotFound."""
        step_keys = list(step_keys)
        named = self._first_of(name)
        found = [key for key in step_keys if named in (key, self.name(key))]
        if not found:
            names = sorted({self.name(key) for key in step_keys})
            raise NotFound(
                f"the run has no step {name[:100]!r}",
                effect="Nothing was done.",
                remedy=did_you_mean(name[:100], names) or f"Its steps are {', '.join(names[:50]) or 'none yet'}.",
            )
        return found

    def in_order(self, step_keys: Iterable[str]) -> list[str]:
        """The names of these steps, each once, in the order of the pipeline's tasks and of a loop's items."""
        names = dict.fromkeys(map(self.name, step_keys))
        if self._pipeline is None:
            return list(names)
        tasks = [*self._pipeline.tasks, *self._pipeline.finally_tasks]
        order = {task.name: number for number, task in enumerate(tasks)}

        def place(name: str) -> tuple[int, int]:
            task, _, item = name.partition("[")
            number = item.removesuffix("]")
            return order.get(task, len(order)), int(number) if number.isdecimal() else -1

        return sorted(names, key=place)

    def _first_of(self, name: str) -> str:
        """The name of the step that a task is done in, which is the first one's of those that share it."""
        if self._pipeline is None or not is_graph(self._pipeline):
            return name
        step = steps_of_tasks(self._pipeline).get(name)
        return self._tasks.get(step, name) if step is not None else name


def following(step_keys: Iterable[str], dependencies: Mapping[str, set[str]]) -> list[str]:
    """These steps and all that wait for them, directly or not, in the order of ``dependencies``."""
    chosen = set(step_keys)
    grown = True
    while grown:
        more = {key for key, needs in dependencies.items() if needs & chosen} - chosen
        chosen |= more
        grown = bool(more)
    return [key for key in dependencies if key in chosen] + sorted(chosen - dependencies.keys())
