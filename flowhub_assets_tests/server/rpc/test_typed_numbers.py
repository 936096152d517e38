"""A .proto written anew over the committed one: numbers stay, what has gone is reserved, another type is refused."""

from __future__ import annotations

import dataclasses
import enum
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.errors import DefinitionError
from flowhub_assets.server.rpc.proto_files import parsed
from flowhub_assets.server.rpc.proto_text import proto_text
from flowhub_assets.server.rpc.typed_files import typed_file
from flowhub_assets.server.rpc.typed_numbers import keep_numbers
from flowhub_assets_tests.server.rpc.test_typed_messages import runnable_of

NAMES = st.lists(st.sampled_from("abcdefgh"), unique=True, min_size=1)


def file_of(*names: str, kind: Any = int, members: tuple[str, ...] = ("X", "Y")) -> FileDescriptorProto:
    """Of a class with these fields, and an enum."""
    choice = enum.Enum("Choice", {name: name for name in members})  # type: ignore[misc]
    fields: list[Any] = [(name, kind) for name in names]
    return typed_file(runnable_of(dataclasses.make_dataclass("Request", [*fields, ("choice", choice)])))


def numbers(file: FileDescriptorProto) -> dict[str, int]:
    """Those of the request's fields."""
    return {field.name: field.number for field in file.message_type[0].field}


@given(st.lists(NAMES, min_size=2, max_size=5))
def test_a_name_never_changes_its_number_and_none_is_given_twice(versions: list[list[str]]) -> None:
    committed = file_of(*versions[0])
    owner: dict[int, str] = {}
    for names in versions[1:]:
        owner |= {number: name for name, number in numbers(committed).items()}
        file = file_of(*names)
        keep_numbers(file, committed, "x.proto")
        for name, number in numbers(file).items():
            assert owner.get(number, name) == name
            assert numbers(committed).get(name, number) == number
        committed = file


def test_the_text_is_read_back_with_what_it_reserves(tmp_path: Path) -> None:
    file = file_of("b", "c", members=("Y", "Z"))
    keep_numbers(file, file_of("a", "b"), "x.proto")
    text = proto_text(file, "Written.\nAgain.")
    (tmp_path / "x.proto").write_text(text)
    again = parsed(tmp_path / "x.proto")[-1]

    assert numbers(again) == {"b": 2, "choice": 3, "c": 4}
    assert "  reserved 1;" in text
    assert '  reserved "a";' in text
    assert [(value.name, value.number) for value in again.enum_type[0].value] == [
        ("CHOICE_UNSPECIFIED", 0),
        ("CHOICE_Y", 2),
        ("CHOICE_Z", 3),
    ]
    anew = file_of("b", "c", members=("Y", "Z"))
    keep_numbers(anew, again, "x.proto")
    assert proto_text(anew, "Written.\nAgain.") == text


def test_another_service_is_refused() -> None:
    file = file_of("a")
    file.service[0].name = "Other"
    with pytest.raises(DefinitionError, match="the service was TheFlow, and is Other now"):
        keep_numbers(file, file_of("a"), "x.proto")


def test_another_type_is_refused() -> None:
    with pytest.raises(DefinitionError, match=r"Request.a was int64, and is string now"):
        keep_numbers(file_of("a", kind=str), file_of("a"), "x.proto")
