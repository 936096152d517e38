"""Whether the messages of a team's own .proto are what a flow takes and gives: told field by field, before a call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from flowhub_assets.runtime.typed_fields import fields_of
from flowhub_assets.server.rpc.typed_messages import JSON_MESSAGES, WRAPPERS, is_map, is_repeated, members_of
from flowhub_assets.server.rpc.typed_shapes import Shape, shape_of

_WHOLE = ("int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64", "sfixed32", "sfixed64")
_WHOLE_WRAPPERS = tuple(name for name in WRAPPERS if "Int" in name)
#: Each form → what a field of a .proto may be for it.
_TAKEN: Mapping[str, tuple[str, ...]] = {
    "bool": ("bool", "google.protobuf.BoolValue"),
    "int64": (*_WHOLE, *_WHOLE_WRAPPERS),
    "double": ("double", "float", "google.protobuf.DoubleValue", "google.protobuf.FloatValue"),
    "string": ("string", "google.protobuf.StringValue"),
    "bytes": ("bytes", "google.protobuf.BytesValue"),
    "timestamp": ("google.protobuf.Timestamp", "string"),
    "duration": ("google.protobuf.Duration", "string"),
    "json": JSON_MESSAGES,
}
_NAMES = {
    getattr(FieldDescriptor, name): name.removeprefix("TYPE_").lower()
    for name in dir(FieldDescriptor)
    if name.startswith("TYPE_")
}


def misfits(descriptor: Any, kind: Any, *, is_result: bool = False) -> list[str]:
    """What differs between a message and a class, in words; nothing if it fits.

    A param that has a default may be missing in the message; whatever the message has, the class needs.
    """
    return list(_misfits(descriptor, kind, is_result, set()))


def _misfits(descriptor: Descriptor, kind: Any, is_result: bool, seen: set[tuple[str, Any]]) -> Iterator[str]:
    if (descriptor.full_name, kind) in seen:
        return
    seen.add((descriptor.full_name, kind))
    fields = {field.name: field for field in fields_of(kind)}
    for name, field in fields.items():
        found = descriptor.fields_by_name.get(name)
        if found is None:
            if is_result or field.is_required:
                yield f"{kind.__name__}.{name} is not in {descriptor.full_name}"
            continue
        place = f"{descriptor.full_name}.{name}"
        yield from _field(found, shape_of(field.annotation), f"{kind.__name__}.{name}", place, is_result, seen)
    if not is_result:
        for name in descriptor.fields_by_name:
            if name not in fields:
                yield f"{descriptor.full_name}.{name} is not in {kind.__name__}"


def _field(
    found: FieldDescriptor, shape: Shape, name: str, place: str, is_result: bool, seen: set[tuple[str, Any]]
) -> Iterator[str]:
    several = "map" if is_map(found) else "list" if is_repeated(found) else ""
    if several != (shape.form if shape.form in ("list", "map") else ""):
        yield f"{name} is {_told(shape)}, {place} is {_named(found)}"
        return
    if several:
        assert shape.item is not None, "of lists and maps"
        inner = found.message_type.fields_by_name["value"] if several == "map" else found
        yield from _value(inner, shape.item, name, place, is_result, seen)
    else:
        yield from _value(found, shape, name, place, is_result, seen)


def _value(
    found: FieldDescriptor, shape: Shape, name: str, place: str, is_result: bool, seen: set[tuple[str, Any]]
) -> Iterator[str]:
    if shape.form == "message" and found.message_type is not None:
        yield from _misfits(found.message_type, shape.kind, is_result, seen)
    elif shape.form == "enum" and found.enum_type is not None:
        members = members_of(found.enum_type, shape.kind)
        lacking = [member.name for member in shape.kind if member not in members.values()]
        unknown = [one.name for one in found.enum_type.values if one.number not in members and one.number]
        if lacking and is_result:
            yield f"{name} may be {', '.join(lacking)}, which {place} has not"
        if unknown and not is_result:
            yield f"{place} may be {', '.join(unknown)}, which {name} has not"
    elif _kind(found) not in _TAKEN.get(shape.form, ()):
        yield f"{name} is {_told(shape)}, {place} is {_named(found)}"


def _kind(found: FieldDescriptor) -> str:
    return str(found.message_type.full_name) if found.message_type is not None else _NAMES[found.type]


def _named(found: FieldDescriptor) -> str:
    if is_map(found):
        return "a map"
    several = "repeated " if is_repeated(found) else ""
    named = found.message_type or found.enum_type
    return f"{several}{named.full_name if named is not None else _NAMES[found.type]}"


def _told(shape: Shape) -> str:
    if shape.form in ("list", "map"):
        return f"a {shape.form}"
    if shape.kind is not None:
        return f"the {shape.form} {shape.kind.__name__}"
    return "any JSON" if shape.form == "json" else shape.form
