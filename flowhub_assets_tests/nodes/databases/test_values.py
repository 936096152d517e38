"""What databases give, as JSON."""

from __future__ import annotations

import datetime
import json
import uuid
from collections import OrderedDict
from decimal import Decimal
from typing import Any

import bson
import pytest
from bson.datetime_ms import DatetimeMS
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.nodes.databases.values import as_json
from flowhub_assets.runtime.json_form import to_json_form

KOREA = datetime.timezone(datetime.timedelta(hours=9))


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (datetime.datetime(2026, 1, 31, 9), "2026-01-31T09:00:00"),
        (datetime.datetime(2026, 1, 31, 9, tzinfo=datetime.UTC), "2026-01-31T09:00:00Z"),
        (datetime.datetime(2026, 1, 31, 9, tzinfo=KOREA), "2026-01-31T09:00:00+09:00"),
        (datetime.date(2026, 1, 31), "2026-01-31"),
        (datetime.time(9, 30), "09:30:00"),
        (datetime.timedelta(minutes=1.5), 90.0),
        (Decimal(10), 10),
        (Decimal("1.10"), 1.1),
        (Decimal("1E+3"), 1000.0),
        (Decimal("0.1234567890123456789"), "0.1234567890123456789"),
        (Decimal("1E+6000"), "1E+6000"),
        (Decimal("NaN"), None),
        (float("inf"), None),
        (b"\x00\xff", "AP8="),
        (memoryview(b"\x00\xff"), "AP8="),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (OrderedDict(a=(1, {2})), {"a": [1, [2]]}),
        ({1: None}, {"1": None}),
        (bson.ObjectId("65f0c0ffee0ddba11c0ffee5"), "65f0c0ffee0ddba11c0ffee5"),
        (bson.Decimal128("12.50"), 12.5),
        (bson.Int64(5), 5),
        (bson.Timestamp(0, 1), "1970-01-01T00:00:00Z"),
        (DatetimeMS(2**60), 2**60),
        (bson.Regex("^a"), "^a"),
        (bson.DBRef("users", 1), {"$ref": "users", "$id": 1}),
    ],
)
def test_types_that_json_lacks(value: Any, told: Any) -> None:
    found = as_json(value)
    assert found == told
    assert type(found) is type(told)


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary()
    | st.decimals()
    | st.datetimes()
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.uuids(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(value=ANY)
def test_whatever_it_is_it_can_be_kept(value: Any) -> None:
    told = {"value": as_json(value)}
    assert to_json_form(told, "query") == told
    assert json.loads(json.dumps(told)) == told


@given(value=st.decimals(allow_nan=False, allow_infinity=False))
def test_no_decimal_changes(value: Decimal) -> None:
    told = as_json(value)
    assert Decimal(repr(told) if isinstance(told, float) else told) == value
