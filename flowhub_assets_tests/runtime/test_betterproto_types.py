"""Messages as betterproto generates them: told by what their fields carry, for the package itself may not be there."""

# ruff: noqa: RUF009 - fields are made by a function, as betterproto has it
from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, ClassVar

from flowhub_assets.from_python.typed_params import params_of_type
from flowhub_assets.ir.pipeline import Source
from flowhub_assets.runtime.betterproto_types import is_message
from flowhub_assets.runtime.typed_values import form_of

#: betterproto's own mark of a field that was not given.
PLACEHOLDER: Any = object()


class _Enums(type):
    """betterproto's enums are none of Python's."""

    __members__: dict[str, int]

    def __iter__(cls) -> Iterator[SimpleNamespace]:
        return iter(SimpleNamespace(name=name, value=value) for name, value in cls.__members__.items())


class Kind(int, metaclass=_Enums):
    """An enum as betterproto makes it."""

    __members__: ClassVar[dict[str, int]] = {"ZERO": 0, "ONE": 1}


def field(number: int, *, optional: bool = False, group: str | None = None) -> Any:
    """A field as betterproto makes it."""
    about = SimpleNamespace(number=number, proto_type="", optional=optional, group=group)
    return dataclasses.field(default=PLACEHOLDER, metadata={"betterproto": about})


@dataclasses.dataclass
class Inner:
    """A message in a message."""

    size: int = field(1)


@dataclasses.dataclass
class DataInfo:
    """As the README of the grpc example has it."""

    object_storage_urls: list[str] = field(1)
    dataset: str = field(5)
    inner: Inner = field(6)
    when: datetime.datetime = field(7)
    maybe: int | None = field(8, optional=True)
    kind: Kind = field(9)
    inners: list[Inner] = field(10)
    one: str = field(11, group="x")


def test_defaults_are_those_of_proto3() -> None:
    params, schemas = params_of_type(DataInfo, Source("flow.py", 1))

    assert is_message(DataInfo)
    assert not is_message(_Enums)
    assert params == {
        "object_storage_urls": [],
        "dataset": "",
        "inner": {"size": 0},
        "when": "1970-01-01T00:00:00Z",
        "maybe": None,
        "kind": 0,
        "inners": [],
        "one": None,
    }
    assert schemas["kind"]["enum"] == [0, 1]


def test_json_becomes_the_message_itself_and_json_again() -> None:
    form = form_of(DataInfo)
    given = {"object_storage_urls": ["a"], "dataset": "b", "inner": {"size": 3}, "kind": 1, "inners": [{"size": 4}]}
    made = form.from_json(given)

    assert type(made) is DataInfo
    assert type(made.inner) is Inner
    assert type(made.kind) is Kind
    assert (made.inner, made.inners, made.kind) == (Inner(3), [Inner(4)], 1)
    # What was not given of a oneof is left to betterproto.
    assert made.one is PLACEHOLDER
    made.one, made.maybe = "x", 5
    assert form.to_json(made) == {**given, "when": "1970-01-01T00:00:00Z", "maybe": 5, "one": "x"}
    assert [path for path, _ in form.faults({**given, "inner": {"size": "x"}, "kind": 7})] == [
        ("inner", "size"),
        ("kind",),
    ]
