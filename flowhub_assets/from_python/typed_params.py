"""``@flow(params=Model)``: the fields of a pydantic model or a dataclass are the flow's params, checked by it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from flowhub_assets.errors import DefinitionError
from flowhub_assets.from_python import options
from flowhub_assets.from_python.typed_tasks import annotated_type
from flowhub_assets.ir.param_checks import TRIGGER, param_path
from flowhub_assets.ir.pipeline import Source
from flowhub_assets.ir.schema_inlining import inlined
from flowhub_assets.runtime.typed_fields import fields_of
from flowhub_assets.runtime.typed_values import form_of, is_typed, pydantic_is_here


@dataclass(frozen=True)
class Types:
    """The classes of a flow's params and of its result, and the method of a team's .proto that it is bound to."""

    params: Optional[type[Any]] = None
    result: Optional[type[Any]] = None
    grpc: str = ""

    def of_function(self, function: Callable[..., Any]) -> Types:
        """With the classes that the function's annotations name, where the decorator names none."""
        signature = inspect.signature(function)
        first = next(iter(signature.parameters.values()))
        return Types(
            self.params or annotated_type(first.annotation, function),
            self.result or annotated_type(signature.return_annotation, function),
            self.grpc,
        )

    def settings(self, where: Source) -> dict[str, Any]:
        """The fields of a Pipeline that a class of params fills. Raises as ``params_of_type`` does."""
        if self.params is None:
            return {}
        params, schemas = params_of_type(self.params, where)
        return {"params": params, "param_schemas": schemas}

    def words(self) -> dict[str, Any]:
        """The fields of a Runnable."""
        named = {"params_type": self.params, "result_type": self.result, "grpc": self.grpc}
        if self.params is None or (_Checking.is_done and not pydantic_is_here()):
            return named
        return {**named, "input_faults": functools.partial(typed_input_faults, self.params)}


#: Of a flow that takes and returns dicts.
NO_TYPES = Types()


def types_in(words: Mapping[str, Any]) -> tuple[Types, dict[str, Any]]:
    """What the keywords of @flow say of classes, and the keywords without that. Raises DefinitionError."""
    params = words.get("params") if is_typed(words.get("params")) else None
    result = words.get("result")
    if result is not None and not is_typed(result):
        raise options.wrong("result", result, "a pydantic model or a dataclass: result=MyResult")
    grpc = options.text("grpc", words.get("grpc"), "protos/team.proto:team.v1.Service.Method") or ""
    rest = {word: value for word, value in words.items() if word != "params" or params is None}
    return Types(params, result, grpc), rest


class _Checking:
    """Whether a pod of a bare image loads the flow: its params were checked, and have all defaults, before it began."""

    is_done = False


def checked_before() -> None:
    """From now on this process does without pydantic where there is none and no task takes objects."""
    _Checking.is_done = True


def params_of_type(kind: type[Any], where: Source) -> tuple[dict[str, Any], dict[str, Any]]:
    """The defaults of the class's fields, and the JSON Schema of each field, by the names that JSON has for them.

    Raises DefinitionError for a class without fields, a default that is made anew for each run, and without pydantic.
    """
    if _Checking.is_done and not pydantic_is_here():
        return {}, {}
    whole = form_of(kind).json_schema()
    properties: Mapping[str, Any] = whole.get("properties", {})
    if not properties:
        raise DefinitionError(
            f"params={kind.__name__} has no fields",
            where=where,
            effect="a flow's params have names",
            remedy="name a pydantic model or a dataclass with fields",
        )
    schemas = {name: inlined(schema, whole["$defs"]) for name, schema in properties.items()}
    params = {}
    for field in fields_of(kind):
        if not field.is_required:
            params[field.key] = _default(field.default, kind, field.name, where)
    for schema in schemas.values():
        schema.pop("default", None)  # it is among the params
    return params, schemas


def _default(make: Any, kind: type[Any], name: str, where: Source) -> Any:
    value = make()
    if value != make():
        raise DefinitionError(
            f"the default of {kind.__name__}.{name} is another one each time",
            where=where,
            effect="a run that is tried again would have other params than before",
            remedy=f"write {name}: Optional[...] = None, and let the first task fill it in",
        )
    return value


def typed_input_faults(kind: type[Any], given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What pydantic finds wrong in a run's input, field by field, and what to do."""
    form = form_of(kind)
    for path, what in form.faults({name: value for name, value in given.items() if name != TRIGGER}):
        if path:
            place = param_path(str(path[0]), path[1:]) if len(path) > 1 else f"param {path[0]!r}"
            yield f"{place}: {what}", "give it another value"
        else:
            yield what, f"give what {kind.__name__} takes"
