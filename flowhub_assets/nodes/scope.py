"""The names that a node's templates and conditions can use, and what stands behind each when the node starts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from flowhub_assets.ir.pipeline import FLOW_INPUT, LOOP_ITEM, Pipeline, Task
from flowhub_assets.nodes import registry
from flowhub_assets.nodes.expressions.lookup import WithoutSecrets
from flowhub_assets.nodes.url_passwords import holds_password
from flowhub_assets.runtime.partitions import PARTITION
from flowhub_assets.runtime.secret_values import is_secret_name, mask_secrets
from flowhub_assets.runtime.step_context import current_step

#: Known everywhere.
ROOTS = ("params", "trigger", "variables", "env")
#: Known inside a loop.
LOOP_ROOTS = ("item", "index")
#: Known to onFailure and finally.
END_ROOTS = ("failure",)
#: About the run and the moment.
RUN_NAMES = ("$now", "$today", "$run_id", "$pipeline", "$node", "$attempt", "$partition")
#: What the key of ``dedupe`` can name: no run is there yet, and params have their defaults.
DEDUPE_NAMES = ("params", "variables", "$now", "$today", "$pipeline", "$partition")

#: What a template finds of a node beside the fields of its Output.
VIEW_NAMES = ("output", "error", "skipped")

_FAILURE_KEYS = ("failed_task", "error", "error_type", "traceback")


def known_names(task: Task, *, at_end: bool = False) -> tuple[str, ...]:
    """Every name that templates of ``task`` may begin with; ``at_end``: it is one of onFailure or finally."""
    nodes = tuple(name for name in task.needs if name not in (FLOW_INPUT, LOOP_ITEM))
    loop = LOOP_ROOTS if LOOP_ITEM in task.needs else ()
    return (*nodes, *ROOTS, *loop, *(END_ROOTS if at_end else ()), *RUN_NAMES)


def scope_of(
    pipeline: Pipeline, task: Task, tasks: Mapping[str, Task], args: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """What each of ``known_names`` stands for. ``args``: what the task was given, by the names of its needs.

    ``params`` is the flow's input without its trigger, ``trigger`` what started the run, ``env`` the profile without
    credentials, and a node's id what ``view`` gives. ``failure`` holds failed_task, error, error_type and traceback,
    each null where nothing has failed. ``$now`` is the time in UTC as ISO 8601, to the millisecond, ``$partition`` the
    span of time that the run is about: key, start and end.
    """
    given = {name: {key: item for key, item in one.items() if key != "env"} for name, one in args.items()}
    env: Mapping[str, Any] = next((one["env"] for one in args.values() if "env" in one), {})
    flow_input, item = given.pop(FLOW_INPUT, {}), given.pop(LOOP_ITEM, None)
    scope: dict[str, Any] = {name: view(tasks[name], tasks, value) for name, value in given.items()}
    if task == pipeline.failure_task or task in pipeline.finally_tasks:
        scope["failure"] = {key: flow_input.pop(key, None) for key in _FAILURE_KEYS}
    if item is not None:
        scope["item"], scope["index"] = item.get("item"), item.get("index")
    return {
        **scope,
        "trigger": flow_input.pop("trigger", None) or {},
        "params": flow_input,
        "variables": pipeline.variables,
        "env": without_credentials(env),
        **_of_the_run(pipeline, task, env),
    }


def view(task: Task, tasks: Mapping[str, Task], value: Mapping[str, Any]) -> dict[str, Any]:
    """What templates see of a node that gave ``value``: ``output``, each field of its Output, ``error``, ``skipped``.

    ``output`` is the field that its kind calls primary, else the whole value. A loop's is the list of the ``output``
    of its result node, for each item. Where the node was skipped, or failed and let the run go on, it and all fields
    are null; ``error`` has message and type then. A node whose Output has no fields never looks skipped.
    """
    fields = _fields(task)
    if (fields and not value) or set(value) == {"error"}:
        return {**dict.fromkeys(fields), "output": None, "error": value.get("error"), "skipped": not value}
    return {**value, "output": _output(task, tasks, value), "error": None, "skipped": False}


def without_credentials(env: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a profile that may be rendered into a document or a request; a template is told of the others."""
    shown = {
        key: without_credentials(value) if isinstance(value, Mapping) else value
        for key, value in env.items()
        if not is_withheld(key, value)
    }
    return WithoutSecrets(shown, env.keys() - shown.keys())


def is_withheld(key: str, value: object) -> bool:
    """Whether no template sees this value of a profile: a key, token or password, a URL with a password in it.

    Nor does it see a URL that the profile leaves to an environment variable, ``{"env": "SHOP_URL"}``.
    """
    if isinstance(value, str):
        return is_secret_name(key) or holds_password(value) or mask_secrets(value, {}) != value
    return is_secret_name(key) or (key.endswith("_URL") and isinstance(value, Mapping) and value.keys() == {"env"})


def _output(task: Task, tasks: Mapping[str, Task], value: Mapping[str, Any]) -> Any:
    if task.loop is not None:
        results, result = value.get(task.loop.into), tasks.get(task.loop.result)
        if result is None or not isinstance(results, list):
            return results
        return [None if one is None else view(result, tasks, one)["output"] for one in results]
    primary = registry.get(task.node.type).primary if task.node else None
    return value.get(primary) if primary else value


def _fields(task: Task) -> tuple[str, ...]:
    if task.loop is not None:
        return (task.loop.into,)
    return tuple(registry.get(task.node.type).Output.model_fields) if task.node else ()


def _of_the_run(pipeline: Pipeline, task: Task, env: Mapping[str, Any]) -> dict[str, Any]:
    now = dt.datetime.now(dt.UTC)
    return {
        "$now": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "$today": now.date().isoformat(),
        "$run_id": env.get("run_id", ""),
        "$pipeline": pipeline.name,
        "$node": task.name,
        "$attempt": current_step().attempt,
        "$partition": env.get(PARTITION),
    }
