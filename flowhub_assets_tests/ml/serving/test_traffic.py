"""What counters say: quantiles as Prometheus has them, a verdict with its reasons. Real counters: test_switching."""

from __future__ import annotations

import math
from typing import Any

import pytest

from flowhub_assets.errors import RunError
from flowhub_assets.ml.serving.places import place_of
from flowhub_assets.ml.serving.routes import Arm, Route, write_route
from flowhub_assets.ml.serving.traffic import _distribution, _since, judge_traffic, quantile, traffic
from flowhub_assets_tests.ml.serving.registered_model import profile

BOUNDS = [0.1, 0.5, 1.0, math.inf]
VERSION: dict[str, Any] = {
    "alias": "champion",
    "version": "3",
    "requests": 100,
    "errors": 0,
    "refused": 3,
    "p50": 0.01,
    "p95": 0.02,
    "predictions": 97,
    "psi": 0.01,
}


@pytest.mark.parametrize(
    ("counts", "share", "value"),
    [
        ([0, 0, 0, 0], 0.5, None),
        ([], 0.5, None),
        ([10, 10, 10, 10], 0.5, 0.05),
        ([0, 10, 10, 10], 0.5, 0.3),
        ([0, 0, 0, 10], 0.95, 1.0),
        ([5, 10, 10, 10], 0.75, 0.3),
    ],
)
def test_quantiles_are_interpolated_within_a_bucket(counts: list[float], share: float, value: float | None) -> None:
    assert quantile(BOUNDS[: len(counts)], counts, share) == (None if value is None else pytest.approx(value))


def test_a_counter_that_shows_less_has_begun_anew() -> None:
    before = {"statuses": {"200": 10.0, "500": 1.0}, "seconds": {"0.1": 4.0}}
    now = {"statuses": {"200": 3.0}, "seconds": {"0.1": 6.0}}
    assert _since(before, now) == {"statuses": {"200": 3.0}, "seconds": {"0.1": 2.0}}
    assert _since({}, now) == now


def test_cumulative_buckets_become_spans() -> None:
    counts = {"classes": {}, "bins": {"1.0": 2.0, "2.0": 5.0, "+Inf": 6.0}}
    told = {"edges": [1.0, 2.0], "shares": [0.4, 0.4, 0.2]}
    assert _distribution(counts, told) == {"up to 1": 2.0, "up to 2": 3.0, "above 2": 1.0}
    assert _distribution({"classes": {}, "bins": {}}, told) == {"up to 1": 0.0, "up to 2": 0.0, "above 2": 0.0}


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"errors": 2}, "left 2 of 100 requests unanswered"),
        ({"p95": 0.3}, "took 0.3 s for its slowest twentieth"),
        ({"psi": 0.4}, "PSI 0.40, above 0.25"),
    ],
)
def test_each_bound_has_its_reason(more: dict[str, Any], reason: str) -> None:
    told = judge_traffic({"model": "iris", "served": True, "versions": [{**VERSION, **more}]})
    assert not told["passed"]
    assert len(told["reasons"]) == 1
    assert reason in told["reasons"][0]
    assert told["table"][0]["version"] == "3"


def test_what_is_within_its_bounds_passes_and_so_does_silence() -> None:
    silent = {**VERSION, "requests": 0, "p50": None, "p95": None, "predictions": 0, "psi": None}
    assert judge_traffic({"model": "iris", "served": True, "versions": [VERSION, silent]})["passed"]


def test_a_model_that_is_not_served_does_not_pass() -> None:
    assert judge_traffic({"model": "iris", "served": False, "versions": []})["reasons"] == ["iris is not served"]


def test_a_front_that_is_gone_is_told(tmp_path: Any) -> None:
    env = profile(tmp_path)
    place = place_of("iris", env)
    write_route(place, Route("iris", 1.0, Arm("champion", "1", "server", "http://127.0.0.1:9")))
    with pytest.raises(RunError, match="does not answer"):
        traffic("iris", env)
