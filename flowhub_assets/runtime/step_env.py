"""The env of the step that runs, for a task whose args are an object of its own type and so hold none."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Optional

from flowhub_assets.errors import InputError
from flowhub_assets.ir.json_copy import json_copy

_current: ContextVar[Optional[Mapping[str, Any]]] = ContextVar("flowhub_step_env", default=None)


def get_env() -> dict[str, Any]:
    """What a task finds in ``args["env"]``: the profile, project, run_id and task. Raises InputError outside of tasks.

    In a unit test the task is called with a dict that has it: ``collect({"urls": [], "env": {"WORKSPACE": "tmp"}})``.
    """
    env = _current.get()
    if env is None:
        raise InputError(
            "get_env() is called where no task runs",
            effect="There is no env.",
            remedy="Call it in a task; in a test, call the task with a dict that has 'env'.",
        )
    copied: dict[str, Any] = json_copy(env)
    return copied


@contextlib.contextmanager
def env_of_step(env: Mapping[str, Any]) -> Iterator[None]:
    """Makes ``env`` that of the task which runs inside."""
    token = _current.set(env)
    try:
        yield
    finally:
        _current.reset(token)
