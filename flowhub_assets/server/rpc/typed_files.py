"""A flow with typed params → the .proto of its own service, as a FileDescriptorProto.

Numbers are given in the order of the fields; those of a file that is committed are kept (``typed_numbers``).
"""

from __future__ import annotations

import inspect
import re
from typing import Any

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    SourceCodeInfo,
)

from flowhub_assets.errors import DefinitionError
from flowhub_assets.names import dagster_name
from flowhub_assets.runtime.step import Runnable
from flowhub_assets.runtime.typed_fields import TypedField, fields_of
from flowhub_assets.server.rpc.typed_shapes import Shape, camel, enum_value_names, shape_of, upper_snake

_IMPORTS = {"timestamp": "Timestamp", "duration": "Duration", "json": "Value", "struct": "Struct"}
_FILES = {"Timestamp": "timestamp", "Duration": "duration", "Value": "struct", "Struct": "struct"}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_LARGEST = 2**31 - 1
_TYPES = frozenset(value.name for value in FieldDescriptorProto.DESCRIPTOR.enum_types_by_name["Type"].values)
#: The method that starts a run and answers with its result.
METHOD = "Run"


def typed_file(runnable: Runnable) -> FileDescriptorProto:
    """The file of one flow: package, messages, enums and the service. Raises DefinitionError for what has no form."""
    return _File(runnable).made()


def proto_name(runnable: Runnable) -> str:
    """What the file is called: beside the workflow's own, it keeps the numbers of its fields."""
    return f"{_word(runnable)}.proto"


def _word(runnable: Runnable) -> str:
    word = re.sub(r"[^a-z0-9_]", "_", dagster_name(runnable.pipeline.name).lower())
    return word if word[0].isalpha() else f"flow_{word}"


