"""What a pod is to do, as whoever started it says in the environment: JSON in FLOWHUB_STEP.

Longer orders go on in FLOWHUB_STEP_2, FLOWHUB_STEP_3 and so on: Linux takes 128 KiB for one variable.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field, fields
from typing import Any

from flowhub_assets.errors import InputError
from flowhub_assets.ir.spelling import did_you_mean, listed

VARIABLE = "FLOWHUB_STEP"

#: One task; a loop's list; its body for one item; neighbouring light tasks; on_failure; a task at the run's end.
PARTS = ("task", "items", "iteration", "group", "failure", "finally")


@dataclass(frozen=True)
class Order:
    """``part`` says what is done with ``tasks``, whose ``outputs`` upstream are result documents, by task name.

    ``index`` counts an iteration's item from 0, ``attempt`` the tries from 1; ``last`` says that none is left.
    ``given`` are the run's params; ``failure`` is what on_failure and finally tasks are told. ``reports``: Dagster
    reads the log, so that what the task logs and shows is told there.
    """

    part: str
    tasks: tuple[str, ...]
    run_id: str
    given: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()
    index: int = 0
    attempt: int = 1
    last: bool = True
    failure: Mapping[str, Any] = field(default_factory=dict)
    reports: bool = False

    @property
    def task(self) -> str:
        """The task, the first one of a group."""
        return self.tasks[0]


_KINDS: dict[str, type[Any]] = {
    "part": str,
    "tasks": list,
    "run_id": str,
    "given": dict,
    "outputs": dict,
    "skipped": list,
    "index": int,
    "attempt": int,
    "last": bool,
    "failure": dict,
    "reports": bool,
}


def take_order(environment: MutableMapping[str, str]) -> Order:
    """The order that ``environment`` holds, taken out of it: a task's own processes have no use for it.

    Raises InputError if there is none, or one that is not understood.
    """
    text, name, number = "", VARIABLE, 1
    while name in environment:
        text += environment.pop(name)
        number += 1
        name = f"{VARIABLE}_{number}"
    if not text:
        raise _refused(f"{VARIABLE} is not set: nothing says what this pod is to do")
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _refused(f"{VARIABLE} is not JSON: {error}") from None
    if not isinstance(told, dict):
        raise _refused(f"{VARIABLE} holds a {type(told).__name__}, not an object")
    return _order(told)


def _order(told: dict[str, Any]) -> Order:
    known = [one.name for one in fields(Order)]
    for name, value in told.items():
        if name not in known:
            raise _refused(f"{VARIABLE} has {name!r}, which means nothing here. {did_you_mean(name, known)}".rstrip())
        # None stands for what there is none of.
        if value is not None and not isinstance(value, _KINDS[name]):
            raise _refused(f"{name!r} of {VARIABLE} is a {type(value).__name__}, not a {_KINDS[name].__name__}")
    given = {name: value for name, value in told.items() if value is not None}
    missing = [name for name in ("part", "tasks", "run_id") if not given.get(name)]
    if missing:
        raise _refused(f"{VARIABLE} has no {listed(missing)}")
    if given["part"] not in PARTS:
        raise _refused(f"{VARIABLE} asks for the part {given['part']!r}; there are {listed(PARTS)}")
    for name in ("tasks", "skipped"):
        if not all(isinstance(one, str) for one in given.get(name, ())):
            raise _refused(f"{name!r} of {VARIABLE} must hold the names of tasks")
        given[name] = tuple(given.get(name, ()))
    return Order(**given)


def _refused(what: str) -> InputError:
    return InputError(
        what, effect="Nothing was run.", remedy="Start it from its DAG; export the pipeline again if it still fails."
    )
