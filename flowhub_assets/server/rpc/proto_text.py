"""A FileDescriptorProto of proto3 as the text of a .proto: the same file gives the same text."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)

_LINE = "// "
_MESSAGES, _FIELDS, _METHODS = 4, 2, 2
_SERVICES = 6
_MOST = 536_870_912


def proto_text(file: FileDescriptorProto, heading: str = "") -> str:
    """The text; ``heading`` is a comment before it. Comments come from the file's own source_code_info."""
    return "\n".join(_Text(file).lines(heading)) + "\n"


class _Text:
    def __init__(self, file: FileDescriptorProto) -> None:
        self.file = file
        self.comments = {tuple(one.path): one.leading_comments for one in file.source_code_info.location}

    def lines(self, heading: str) -> Iterator[str]:
        yield from (f"{_LINE}{line}".rstrip() for line in heading.splitlines())
        yield from ['syntax = "proto3";', "", f"package {self.file.package};"]
        if self.file.dependency:
            yield ""
            yield from (f'import "{name}";' for name in self.file.dependency)
        for index, service in enumerate(self.file.service):
            yield from ["", f"service {service.name} {{"]
            for number, method in enumerate(service.method):
                yield from self.comment((_SERVICES, index, _METHODS, number), "  ")
                takes, gives = self.named(method.input_type, ()), self.named(method.output_type, ())
                yield f"  rpc {method.name}({takes}) returns ({gives});"
            yield "}"
        for index, message in enumerate(self.file.message_type):
            yield ""
            yield from self.message(message, (_MESSAGES, index), (), "")
        for enum in self.file.enum_type:
            yield ""
            yield from self.enum(enum, "")

    def message(
        self, message: DescriptorProto, path: tuple[int, ...], outer: tuple[str, ...], indent: str
    ) -> Iterator[str]:
        yield from self.comment(path, indent)
        inner = (*outer, message.name)
        if not message.field and not message.nested_type and not message.reserved_range:
            yield f"{indent}message {message.name} {{}}"
            return
        yield f"{indent}message {message.name} {{"
        entries = {one.name: one for one in message.nested_type if one.options.map_entry}
        for number, nested in enumerate(message.nested_type):
            if nested.name not in entries:
                yield from self.message(nested, (*path, 3, number), inner, f"{indent}  ")
        yield from self.reserved(message, indent)
        for number, field in enumerate(message.field):
            yield from self.comment((*path, _FIELDS, number), f"{indent}  ")
            yield f"{indent}  {self.field(field, entries, inner)} {field.name} = {field.number};"
        yield f"{indent}}}"

    def reserved(self, message: DescriptorProto, indent: str) -> Iterator[str]:
        if message.reserved_range:
            yield f"{indent}  reserved {', '.join(_span(one.start, one.end) for one in message.reserved_range)};"
        if message.reserved_name:
            quoted = ", ".join(f'"{name}"' for name in message.reserved_name)
            yield f"{indent}  reserved {quoted};"

    def enum(self, enum: EnumDescriptorProto, indent: str) -> Iterator[str]:
        yield f"{indent}enum {enum.name} {{"
        if enum.reserved_range:
            yield f"{indent}  reserved {', '.join(_span(one.start, one.end + 1) for one in enum.reserved_range)};"
        yield from (f"{indent}  {value.name} = {value.number};" for value in enum.value)
        yield f"{indent}}}"

    def field(self, field: FieldDescriptorProto, entries: dict[str, DescriptorProto], inner: tuple[str, ...]) -> str:
        entry = entries.get(field.type_name.rpartition(".")[2])
        if entry is not None:
            key, value = (self.kind(one, inner) for one in entry.field)
            return f"map<{key}, {value}>"
        if field.label == FieldDescriptorProto.LABEL_REPEATED:
            return f"repeated {self.kind(field, inner)}"
        return f"{'optional ' if field.proto3_optional else ''}{self.kind(field, inner)}"

    def kind(self, field: FieldDescriptorProto, inner: tuple[str, ...]) -> str:
        if field.type in (FieldDescriptorProto.TYPE_MESSAGE, FieldDescriptorProto.TYPE_ENUM):
            return self.named(field.type_name, inner)
        return FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()

    def named(self, name: str, inner: tuple[str, ...]) -> str:
        """A type's name as it is written in this package, inside the messages ``inner``."""
        own = f".{self.file.package}."
        name = name.removeprefix(own)
        scope = ".".join(inner) + "."
        return name.removeprefix(scope if inner else "").removeprefix(".")

    def comment(self, path: tuple[int, ...], indent: str) -> Iterator[str]:
        for line in self.comments.get(path, "").splitlines():
            yield f"{indent}{_LINE}{line.strip()}".rstrip()


def _span(start: int, end: int) -> str:
    """A reserved range, whose end is beyond its last."""
    if end >= _MOST:
        return f"{start} to max"
    return str(start) if end == start + 1 else f"{start} to {end - 1}"
