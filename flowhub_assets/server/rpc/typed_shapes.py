"""What a field of a typed flow is in Protocol Buffers: the rules that .proto files, messages and checks share."""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import enum
import re
import typing
from collections.abc import Mapping
from typing import Any

from flowhub_assets.runtime.betterproto_types import is_message, plain_type
from flowhub_assets.runtime.typed_fields import without_none, without_notes
from flowhub_assets.runtime.typed_values import is_typed

_LISTS = (list, tuple, set, frozenset, collections.abc.Sequence, collections.abc.Set, collections.abc.Iterable)
_MAPS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_SCALARS: Mapping[Any, str] = {
    bool: "bool",
    int: "int64",
    float: "double",
    str: "string",
    bytes: "bytes",
    datetime.datetime: "timestamp",
    datetime.timedelta: "duration",
}
_KEYS = (str, int, bool)


@dataclasses.dataclass(frozen=True)
class Shape:
    """``form`` is a scalar of proto3, timestamp, duration, enum, message, json (any value), list or map.

    ``kind`` is the class of an enum or a message, ``item`` the shape of a list's items or a map's values, ``key`` that
    of a map's keys. With ``is_optional``, None is one of its values.
    """

    form: str
    kind: Any = None
    item: Shape | None = None
    key: Shape | None = None
    is_optional: bool = False
    #: What makes the list of items what the annotation says: set, say.
    made: Any = list


def shape_of(annotation: Any) -> Shape:
    """The shape of values that are annotated so. What proto3 has no form for is any JSON."""
    inner, is_optional = without_none(annotation)
    return dataclasses.replace(_shape(inner), is_optional=is_optional)


def _shape(annotation: Any) -> Shape:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in _LISTS and arguments:
        same = len(arguments) == 1 or (origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis)
        if not same:
            return Shape("json")
        made = origin if origin in (tuple, set, frozenset) else list
        return Shape("list", item=shape_of(arguments[0]), made=made)
    if origin in _MAPS and arguments:
        key = without_notes(arguments[0])
        if key not in _KEYS:
            return Shape("json")
        return Shape("map", key=_shape(key), item=shape_of(arguments[1]))
    if origin is typing.Literal and all(isinstance(one, str) for one in arguments):
        return Shape("string")
    if is_message(annotation):
        return Shape("message", kind=plain_type(annotation))
    if is_typed(annotation) and not _is_root(annotation):
        return Shape("message", kind=annotation)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return Shape("enum", kind=annotation)
    if annotation in _SCALARS:
        return Shape(_SCALARS[annotation])
    return Shape("string" if _is_text(annotation) else "json")


def _is_root(kind: Any) -> bool:
    return bool(getattr(kind, "__pydantic_root_model__", False))


def _is_text(annotation: Any) -> bool:
    """Whether its JSON is a text: a Decimal, a date, a UUID, a path, an address."""
    from pydantic import TypeAdapter
    from pydantic.errors import PydanticUserError

    try:
        schema = TypeAdapter(annotation).json_schema(mode="serialization")
    except (PydanticUserError, TypeError):
        return False
    return schema.get("type") == "string"


def camel(text: str) -> str:
    """``server-a`` → ``ServerA``."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", text))


def upper_snake(text: str) -> str:
    """``DataKind`` → ``DATA_KIND``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", text).upper()


def enum_value_names(kind: Any, member: Any) -> tuple[str, ...]:
    """What a value of an enum may be called in a .proto: as we write it first, then as teams do."""
    name = str(member.name)
    own = f"{upper_snake(kind.__name__)}_{name.upper()}"
    value = (str(member.value),) if isinstance(member.value, str) else ()
    return (own, name, name.upper(), *value)
