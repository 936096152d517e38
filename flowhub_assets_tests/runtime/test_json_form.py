"""Values are strict JSON: what goes through comes back equal, what does not is named with its path."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import math
import pathlib
import uuid
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowhub_assets.errors import StorageError, ValueRefused
from flowhub_assets.runtime.json_form import DEEPEST, to_json_form
from flowhub_assets.runtime.values import decode_value, encode_value

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ["한글", "값 데이터", "🙂", "\0"]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
big = st.integers(min_value=-(10**4000), max_value=10**4000)
json_values = st.recursive(
    scalars | big, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4), max_leaves=20
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(text, json_values, max_size=5))
def test_a_value_comes_back_equal(value: dict[str, Any]) -> None:
    document = encode_value(value, "t")
    assert decode_value(document) == value
    assert encode_value(decode_value(document), "t") == document
    assert json.loads(document) == value


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(max_size=5) | st.integers(0, 9), max_size=5), st.sampled_from([b"\xff", {1}, object(), 1j]))
def test_the_path_leads_to_the_wrong_value(path: list[Any], wrong: object) -> None:
    value: Any = wrong
    for key in reversed(path):
        value = {key: value} if isinstance(key, str) else [None] * key + [value]
    surrogate = any(isinstance(key, str) and any("\ud800" <= c <= "\udfff" for c in key) for key in path)
    with pytest.raises(ValueRefused) as refused:
        to_json_form({"root": value}, "load")
    message = str(refused.value)
    assert "'load'" in message
    if not surrogate:
        place = "result['root']" + "".join(f"[{key!r}]" for key in path)
        assert f"a {type(wrong).__name__} at {place}" in message


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(-(2**31), 2**31), min_size=2, max_size=2), min_size=1, max_size=5))
def test_numpy_arrays_become_lists_of_numbers(rows: list[list[int]]) -> None:
    array = np.array(rows)
    form = to_json_form({"a": array, "sum": array.sum(), "big": array.max() > 3, "mean": np.float32(0.5)}, "t")
    assert form == {"a": rows, "sum": int(array.sum()), "big": bool(array.max() > 3), "mean": 0.5}
    assert {type(item) for item in form.values()} == {list, int, bool, float}


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


@dataclasses.dataclass
class Point:
    x: int


def looped() -> list[Any]:
    value: list[Any] = [1]
    value.append({"again": value})
    return value


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


async def coroutine() -> dict[str, Any]:
    return {}


REFUSED = [
    ({"a": b"x"}, "a bytes at result['a']", ".upload(path)"),
    ({"a": [bytearray(b"x")]}, "a bytearray at result['a'][0]", ".upload(path)"),
    ({"값": {"x": datetime.datetime(2024, 1, 1)}}, "a datetime at result['값']['x']", "isoformat()"),
    ({"a": datetime.date(2024, 1, 1)}, "a date at", "isoformat()"),
    ({"a": datetime.timedelta(1)}, "a timedelta at", "total_seconds()"),
    ({"a": {1, 2}}, "a set at result['a']", "sorted(value)"),
    ({"a": object()}, "a object at result['a']", "numbers, text, lists"),
    ({"a": decimal.Decimal("1.5")}, "a Decimal at", "str(value)"),
    ({"a": uuid.UUID(int=1)}, "a UUID at", "str(value)"),
    ({"a": pathlib.PurePosixPath("x")}, "PurePosixPath at", "str(value)"),
    ({"a": Colour.RED}, "a Colour at", "value.value"),
    ({"a": Point(1)}, "a Point at", "asdict"),
    ({"a": 1j}, "a complex at", "value.real"),
    ({"a": (n for n in [1])}, "a generator at", "list(value)"),
    ({"a": math.nan}, "nan, which JSON does not have, at result['a']", "None"),
    ({"a": [1.0, -math.inf]}, "-inf, which JSON does not have, at result['a'][1]", "None"),
    ({"a": np.array([[1.0, np.nan]])}, "nan, which JSON does not have, at result['a'][0][1]", "None"),
    ({"a": np.datetime64("2024-01-01")}, "a date at", "isoformat()"),
    ({"a": np.array([b"x"])}, "a bytes at result['a'][0]", "upload"),
    ({"a": {1: "x"}}, "the key 1 (int) at result['a']", "str(key)"),
    ({None: "x"}, "the key None at result", "str(key)"),
    ({True: "x"}, "the key True (bool) at result", "str(key)"),
    ({"a": {("b", 1): 2}}, "the key ('b', 1) (tuple)", "str(key)"),
    ({"a": "\ud800"}, "lone surrogate", "errors='replace'"),
    ({"\udfff": 1}, "lone surrogate", "errors='replace'"),
    ({"a": 10**5000}, "an int of more than 4,200 digits", "hex"),
    ({"a": looped()}, "a list that contains itself at result['a'][1]['again']", "without the loop"),
    ({"a": nested(5000)}, f"more than {DEEPEST} dicts and lists", "flatter"),
    (None, "returned nothing (None), not a dict", "return {**args"),
    ([1], "a value of type list, not a dict", "return {**args"),
    (coroutine(), "a value of type coroutine", "def instead of async def"),
]


@pytest.mark.parametrize(("value", "what", "remedy"), REFUSED)
def test_what_json_cannot_keep_is_named_with_its_remedy(value: Any, what: str, remedy: str) -> None:
    with pytest.raises(ValueRefused) as refused:
        to_json_form(value, "load", where="flow.py:3")
    message = str(refused.value)
    assert message.startswith("flow.py:3: task 'load' returned ")
    assert what in message
    assert remedy in message
    assert len(message) < 700
    message.encode("utf-8")


def test_subclasses_and_tuples_become_plain() -> None:
    form = to_json_form({"t": (1, (2,)), "level": Level.LOW, "f": np.float64(1.5)}, "t")
    assert form == {"t": [1, [2]], "level": 1, "f": 1.5}
    assert [type(item) for item in form.values()] == [list, int, float]


def test_the_same_list_twice_is_no_loop() -> None:
    row = [1]
    assert to_json_form({"a": row, "b": [row, row]}, "t") == {"a": [1], "b": [[1], [1]]}


def test_the_form_shares_nothing_with_the_value() -> None:
    value = {"a": [1]}
    form = to_json_form(value, "t")
    value["a"].append(2)
    assert form == {"a": [1]}


ENV = {"SECRET_KEY": "s3cret", "project": "p", "run_id": "r", "task": "t"}


def test_env_is_left_out_wherever_it_stands() -> None:
    changed = {**ENV, "SECRET_KEY": "other", "more": 1}
    value = {"env": "whatever", "a": {"env": ENV, "x": 1}, "list": [{"env": dict(ENV)}, {"env": changed}]}
    assert to_json_form(value, "t", env=ENV) == {"a": {"x": 1}, "list": [{}, {}]}


def test_an_env_of_the_users_own_stays() -> None:
    value = {"config": {"env": {"PATH": "/bin"}}}
    assert to_json_form(value, "t", env=ENV) == value


def test_arrays_under_the_names_of_the_env_are_values() -> None:
    value = {"a": {key: np.array([1, 2]) for key in ENV}}
    assert to_json_form(value, "t", env=ENV) == {"a": {key: [1, 2] for key in ENV}}


@pytest.mark.parametrize("value", [{"config": ENV}, {"all": [1, ENV]}])
def test_env_under_another_name_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(ValueRefused, match="never stored") as refused:
        to_json_form(value, "t", env=ENV)
    assert "s3cret" not in str(refused.value)


def test_the_ids_of_a_run_may_be_returned_beside_a_tasks_own_keys() -> None:
    for value in ({"project": "p", "run_id": "r", "task": "t"}, {"project": "p", "run_id": "r", "task": "t", "n": 1}):
        assert to_json_form({"alert": value, **value}, "t", env=ENV) == {"alert": value, **value}


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[1]", b'"x"', b"\xff{}", b'{"a": NaN}', b'{"a": Infinity}', b"[" * 100_000, b'{"a": 1} x']
)
def test_a_damaged_document_is_one_clear_error(data: bytes) -> None:
    with pytest.raises(StorageError, match="cannot be read") as damaged:
        decode_value(data, where="s3://bucket/key")
    assert str(damaged.value).startswith("s3://bucket/key: ")
