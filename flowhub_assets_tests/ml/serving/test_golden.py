"""Golden requests: answers that differ are told, and so is a server that gives none. Real servers: test_switching."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy
import pytest

from flowhub_assets.errors import RunError
from flowhub_assets.ml.serving.golden import _difference, ask_rows
from flowhub_assets_tests.http_server import Answer, HttpServer


class Coin:
    classes = ("tails", "heads")

    def scores(self, rows: list[list[float]]) -> Any:
        return numpy.array([[0.25, 0.75] for _ in rows])

    def answers(self, scored: Any) -> list[str]:
        return ["heads" for _ in scored]


class Double:
    classes = ()

    def scores(self, rows: list[list[float]]) -> Any:
        return numpy.array([2e6 * row[0] for row in rows])

    def answers(self, scored: Any) -> list[float]:
        return [float(one) for one in scored]


def told(**more: Any) -> dict[str, Any]:
    answer = {"predictions": ["heads"], "probabilities": [{"tails": 0.25, "heads": 0.75}], "version": "3"}
    return {**answer, **more}


def difference(predictor: Any, answer: dict[str, Any]) -> float:
    return _difference(predictor, [[1.0]], answer, "3")


def test_the_same_answer_is_no_distance_and_a_rounded_one_a_small_one() -> None:
    assert difference(Coin(), told()) == 0
    assert difference(Coin(), told(probabilities=[{"tails": 0.25 + 1e-9, "heads": 0.75}])) == pytest.approx(1e-9)
    # Numbers are compared by their size.
    assert difference(Double(), {"predictions": [2e6 + 1], "version": "3"}) == pytest.approx(5e-7)


@pytest.mark.parametrize(
    ("predictor", "answer", "reason"),
    [
        (Coin(), told(version="2"), "answers as version 2, not 3"),
        (Coin(), told(predictions=["tails"]), "the server says 'tails', the model in MLflow 'heads'"),
        (Coin(), told(probabilities=[{"tails": 0.3, "heads": 0.7}]), "0.1 apart"),
        (Coin(), told(probabilities=[{"tails": 0.25, "heads": float("nan")}]), "nan apart"),
        (Coin(), told(probabilities=[{"heads": 0.75}]), "inf apart"),
        (Double(), {"predictions": [2e6 + 10], "version": "3"}, "the model in MLflow 2000000.0"),
    ],
)
def test_another_answer_is_told_with_its_row(predictor: Any, answer: dict[str, Any], reason: str) -> None:
    with pytest.raises(RunError) as refused:
        difference(predictor, answer)
    assert reason in str(refused.value)
    assert "is served still" in str(refused.value)


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as server:
        yield server


@pytest.mark.parametrize(
    "answer",
    [
        Answer.json({"predictions": ["setosa"]}),
        Answer.json({"predictions": ["setosa"] * 2}, 500),
        Answer.json([]),
        Answer.text("not JSON"),
    ],
)
def test_anything_but_one_prediction_for_each_row_is_told(server: HttpServer, answer: Answer) -> None:
    server.on("/predict", answer)
    with pytest.raises(RunError, match="does not answer 2 rows"):
        ask_rows(server.url, [[1.0], [2.0]])


def test_a_server_itself_is_asked_without_being_counted_and_the_front_by_alias(server: HttpServer) -> None:
    server.on("/predict", Answer.json({"predictions": ["setosa"]}))
    ask_rows(server.url, [[1.0]])
    ask_rows(server.url, [[1.0]], alias="challenger")
    direct, front = server.requests
    assert "x-flowhub-uncounted" in direct.headers
    assert front.headers["x-model-alias"] == "challenger"
    assert "x-flowhub-uncounted" not in front.headers
