"""What @flow(object_arrival=...) may be told."""

from __future__ import annotations

import math
from typing import Any

import pytest

from flowhub_assets.ir.arrival_checks import ARRIVAL_KEYS, MOST_LOOKS, MOST_OBJECTS, PER, arrival_faults
from flowhub_assets.ir.pipeline import Source
from flowhub_assets.nodes.builtin.object_arrival import ObjectArrival

FLOW = Source("flow.py", 3)


def told(**config: Any) -> list[str]:
    return [f"{one.what}; {one.remedy}" for one in arrival_faults(config, FLOW)]


def test_what_is_right_is_told_nothing() -> None:
    assert told() == []
    assert told(prefix="in/", pattern="*", every=0.5, per="batch", limit=1, lateness=0, looks=1, existing=False) == []


@pytest.mark.parametrize(
    ("key", "value", "remedy"),
    [
        ("prefix", 3, "a text"),
        ("pattern", None, "a text"),
        ("every", 0, "the seconds between"),
        ("every", "5m", "the seconds between"),
        ("every", math.inf, "the seconds between"),
        ("lateness", -1, "by which an object may come late"),
        ("per", "day", "object and batch"),
        ("limit", 0, "from 1 to 1000"),
        ("limit", 2.5, "from 1 to 1000"),
        ("limit", True, "from 1 to 1000"),
        ("looks", 0, "from 1 to 100"),
        ("looks", 101, "from 1 to 100"),
        ("existing", "no", "True or False"),
        ("prefixes", "in/", "did you mean 'prefix'?"),
    ],
)
def test_what_is_wrong_is_told_with_its_remedy(key: str, value: Any, remedy: str) -> None:
    (one,) = told(**{key: value})
    assert remedy in one


def test_a_pipeline_file_is_checked_where_it_is_read() -> None:
    assert list(arrival_faults({"limit": 0}, Source("pipeline.yaml", 3))) == []


def test_it_knows_what_the_kind_of_node_takes() -> None:
    assert {field.alias for field in ObjectArrival.Config.model_fields.values()} == set(ARRIVAL_KEYS)
    limits = ObjectArrival.Config.model_json_schema()["properties"]
    assert (limits["limit"]["maximum"], tuple(limits["per"]["enum"])) == (MOST_OBJECTS, PER)
    assert limits["looks"]["maximum"] == MOST_LOOKS
