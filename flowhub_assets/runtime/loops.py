"""A loop: its body, a small pipeline of its own, once for each item of a list."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Callable, Optional

from flowhub_assets.errors import RunError, TaskCancelled, TaskFailed, ValueRefused
from flowhub_assets.ir.pipeline import LOOP_ITEM, Loop, Pipeline, Task

#: Runs the body for one item: its index, and the outputs that the body's tasks may take. Gives the result's output,
#: None if it was skipped.
RunItem = Callable[[int, Mapping[str, Mapping[str, Any]]], Optional[Mapping[str, Any]]]


def loop_items(task: Task, value: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The items that the looping task's own body gave. Raises ValueRefused if they are none, or too many."""
    assert task.loop is not None
    items = value.get("items")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ValueRefused(f"task {task.name!r} gave no list of items to loop over", where=task.source)
    if len(items) > task.loop.most:
        raise ValueRefused(
            f"task {task.name!r} loops over {len(items):,} items, more than its bound of {task.loop.most:,}",
            where=task.source,
            effect="No item was worked on.",
            remedy="Make the list shorter, or raise the bound: maxIterations in YAML, most= in task.map(...).",
        )
    return items


def body_of(pipeline: Pipeline, task: Task) -> Pipeline:
    """The body of a looping task as a pipeline of its own, whose result is that of one iteration."""
    assert task.loop is not None
    return replace(
        pipeline, tasks=task.loop.tasks, result=(task.loop.result,), failure_task=None, finally_tasks=(), params={}
    )


def items_name(loop: str) -> str:
    """Under which name the list of the looping task ``loop`` is saved."""
    return f"{loop}/items"


def iteration_name(loop: str, index: int) -> str:
    """Under which name what one iteration gave is saved."""
    return f"{loop}/{index}"


def gathered(into: str, items: Mapping[str, Any], iterations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A loop's value: what its saved ``iterations`` gave, in their order, or the first error that the loop tolerates.

    ``items`` is what was saved as its list; an iteration has its output under "result", none where it was skipped.
    """
    failures = [one["error"] for one in (items, *iterations) if "error" in one]
    return {"error": failures[0]} if failures else {into: [one.get("result") for one in iterations]}


def run_items(
    loop: Loop,
    items: list[dict[str, Any]],
    outputs: Mapping[str, Mapping[str, Any]],
    run_item: RunItem,
    most: int,
    stopped: Callable[[], bool],
) -> dict[str, Any]:
    """Runs all iterations, at most ``most`` at a time; returns the loop's value.

    Once one has failed, or ``stopped`` says so, no other begins. Raises the failure of the first of them in the
    items' order, with the number of its item, counted from 0.
    """
    results: list[Any] = [None] * len(items)
    failures: dict[int, BaseException] = {}
    ahead = iter(range(len(items)))
    lock = threading.Lock()

    def work() -> None:
        while not failures and not stopped():
            with lock:
                index = next(ahead, None)
            if index is None:
                return
            try:
                results[index] = run_item(index, {**outputs, LOOP_ITEM: items[index]})
            except Exception as error:  # noqa: BLE001 - told by the loop
                failures[index] = error

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(most, len(items)) if most > 1 else 0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if not threads:
        work()
    if failures:
        index = min(failures)
        raise of_item(index, failures[index])
    if stopped():
        raise TaskCancelled("the loop was stopped before its last item")
    return {loop.into: results}


def at_a_time(loop: Loop, processes: int, light: int) -> int:
    """How many iterations may run at a time: as many as the loop says, else what this machine bears."""
    own = light if all(task.run_on == "engine" for task in loop.tasks) else processes
    return min(loop.max_concurrent, own) if loop.max_concurrent else own


def of_item(index: int, error: BaseException) -> BaseException:
    """``error`` as one of the loop's: it says which item failed, counted from 0."""
    if not isinstance(error, RunError):
        return error
    error.what = f"item {index}: {error.what}"
    error.args = (error.what,)
    if isinstance(error, TaskFailed):
        error.error = f"item {index}: {error.error}"
    return error
