"""Messages of a typed service as the objects of its classes, and back: whichever .proto describes them.

What is read is handed to the class itself, which checks it: a message that does not fit is told field by field.
"""

from __future__ import annotations

import datetime
import functools
import math
from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from flowhub_assets.errors import FlowhubError, InputError
from flowhub_assets.runtime.betterproto_types import is_message, plain, plain_type
from flowhub_assets.runtime.typed_fields import fields_of, plain_json
from flowhub_assets.server.rpc.typed_shapes import Shape, enum_value_names, shape_of

_TIMESTAMP, _DURATION = "google.protobuf.Timestamp", "google.protobuf.Duration"
#: What any JSON is in a message.
JSON_MESSAGES = ("google.protobuf.Value", "google.protobuf.Struct", "google.protobuf.ListValue")
#: A scalar that may be missing, as older .proto files write it.
WRAPPERS = tuple(
    f"google.protobuf.{name}Value"
    for name in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
)
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
#: Whole numbers beyond are not exact in JSON numbers, which google.protobuf.Value has.
_EXACT = 2**53


def fields_from(message: Message, kind: Any) -> dict[str, Any]:
    """The values of a message's fields for an object of ``kind``, by the names that JSON has; nested ones are dicts.

    A field that is not set is left out where that can be told: the class has its default then, or misses it.
    """
    descriptor = message.DESCRIPTOR
    values: dict[str, Any] = {}
    for field in fields_of(kind):
        found = descriptor.fields_by_name.get(field.name)
        if found is None:  # of a team's .proto, which lacks what has a default
            continue
        shape = shape_of(field.annotation)
        if found.has_presence and not message.HasField(found.name):
            continue
        value = _read(getattr(message, found.name), found, shape)
        if value is not _UNSPECIFIED:
            values[field.key] = value
    return values


_UNSPECIFIED = object()


def _read(value: Any, field: FieldDescriptor, shape: Shape) -> Any:
    if is_map(field):
        assert shape.item is not None, "checked when the service was made"
        inner = field.message_type.fields_by_name["value"]
        return {key: _one(value[key], inner, shape.item) for key in value}
    if is_repeated(field):
        assert shape.item is not None, "checked when the service was made"
        return shape.made(_hashable(_one(one, field, shape.item), shape.made) for one in value)
    return _one(value, field, shape)


def _hashable(value: Any, made: Any) -> Any:
    return tuple(value) if made in (set, frozenset) and isinstance(value, list) else value