class _File:
    def __init__(self, runnable: Runnable) -> None:
        self.runnable = runnable
        self.file = FileDescriptorProto(
            name=proto_name(runnable), package=f"flowhub.flows.{_word(runnable)}", syntax="proto3"
        )
        self.kinds: dict[str, Any] = {}
        self.imports: set[str] = set()

    def made(self) -> FileDescriptorProto:
        runnable = self.runnable
        assert runnable.params_type is not None, "asked of flows with typed params only"
        request = self.message(shape_of(runnable.params_type).kind)
        answer = self.message(shape_of(runnable.result_type).kind) if runnable.result_type else self.plain_answer()
        name = camel(_word(runnable))
        service = self.file.service.add(name=f"{name}Service" if name in self.kinds else name)
        service.method.add(name=METHOD, input_type=request, output_type=answer)
        self.comment((6, 0, 2, 0), runnable.pipeline.description)
        self.file.dependency.extend(sorted(f"google/protobuf/{_FILES[name]}.proto" for name in self.imports))
        kept = dict.fromkeys(self.file.dependency)
        del self.file.dependency[:]
        self.file.dependency.extend(kept)
        return self.file

    def plain_answer(self) -> str:
        """What a flow of no result type answers with: the run and its value."""
        name = f"{camel(_word(self.runnable))}Reply"
        message = self.file.message_type.add(name=name)
        message.field.add(name="run_id", number=1, type=FieldDescriptorProto.TYPE_STRING, label=1, json_name="runId")
        self.typed(message.field.add(name="result", number=2, label=1, json_name="result"), "struct")
        return f".{self.file.package}.{name}"

    def message(self, kind: Any) -> str:
        """The full name of the message of a class; the first time it is added."""
        name = self.taken(kind)
        if name is not None:
            index = len(self.file.message_type)
            message = self.file.message_type.add(name=name)
            if inspect.getdoc(kind) and not str(kind.__doc__).startswith(f"{kind.__name__}("):
                self.comment((4, index), inspect.getdoc(kind) if "__doc__" in vars(kind) else "")
            for number, field in enumerate(fields_of(kind), 1):
                about = getattr(field.metadata.get("betterproto"), "number", number)
                self.field(message, kind, field, about)
                self.comment((4, index, 2, number - 1), field.description)
            for number, made in enumerate(one for one in message.field if one.proto3_optional):
                made.oneof_index = number
                message.oneof_decl.add(name=f"_{made.name}")
        return f".{self.file.package}.{camel(kind.__name__)}"

    def taken(self, kind: Any) -> str | None:
        """The name for a class that has none yet; None if it has."""
        name = camel(kind.__name__)
        if name not in self.kinds:
            self.kinds[name] = kind
            return name
        known = self.kinds[name]
        if known is not kind:
            raise DefinitionError(
                f"two classes of {self.runnable.pipeline.name} are called {name}",
                where=self.runnable.pipeline.source,
                effect="one .proto cannot have both",
                remedy=f"rename one: they stand in {known.__module__} and {kind.__module__}",
            )
        return None

    def field(self, message: DescriptorProto, kind: Any, field: TypedField, number: int) -> None:
        if not _NAME.fullmatch(field.name):
            raise DefinitionError(
                f"{kind.__name__}.{field.name} cannot be the name of a field in a .proto",
                where=self.runnable.pipeline.source,
                remedy="take letters of ASCII, digits and _; JSON may have another name: Field(alias=...)",
            )
        shape = shape_of(field.annotation)
        made = message.field.add(name=field.name, number=number, json_name=_json_name(field.name))
        # An empty list and none at all look alike: where they mean different things, it stands in a message.
        differs = shape.is_optional or (not field.is_required and field.default() not in ([], {}))
        if shape.form in ("list", "map"):
            if differs or (shape.item is not None and _is_nested(shape.item)):
                made.label = FieldDescriptorProto.LABEL_OPTIONAL
                self.boxed(message, made, shape)
            else:
                self.several(message, made, shape)
                _as_its_maker_has_it(made, field)
            return
        made.label = FieldDescriptorProto.LABEL_OPTIONAL
        self.single(made, shape)
        _as_its_maker_has_it(made, field)
        if made.type != FieldDescriptorProto.TYPE_MESSAGE:
            made.proto3_optional = True

    def boxed(self, message: DescriptorProto, made: FieldDescriptorProto, shape: Shape) -> None:
        """A list or map in a message of its own, whose only field is ``items``."""
        box = message.nested_type.add(name=f"{camel(made.name)}Items")
        made.type = FieldDescriptorProto.TYPE_MESSAGE
        made.type_name = box.name
        inner = box.field.add(name="items", number=1, json_name="items")
        assert shape.item is not None, "of lists and maps only"
        if _is_nested(shape.item):
            inner.label = FieldDescriptorProto.LABEL_OPTIONAL
            self.typed(inner, "json")
        else:
            self.several(box, inner, shape)

    def several(self, message: DescriptorProto, made: FieldDescriptorProto, shape: Shape) -> None:
        made.label = FieldDescriptorProto.LABEL_REPEATED
        assert shape.item is not None, "of lists and maps only"
        if shape.form == "list":
            self.single(made, shape.item)
            return
        assert shape.key is not None, "of maps only"
        entry = message.nested_type.add(name=f"{camel(made.name)}Entry")
        entry.options.map_entry = True
        for name, number, part in (("key", 1, shape.key), ("value", 2, shape.item)):
            self.single(entry.field.add(name=name, number=number, label=1, json_name=name), part)
        made.type, made.type_name = FieldDescriptorProto.TYPE_MESSAGE, entry.name

    def single(self, made: FieldDescriptorProto, shape: Shape) -> None:
        if shape.form == "message":
            made.type, made.type_name = FieldDescriptorProto.TYPE_MESSAGE, self.message(shape.kind)
        elif shape.form == "enum":
            made.type, made.type_name = FieldDescriptorProto.TYPE_ENUM, self.enum(shape.kind)
        else:
            self.typed(made, shape.form)

    def typed(self, made: FieldDescriptorProto, form: str) -> None:
        if form in _IMPORTS:
            made.type, made.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".google.protobuf.{_IMPORTS[form]}"
            self.imports.add(_IMPORTS[form])
        else:
            made.type = getattr(FieldDescriptorProto, f"TYPE_{form.upper()}")

    def enum(self, kind: Any) -> str:
        name = self.taken(kind)
        if name is not None:
            made = self.file.enum_type.add(name=name)
            _fill_enum(made, kind)
        return f".{self.file.package}.{camel(kind.__name__)}"

    def comment(self, path: tuple[int, ...], text: str | None) -> None:
        if text:
            self.file.source_code_info.location.append(SourceCodeInfo.Location(path=path, leading_comments=text))


def _fill_enum(made: EnumDescriptorProto, kind: Any) -> None:
    members = list(kind)
    numbers = [one.value for one in members]
    if not all(isinstance(one, int) and not isinstance(one, bool) and 0 <= one <= _LARGEST for one in numbers):
        numbers = list(range(1, len(members) + 1))
    if 0 not in numbers:
        made.value.add(name=f"{upper_snake(kind.__name__)}_UNSPECIFIED", number=0)
    # proto3 wants the zero first.
    for number, member in sorted(zip(numbers, members, strict=True), key=lambda one: one[0] != 0):
        made.value.add(name=enum_value_names(kind, member)[0], number=number)


def _as_its_maker_has_it(made: FieldDescriptorProto, field: TypedField) -> None:
    """A field of betterproto's knows which of the whole numbers it is, say: sint32."""
    kind = getattr(field.metadata.get("betterproto"), "proto_type", "")
    if not made.type_name and f"TYPE_{str(kind).upper()}" in _TYPES:
        made.type = getattr(FieldDescriptorProto, f"TYPE_{kind.upper()}")


def _is_nested(shape: Shape) -> bool:
    return shape.form in ("list", "map") or (shape.is_optional and shape.form != "json")


def _json_name(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)
