"""Numbers of fields stay as they are in the .proto that is committed: clients that have it go on unchanged."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)

from flowhub_assets.errors import DefinitionError

_KINDS = FieldDescriptorProto.Type


def keep_numbers(file: FileDescriptorProto, committed: FileDescriptorProto, where: object) -> None:
    """Gives what ``committed`` has its numbers there; what is new gets the next ones, what has gone is reserved.

    Raises DefinitionError for a field whose type is another one now, and for another service.
    """
    names = [[service.name for service in one.service] for one in (committed, file)]
    if names[0] and names[0] != names[1]:
        raise DefinitionError(
            f"the service was {names[0][0]}, and is {names[1][0]} now",
            where=where,
            effect="clients that have the file would find none",
            remedy="give the class that has its name another one",
        )
    _messages(file.message_type, committed.message_type, where)
    olds = {one.name: one for one in committed.enum_type}
    for enum in file.enum_type:
        if enum.name in olds:
            _keep_values(enum, olds[enum.name])


def _messages(new: Iterable[DescriptorProto], old: Iterable[DescriptorProto], where: object) -> None:
    olds = {one.name: one for one in old}
    for message in new:
        if message.name in olds and not message.options.map_entry:
            _keep_fields(message, olds[message.name], where)
            _messages(message.nested_type, olds[message.name].nested_type, where)


def _keep_fields(message: DescriptorProto, old: DescriptorProto, where: object) -> None:
    olds = {field.name: field for field in old.field}
    taken = [field.number for field in old.field] + [one.end - 1 for one in old.reserved_range]
    following = max(taken, default=0) + 1
    for field in message.field:
        before = olds.pop(field.name, None)
        if before is None:
            field.number, following = following, following + 1
            continue
        if _kind(before) != _kind(field):
            raise DefinitionError(
                f"{message.name}.{field.name} was {_kind(before)}, and is {_kind(field)} now",
                where=where,
                effect="clients that have the file would read nonsense",
                remedy="give the field another name, or, if nobody has the file, delete it and write it anew",
            )
        field.number = before.number
    message.reserved_range.extend(old.reserved_range)
    message.reserved_name.extend(name for name in old.reserved_name if name not in {one.name for one in message.field})
    for gone in olds.values():
        message.reserved_range.add(start=gone.number, end=gone.number + 1)
        message.reserved_name.append(gone.name)
    # As the text has them: in the order of their numbers.
    ranges = sorted(message.reserved_range, key=lambda one: one.start)
    del message.reserved_range[:]
    message.reserved_range.extend(ranges)


def _keep_values(enum: EnumDescriptorProto, old: EnumDescriptorProto) -> None:
    olds = {value.name: value.number for value in old.value}
    following = max([*olds.values(), *(one.end for one in old.reserved_range)], default=0) + 1
    for value in enum.value:
        if value.name in olds:
            value.number = olds.pop(value.name)
        elif value.number in {one.number for one in old.value}:
            value.number, following = following, following + 1
    enum.reserved_range.extend(old.reserved_range)
    for number in sorted(olds.values()):
        enum.reserved_range.add(start=number, end=number)


def _kind(field: FieldDescriptorProto) -> str:
    several = "repeated " if field.label == FieldDescriptorProto.LABEL_REPEATED else ""
    name = field.type_name.rpartition(".")[2] or _KINDS.Name(field.type).removeprefix("TYPE_").lower()
    return f"{several}{name}"