def _one(value: Any, field: FieldDescriptor, shape: Shape) -> Any:
    if field.message_type is None:
        return _member(value, field.enum_type, shape) if field.enum_type is not None else value
    name = field.message_type.full_name
    if name == _TIMESTAMP:
        return _EPOCH + datetime.timedelta(seconds=value.seconds, microseconds=value.nanos // 1_000)
    if name == _DURATION:
        return datetime.timedelta(seconds=value.seconds, microseconds=math.trunc(value.nanos / 1_000))
    if name in JSON_MESSAGES:
        return _whole(json_format.MessageToDict(value))
    if name in WRAPPERS:
        return value.value
    if shape.form in ("list", "map"):
        items = value.DESCRIPTOR.fields_by_name["items"]
        return _read(value.items, items, shape)
    return fields_from(value, shape.kind)


def _member(number: int, descriptor: EnumDescriptor, shape: Shape) -> Any:
    members = members_of(descriptor, shape.kind) if shape.form == "enum" else {}
    if number in members:
        return members[number]
    # proto3's zero says that none was named; any other that is unknown the class refuses in its own words.
    return _UNSPECIFIED if number == 0 else f"enum value {number}"


def members_of(descriptor: EnumDescriptor, kind: Any) -> Mapping[int, Any]:
    """Number of each value → the member of the class that has its name, or one that teams give it, or its number."""
    return _members(descriptor, kind)


@functools.lru_cache(maxsize=512)
def _members(descriptor: Any, kind: Any) -> Mapping[int, Any]:
    by_name = {name: member for member in reversed(list(kind)) for name in reversed(enum_value_names(kind, member))}
    prefix = f"{enum_value_names(kind, next(iter(kind)))[0].rpartition('_')[0]}_"
    found = {}
    for value in descriptor.values:
        member = by_name.get(value.name, by_name.get(value.name.removeprefix(prefix)))
        if member is not None:
            found[value.number] = member
    return found


def _whole(value: Any) -> Any:
    """JSON as it was: numbers without a fraction are whole again."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT:
        return int(value)
    if isinstance(value, dict):
        return {key: _whole(one) for key, one in value.items()}
    return [_whole(one) for one in value] if isinstance(value, list) else value


def fill(message: Message, made: Any, kind: Any) -> None:
    """Writes an object of ``kind`` into a message. Raises InputError for a number that the message cannot hold."""
    if is_message(kind):
        made, kind = plain(made, plain_type(kind)), plain_type(kind)
    for field in fields_of(kind):
        value = getattr(made, field.name)
        if value is not None:
            found = message.DESCRIPTOR.fields_by_name[field.name]
            try:
                _write(message, found, value, shape_of(field.annotation))
            except (ValueError, TypeError, json_format.ParseError) as error:
                raise _unfit(f"{kind.__name__}.{field.name}", str(error)) from None


def _write(message: Message, field: FieldDescriptor, value: Any, shape: Shape) -> None:
    target = getattr(message, field.name)
    if is_map(field):
        assert shape.item is not None, "checked when the service was made"
        inner = field.message_type.fields_by_name["value"]
        for key, one in value.items():
            if inner.message_type is None:
                target[key] = _scalar(one, inner)
            else:
                _write_message(target[key], one, shape.item)
    elif is_repeated(field):
        assert shape.item is not None, "checked when the service was made"
        for one in value:
            if field.message_type is None:
                target.append(_scalar(one, field))
            else:
                _write_message(target.add(), one, shape.item)
    elif field.message_type is None:
        setattr(message, field.name, _scalar(value, field))
    else:
        target.SetInParent()
        _write_message(target, value, shape)


def _write_message(target: Message, value: Any, shape: Shape) -> None:
    name = target.DESCRIPTOR.full_name
    if name == _TIMESTAMP:
        moment = value if value.tzinfo is not None else value.replace(tzinfo=datetime.UTC)
        _set_time(target, moment - _EPOCH)
    elif name == _DURATION:
        _set_time(target, value, signed=True)
    elif name in JSON_MESSAGES:
        json_format.ParseDict(_as_json(value), target)
    elif name in WRAPPERS:
        target.value = _scalar(value, target.DESCRIPTOR.fields_by_name["value"])  # type: ignore[attr-defined]
    elif shape.form in ("list", "map"):
        _write(target, target.DESCRIPTOR.fields_by_name["items"], value, shape)
    else:
        fill(target, value, shape.kind)


def _set_time(target: Any, span: datetime.timedelta, *, signed: bool = False) -> None:
    micros = span // datetime.timedelta(microseconds=1)
    seconds, rest = divmod(abs(micros), 1_000_000) if signed else divmod(micros, 1_000_000)
    sign = -1 if signed and micros < 0 else 1
    target.seconds, target.nanos = sign * seconds, sign * rest * 1_000


def _scalar(value: Any, field: FieldDescriptor) -> Any:
    if field.enum_type is not None:
        for number, member in members_of(field.enum_type, type(value)).items():
            if member is value:
                return number
        raise ValueError(f"{value!r} has no value in the .proto")
    if field.cpp_type != FieldDescriptor.CPPTYPE_STRING or field.type == FieldDescriptor.TYPE_BYTES:
        return value
    text = _as_json(value)
    return text if isinstance(text, str) else str(text)


def _as_json(value: Any) -> Any:
    plain_value = plain_json(value)
    _require_exact(plain_value)
    return plain_value


def _require_exact(value: Any) -> None:
    if isinstance(value, int) and abs(value) > _EXACT:
        raise ValueError(f"{value} is not exact in google.protobuf.Value")
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _require_exact(one)


def is_map(field: FieldDescriptor) -> bool:
    """Whether it is map<key, value>."""
    return bool(field.message_type is not None and field.message_type.GetOptions().map_entry)


def is_repeated(field: FieldDescriptor) -> bool:
    """Whether it has several values; a map has, too."""
    return bool(field.is_repeated)


def _unfit(place: str, what: str) -> FlowhubError:
    return InputError(f"{place} does not fit into its message: {what}", effect="The result could not be sent.")
