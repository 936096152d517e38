"""What happens inside one step, whoever runs it: args in, the user's function, a checked value out."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from flowhub_assets.errors import (
    DefinitionError,
    FlowhubError,
    InputError,
    ProfileError,
    RunError,
    TaskFailed,
    ValueMissing,
    ValueRefused,
)
from flowhub_assets.ir.json_copy import json_copy
from flowhub_assets.ir.pipeline import FLOW_INPUT, Pipeline, Source, Task
from flowhub_assets.ir.spelling import did_you_mean, listed
from flowhub_assets.ir.task_tree import noun, told
from flowhub_assets.runtime.check import require_declared
from flowhub_assets.runtime.json_form import to_json_form
from flowhub_assets.runtime.secret_values import mask_secrets
from flowhub_assets.runtime.show import Shown, collect_shown
from flowhub_assets.runtime.step_env import env_of_step
from flowhub_assets.runtime.user_traceback import error_text, user_line, user_traceback

_MOST_KEYS_TOLD = 20

#: What a step finds wrong in a profile, a file or its input is as wrong at the next try.
_STAYS_WRONG = (DefinitionError, InputError, ProfileError)

#: The plain function of a task: takes one dict per parameter, returns a dict.
Body = Callable[..., Any]


#: What is wrong with a run's input, and what to do about each.
Faults = Iterable[tuple[str, str]]


def _no_faults(_given: Mapping[str, Any]) -> Faults:
    return ()


@dataclass(frozen=True)
class Runnable:
    """A pipeline and the function of each of its tasks, the failure task's too, by task name.

    ``input_faults`` is asked of a run's input before it begins, where ir.param_checks finds nothing wrong.
    ``params_source`` is where the params are declared, if that is another place than the pipeline's own.
    ``script_arguments`` are those of the command line that the script itself has added: --count 3. ``params_type`` and
    ``result_type`` are the classes of its params and its result, where it has such; ``grpc`` names the method of a
    team's own .proto that starts it.
    """

    pipeline: Pipeline
    bodies: Mapping[str, Body]
    input_faults: Callable[[Mapping[str, Any]], Faults] = _no_faults
    params_source: Optional[Source] = None
    script_arguments: tuple[str, ...] = ()
    params_type: Optional[type[Any]] = None
    result_type: Optional[type[Any]] = None
    grpc: str = ""


@dataclass(frozen=True)
class Skip:
    """What a body returns instead of a value if the task is not to run; ``reason`` says why, in a few words."""

    reason: str


@dataclass(frozen=True)
class StepResult:
    """What a step gave: its value, without env, and what it showed beside it; or ``skipped``, the reason."""

    value: dict[str, Any]
    shown: tuple[Shown, ...] = ()
    skipped: str = ""


def step_env(pipeline: Pipeline, profile: Mapping[str, Any], run_id: str, task: Task) -> dict[str, Any]:
    """What a task finds in args['env']: the profile, the task's own env over it, project, run_id and task."""
    return {**profile, **task.env, "project": pipeline.name, "run_id": run_id, "task": task.name}


def step_inputs(
    task: Task,
    outputs: Mapping[str, Mapping[str, Any]],
    flow_input: Mapping[str, Any],
    skipped: Container[str] = (),
) -> list[dict[str, Any]]:
    """The dicts that the task's function takes, one for each parameter, without env; {} for a task in ``skipped``.

    They are copies: what a task does to its args reaches no other task. Raises ValueMissing naming each
    task upstream that has no output.
    """
    missing = [name for name in task.needs if name not in outputs and name != FLOW_INPUT and name not in skipped]
    if missing:
        raise ValueMissing(
            f"{told(task)} needs the output of {', '.join(map(repr, missing))}, which was not saved",
            where=task.source,
            effect=f"{noun(task).capitalize()} {task.name!r} has no args.",
            remedy=f"Run {', '.join(missing)} first.",
        )
    given = [json_copy(flow_input if name == FLOW_INPUT else outputs.get(name, {})) for name in task.needs]
    if not task.merge:
        return given
    return [{key: item for one in given for key, item in one.items()}]


