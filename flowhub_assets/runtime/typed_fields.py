"""The fields of a pydantic model or a dataclass, alike: for what is made of them beside objects."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Mapping
from typing import Any

from flowhub_assets.errors import DefinitionError
from flowhub_assets.runtime.betterproto_types import is_message, plain_type


@dataclasses.dataclass(frozen=True)
class TypedField:
    """``name`` in Python, ``key`` in JSON; ``default`` makes the default's JSON, for a field that is not required."""

    name: str
    key: str
    annotation: Any
    is_required: bool
    default: Callable[[], Any]
    description: str = ""
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def fields_of(kind: Any) -> list[TypedField]:
    """The fields that an object is made of, in their order. Raises DefinitionError for an alias that is a path."""
    if is_message(kind):
        kind = plain_type(kind)
    pydantic_fields = getattr(kind, "__pydantic_fields__", None)
    if pydantic_fields is not None:
        return [_of_pydantic(kind, name, info) for name, info in pydantic_fields.items() if info.init is not False]
    hints = typing.get_type_hints(kind)
    return [_of_dataclass(one, hints[one.name]) for one in dataclasses.fields(kind) if one.init]


def _of_pydantic(kind: Any, name: str, info: Any) -> TypedField:
    def default() -> Any:
        try:
            return plain_json(info.get_default(call_default_factory=True))
        except (TypeError, ValueError):  # it is made of the other fields
            return object()

    alias = info.validation_alias if info.validation_alias is not None else info.alias
    alias = getattr(alias, "choices", [alias])[0]
    if alias is not None and not isinstance(alias, str):
        raise DefinitionError(
            f"the alias of {kind.__name__}.{name} is a path",
            effect="it is no field of its own in JSON",
            remedy="give it a name: Field(alias='name')",
        )
    return TypedField(name, alias or name, info.annotation, info.is_required(), default, info.description or "")


def _of_dataclass(one: dataclasses.Field[Any], annotation: Any) -> TypedField:
    factory = one.default_factory
    required = one.default is dataclasses.MISSING and factory is dataclasses.MISSING

    def default() -> Any:
        return plain_json(factory() if factory is not dataclasses.MISSING else one.default)

    return TypedField(one.name, one.name, annotation, required, default, metadata=one.metadata)


def without_none(annotation: Any) -> tuple[Any, bool]:
    """The annotation without Annotated and Optional, and whether None is one of its values."""
    annotation = without_notes(annotation)
    arguments = typing.get_args(annotation)
    if type(None) not in arguments:
        return annotation, False
    others = [one for one in arguments if one is not type(None)]
    if len(others) == 1:
        return without_notes(others[0]), True
    return typing.Union[tuple(others)], True


def without_notes(annotation: Any) -> Any:
    """``int`` for ``Annotated[int, ...]``."""
    while hasattr(annotation, "__metadata__"):
        annotation = annotation.__origin__
    return annotation


def plain_json(value: Any) -> Any:
    """The JSON of any value that pydantic knows; bytes are base64. Raises ValueError for another one."""
    from pydantic_core import to_jsonable_python

    return to_jsonable_python(value, bytes_mode="base64", by_alias=True)
