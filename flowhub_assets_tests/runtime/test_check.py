"""Checks that a task makes of its own value: what may be told, what comes of it, and how it travels."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets import check as public_check
from flowhub_assets.errors import CheckFailed, ValueRefused
from flowhub_assets.ir.pipeline import Check, Source, Task
from flowhub_assets.runtime.check import (
    blocked,
    check,
    checked_in,
    require_blocking,
    require_declared,
)
from flowhub_assets.runtime.pipes import shown_as_json, shown_from_json
from flowhub_assets.runtime.show import Shown, collect_shown, show

PNG = b"\x89PNG\r\n\x1a\nrest"
TASK = Task(
    "load",
    (),
    Source("flow.py", 3),
    "load",
    checks=(Check("nulls", "blocking"), Check("ranges"), Check("fresh", "warn")),
)


def told(*calls: tuple[Any, ...], **values: Any) -> list[Shown]:
    with collect_shown() as shown:
        for call in calls:
            check(*call, **values)
    return shown


def test_it_is_public() -> None:
    assert public_check is check


def test_a_check_stands_in_the_order_of_its_declaration() -> None:
    shown = told(("fresh", False, "three days old"), ("nulls", True))
    nulls, ranges, fresh = checked_in(TASK, shown)
    assert (nulls.name, nulls.passed, nulls.description) == ("nulls", True, "")
    assert (fresh.passed, fresh.description) == (False, "three days old")
    assert not ranges.passed
    assert ranges.description == "the task has ended without telling of it"


def test_told_twice_it_has_to_hold_twice() -> None:
    shown = told(("nulls", True, "of a"), ("nulls", False, "of b"), ("nulls", True))
    assert checked_in(TASK, shown)[0][1:3] == (False, "of b")
    assert checked_in(TASK, told(("nulls", True, "of a"), ("nulls", True, "of b")))[0][1:3] == (True, "of a; of b")


def test_what_is_shown_beside_it_is_its_own() -> None:
    with collect_shown() as shown:
        show("rows", 3)
        check("nulls", bool(np.bool_(True)), rows_without=np.int64(3), where=[{"row": 1}])
    assert shown[0] == Shown("rows", "number", 3)
    beside = checked_in(TASK, shown)[0].shown
    assert beside == (Shown("rows without", "number", 3), Shown("where", "table", [{"row": 1}]))


@pytest.mark.parametrize("verdict", [None, 1, "yes", np.array([True, False]), np.int64(1)])
def test_a_verdict_is_true_or_false(verdict: Any) -> None:
    with pytest.raises(ValueRefused, match="as its verdict"):
        check("nulls", verdict)


def test_a_value_that_cannot_be_shown_is_refused() -> None:
    with pytest.raises(ValueRefused, match="was given a object"):
        check("nulls", True, what=object())


def test_only_a_blocking_one_that_does_not_hold_stops() -> None:
    fine = told(("nulls", True), ("ranges", False), ("fresh", False))
    assert blocked(TASK, fine) is None
    require_blocking(TASK, fine)
    with pytest.raises(CheckFailed) as error:
        require_blocking(TASK, told(("nulls", False, "7 of 9 are empty")))
    assert error.value.what == "task 'load' did not pass its check 'nulls': 7 of 9 are empty"
    assert error.value.where == "flow.py:3"


def test_one_that_is_not_declared_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(ValueRefused, match="'null', which it does not declare") as error:
        require_declared(TASK, told(("null", True)))
    assert "'nulls'" in error.value.remedy
    with pytest.raises(ValueRefused) as error:
        require_declared(Task("load", (), Source("flow.py", 3), "load"), told(("any", True)))
    assert "@task(checks={'any': 'error'})" in error.value.remedy


@given(
    st.lists(st.tuples(st.sampled_from(["nulls", "ranges", "other"]), st.booleans(), st.text(max_size=20)), max_size=5),
    st.dictionaries(st.text("ab_", min_size=1), st.one_of(st.integers(), st.text(), st.just(PNG)), max_size=3),
)
def test_it_travels_through_a_pods_log(calls: list[tuple[str, bool, str]], values: dict[str, Any]) -> None:
    values.pop("self", None)
    shown = told(*calls, **values)
    assert list(shown_from_json(shown_as_json(shown))) == shown
    assert pickle.loads(pickle.dumps(shown)) == shown


def test_what_is_too_large_for_a_log_is_left_out_but_never_the_verdict() -> None:
    shown = told(("nulls", False, "why"), picture=PNG + bytes(2 << 20))
    (back,) = checked_in(TASK, shown_from_json(shown_as_json(shown)))[:1]
    assert (back.passed, back.description) == (False, "why")
    assert "too much for a pod's log" in back.shown[0].data


def test_numpys_own_truth_is_taken() -> None:
    verdict: Any = np.bool_(False)
    assert told(("nulls", verdict))[0].data["passed"] is False