def run_step(
    task: Task, body: Body, inputs: Sequence[Mapping[str, Any]], env: Mapping[str, Any], *, ends_run: bool = False
) -> StepResult:
    """Calls the task's function on ``inputs``, each with a copy of ``env`` as its 'env'; env is not in the value.

    What ``ends_run``, on_failure, may return nothing: no task takes its value.

    Raises TaskFailed if the function raised or called sys.exit, without frames of ours and with the secret
    literals of env masked; ValueRefused if what it returned is not a dict, cannot be kept as JSON, or names no port
    where the task has ports, and for a check that it tells and does not declare. What a body raises as an error of a
    run passes through.
    """
    args = [{**one, "env": json_copy(env)} for one in inputs]
    with collect_shown() as shown, env_of_step(env):
        try:
            value = body(*args)
        except RunError as error:
            error.where = error.where or str(task.source)
            raise
        # A run that is being stopped (KeyboardInterrupt, Dagster's interrupt) passes through.
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever user code raises
            raise _task_failed(task, error, env, args) from None
    require_declared(task, shown)
    if isinstance(value, Skip):
        return StepResult({}, tuple(shown), skipped=value.reason)
    if value is None and ends_run:
        value = {}
    form = to_json_form(value, task.name, env=env, where=task.source)
    if task.ports:
        _require_port(task, form)
    return StepResult(form, tuple(shown))


def error_value(error: BaseException) -> dict[str, Any]:
    """The value of a task that failed and lets the run go on: ``{"error": {"message": ..., "type": ...}}``."""
    args = failure_args({}, "", error)
    return {"error": {"message": args["error"], "type": args["error_type"]}}


def _require_port(task: Task, value: Mapping[str, Any]) -> None:
    port = value.get("port")
    if port not in task.ports:
        raise ValueRefused(
            f"{told(task)} chose the port {port!r}",
            where=task.source,
            effect="No task downstream knows whether it is to run.",
            remedy=f"Choose one of its ports: {listed(task.ports)}.",
        )


def failure_args(flow_input: Mapping[str, Any], failed_task: str, error: BaseException) -> dict[str, Any]:
    """What on_failure takes, without env: the flow's input, failed_task, error, error_type and traceback."""
    if isinstance(error, TaskFailed):
        text, kind, traceback = error.error, error.error_type, error.traceback
    else:
        text, kind, traceback = getattr(error, "what", error_text(error)), type(error).__name__, error_text(error)
    failure = {"failed_task": failed_task, "error": text, "error_type": kind, "traceback": traceback}
    return {**json_copy(flow_input), **failure}


def _task_failed(
    task: Task, error: BaseException, env: Mapping[str, Any], args: Sequence[Mapping[str, Any]]
) -> TaskFailed:
    kind = type(error).__name__
    text = mask_secrets(error_text(error), env)
    if isinstance(error, SystemExit):
        what = f"{told(task)} called sys.exit({text})"
        effect, remedy = "It returned no value, so it counts as failed.", "End a task with return, or raise an error."
    else:
        said, effect, remedy = text, "", str(getattr(error, "remedy", "")) or _missing_key(task, error, args)
        if isinstance(error, FlowhubError):
            # Its effect and remedy follow on lines of their own.
            said = mask_secrets(f"{error.where}: {error.what}" if error.where else error.what, env)
            effect = mask_secrets(error.effect, env)
        what = f"{told(task)} failed: {kind}: {said}" if said else f"{told(task)} failed: {kind}"
    return TaskFailed(
        what,
        where=user_line(error) or task.source,
        effect=effect,
        remedy=remedy,
        error=text,
        error_type=kind,
        traceback=mask_secrets(user_traceback(error), env),
        # An error that tells of another one, which came from another process say, names that one's classes, too.
        error_types=(*(one.__name__ for one in type(error).__mro__[:-1]), *getattr(error, "stands_for", ())),
        retry=getattr(error, "retry", True) is not False and not isinstance(error, _STAYS_WRONG),
    )


def _missing_key(task: Task, error: BaseException, args: Sequence[Mapping[str, Any]]) -> str:
    """What a KeyError for a name that args does not have may be glad to know; a node's code has no args."""
    if task.node is not None or not isinstance(error, KeyError) or len(error.args) != 1:
        return ""
    if not isinstance(error.args[0], str):
        return ""
    key, known = error.args[0], list(dict.fromkeys(name for one in args for name in one))
    if key in known or len(known) > _MOST_KEYS_TOLD:
        return ""
    return " ".join(part for part in (f"If args is meant: it has {listed(known)}.", did_you_mean(key, known)) if part)
