"""Tasks whose parameters are annotated with a class: a pydantic model or a dataclass. They take its objects.

Values between tasks stay JSON: the object is made from the task's args (without env, which get_env() gives) when the
task starts, and what it returns becomes JSON again.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional

from flowhub_assets.errors import InputError
from flowhub_assets.from_python.where import source_of_function, unwrapped
from flowhub_assets.runtime.step_env import env_of_step
from flowhub_assets.runtime.typed_values import form_of, is_typed, object_as_json, typed_path

_MOST_TOLD = 10


def annotated_type(annotation: object, function: Callable[..., Any]) -> Optional[type[Any]]:
    """The class that an annotation of ``function`` names, if it is one whose objects JSON can become; else None."""
    if isinstance(annotation, str):
        inner = unwrapped(function)
        holder = types.SimpleNamespace(__annotations__={"it": annotation})
        try:
            annotation = typing.get_type_hints(holder, inner.__globals__, _closure(inner))["it"]
        except Exception:  # noqa: BLE001 - a name for type checkers only: the task takes a dict, as it always did
            return None
    return annotation if is_typed(annotation) else None  # type: ignore[return-value]


def typed_body(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """The body of task ``name``: ``function`` itself unless it takes or returns objects, of which JSON is made."""
    kinds = _kinds(function)
    returns = annotated_type(inspect.signature(function).return_annotation, function)
    if not any(kinds) and returns is None:
        return function

    @functools.wraps(function)
    def body(*args: Mapping[str, Any]) -> Any:
        return object_as_json(function(*(_given(one, kind, function, name) for one, kind in _paired(args, kinds))))

    return body


def call_typed(function: Callable[..., Any], name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """What ``function`` returns outside of a run: dicts are made objects where it takes such, and objects are taken."""
    kinds = _kinds(function)
    if not any(kinds):
        return function(*args, **kwargs)
    by_name = dict(zip(inspect.signature(function).parameters, kinds))
    env = next((one["env"] for one in (*args, *kwargs.values()) if isinstance(one, Mapping) and "env" in one), None)
    with env_of_step(env) if env is not None else contextlib.nullcontext():
        return function(
            *(_given(one, kind, function, name) for one, kind in _paired(args, kinds)),
            **{key: _given(one, by_name.get(key), function, name) for key, one in kwargs.items()},
        )


def _kinds(function: Callable[..., Any]) -> tuple[Optional[type[Any]], ...]:
    parameters = inspect.signature(function).parameters.values()
    return tuple(annotated_type(one.annotation, function) for one in parameters)


def _paired(args: Sequence[Any], kinds: Sequence[Optional[type[Any]]]) -> list[tuple[Any, Optional[type[Any]]]]:
    """Each value beside its class; further ones are those of ``*args``, the last parameter."""
    return [(one, kinds[min(number, len(kinds) - 1)]) for number, one in enumerate(args)]


def _given(value: Any, kind: Optional[type[Any]], function: Callable[..., Any], name: str) -> Any:
    if kind is None or not isinstance(value, Mapping):
        return value
    fields = {key: one for key, one in value.items() if key != "env"}
    form = form_of(kind)
    try:
        return form.from_json(fields)
    except ValueError:
        faults = form.faults(fields)
    told = "; ".join(f"{typed_path(path)}: {what}" if path else what for path, what in faults[:_MOST_TOLD])
    raise InputError(
        f"task {name!r} takes {kind.__name__}: {told}",
        where=source_of_function(function),
        effect="What the flow and the tasks before it gave is none.",
        remedy=f"Let the task before it return one, or all fields of {kind.__name__}.",
    )


def _closure(function: Any) -> dict[str, Any]:
    """Names of the function around, if the task is defined in one."""
    return dict(inspect.getclosurevars(function).nonlocals) if function.__closure__ else {}
