"""Messages that betterproto has generated: dataclasses whose defaults and enums only betterproto itself knows.

pydantic is shown a plain dataclass of the same fields in their place, with proto3's defaults. betterproto is never
imported: its classes are known by what their fields carry.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import functools
import typing
from collections.abc import Mapping
from typing import Any

_ZEROS: Mapping[Any, Any] = {
    bool: False,
    int: 0,
    float: 0.0,
    str: "",
    bytes: b"",
    datetime.datetime: datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc),
    datetime.timedelta: datetime.timedelta(0),
}


def is_message(kind: object) -> bool:
    """Whether it is a class of betterproto's."""
    return dataclasses.is_dataclass(kind) and any("betterproto" in one.metadata for one in dataclasses.fields(kind))


@functools.lru_cache(maxsize=512)
def plain_type(kind: Any) -> Any:
    """The dataclass of the same name and fields that stands for a message; a message in itself must be optional."""
    hints = typing.get_type_hints(kind)
    fields: list[Any] = []
    for one in dataclasses.fields(kind):
        annotation = _plain_annotation(hints[one.name])
        about = one.metadata.get("betterproto")
        more = (
            {"default": None}
            if getattr(about, "optional", False) or getattr(about, "group", None)
            else _zero(annotation)
        )
        if more.get("default", ...) is None:
            annotation = typing.Optional[annotation]
        fields.append((one.name, annotation, dataclasses.field(metadata=one.metadata, **more)))
    made = dataclasses.make_dataclass(kind.__name__, fields)
    made.__module__, made.__doc__ = kind.__module__, kind.__doc__
    return made


@functools.lru_cache(maxsize=512)
def plain_enum(kind: Any) -> Any:
    """The enum of the same members; betterproto's is none of Python's."""
    return enum.IntEnum(kind.__name__, [(one.name, int(one.value)) for one in kind])


def message(made: Any, kind: Any) -> Any:
    """The message with the values of a plain dataclass's object."""
    hints = typing.get_type_hints(kind)
    given = {one.name: _real(getattr(made, one.name), hints[one.name]) for one in dataclasses.fields(kind)}
    return kind(**{name: value for name, value in given.items() if value is not None})


def plain(value: Any, kind: Any) -> Any:
    """The object of ``kind``, a plain dataclass, with a message's values."""
    hints = typing.get_type_hints(kind)
    return kind(**{one.name: _plain(_of(value, one.name), hints[one.name]) for one in dataclasses.fields(kind)})


def _of(value: Any, name: str) -> Any:
    try:
        return getattr(value, name)
    except AttributeError:  # the other members of a oneof
        return None


def _plain_annotation(annotation: Any) -> Any:
    arguments = typing.get_args(annotation)
    if arguments:
        origin: Any = typing.get_origin(annotation)
        inner = tuple(one if one is type(None) else _plain_annotation(one) for one in arguments)
        if origin is list:
            return list[inner[0]]  # type: ignore[valid-type]
        if origin is dict:
            return dict[inner[0], inner[1]]  # type: ignore[valid-type]
        return typing.Optional[inner[0]]
    if is_message(annotation):
        return plain_type(annotation)
    return plain_enum(annotation) if _is_enum(annotation) else annotation


def _is_enum(annotation: Any) -> bool:
    return hasattr(annotation, "__members__") and not issubclass(annotation, enum.Enum)


def _zero(annotation: Any) -> dict[str, Any]:
    origin = typing.get_origin(annotation)
    if origin in (list, dict):
        return {"default_factory": origin}
    if origin is not None:
        return {"default": None}
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return {"default": annotation(0)} if 0 in [one.value for one in annotation] else {"default": None}
    if annotation in _ZEROS:
        return {"default": _ZEROS[annotation]}
    return {"default_factory": annotation} if dataclasses.is_dataclass(annotation) else {"default": None}


def _real(value: Any, annotation: Any) -> Any:
    arguments = [one for one in typing.get_args(annotation) if one is not type(None)]
    if value is None:
        return None
    if isinstance(value, list):
        return [_real(one, arguments[0]) for one in value]
    if isinstance(value, dict):
        return {key: _real(one, arguments[1]) for key, one in value.items()}
    kind = arguments[0] if arguments else annotation
    if is_message(kind):
        return message(value, kind)
    return kind(int(value)) if _is_enum(kind) else value


def _plain(value: Any, annotation: Any) -> Any:
    arguments = [one for one in typing.get_args(annotation) if one is not type(None)]
    if value is None:
        return None
    if isinstance(value, (list, tuple)):
        return [_plain(one, arguments[0]) for one in value]
    if isinstance(value, dict):
        return {key: _plain(one, arguments[1]) for key, one in value.items()}
    kind = arguments[0] if arguments else annotation
    if dataclasses.is_dataclass(kind):
        return plain(value, kind)
    return kind(int(value)) if isinstance(kind, type) and issubclass(kind, enum.Enum) else value
