"""What runs in a worker: the answer's text, what is counted, and the middleware that reads a body in pieces."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import numpy
import pytest
from prometheus_client import CollectorRegistry

from flowhub_assets.ml.serving.rows import MOST_BYTES
from flowhub_assets.ml.serving.service import UNCOUNTED, CountedModel, Predicting


class Coin:
    """Says heads where the row's number is positive."""

    def scores(self, rows: list[list[float]]) -> Any:
        return numpy.array([[0.25, 0.75] if row[0] > 0 else [1.0, 0.0] for row in rows])

    def answers(self, scored: Any) -> list[str]:
        return [("tails", "heads")[number] for number in scored.argmax(axis=1)]


class Double:
    """Says twice the row's number."""

    def scores(self, rows: list[list[float]]) -> Any:
        return numpy.array([2.0 * row[0] for row in rows])

    def answers(self, scored: Any) -> list[float]:
        return [float(one) for one in scored]


COIN = {"model": "coin", "version": "3", "classes": ["tails", "heads"], "reference": {}}
DOUBLE = {"model": "double", "version": "1", "classes": [], "reference": {"edges": [1.0, 5.0]}}


def test_classes_come_with_their_probabilities_and_are_counted() -> None:
    registry = CollectorRegistry()
    model = CountedModel(COIN, Coin(), registry)
    assert json.loads(model.answer([[1.0], [-1.0], [2.0]])) == {
        "predictions": ["heads", "tails", "heads"],
        "probabilities": [{"tails": 0.25, "heads": 0.75}, {"tails": 1.0, "heads": 0.0}, {"tails": 0.25, "heads": 0.75}],
        "model": "coin",
        "version": "3",
    }
    labels = {"model": "coin", "version": "3"}
    name = "flowhub_model_predictions_total"
    assert registry.get_sample_value(name, {**labels, "prediction": "heads"}) == 2
    assert registry.get_sample_value(name, {**labels, "prediction": "tails"}) == 1


def test_numbers_have_no_probabilities_and_are_counted_by_span() -> None:
    registry = CollectorRegistry()
    answer = json.loads(CountedModel(DOUBLE, Double(), registry).answer([[0.5], [2.0], [9.0]]))
    assert (answer["predictions"], answer["probabilities"]) == ([1.0, 4.0, 18.0], None)
    buckets = [
        registry.get_sample_value("flowhub_model_prediction_bucket", {"model": "double", "version": "1", "le": bound})
        for bound in ("1.0", "5.0", "+Inf")
    ]
    assert buckets == [1, 2, 3]


class Behind:
    """The program behind the middleware, and the model that the middleware asks; keeps what it gets."""

    def __init__(self, model: CountedModel) -> None:
        self.loaded = {"model": model}
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.bodies.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})


def asked(
    behind: Behind, *pieces: bytes, path: str = "/predict", headers: list[tuple[bytes, bytes]] | None = None
) -> tuple[int | None, dict[str, Any]]:
    """(status, body) that the middleware or the program behind it sends."""
    waiting = [
        {"type": "http.request", "body": piece, "more_body": number < len(pieces) - 1}
        for number, piece in enumerate(pieces)
    ] or [{"type": "http.disconnect"}]
    sent: list[dict[str, Any]] = []

    async def receive() -> Any:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "headers": headers or []}
    asyncio.run(Predicting(behind, loaded=behind.loaded)(scope, receive, send))
    body = next((one["body"] for one in sent if "body" in one), b"{}")
    return (sent[0]["status"] if sent else None), json.loads(body)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def behind(registry: CollectorRegistry) -> Behind:
    return Behind(CountedModel(COIN, Coin(), registry))


def test_a_body_in_pieces_is_one_and_json_whatever_it_is_called(behind: Behind) -> None:
    form = [(b"content-type", b"application/x-www-form-urlencoded")]
    status, told = asked(behind, b"[[1", b".0", b"]]", headers=form)
    assert (status, told["predictions"]) == (200, ["heads"])
    assert behind.bodies == []


def test_many_rows_are_answered_in_their_order(behind: Behind) -> None:
    rows = [[1.0] if number % 3 else [-1.0] for number in range(200)]
    status, told = asked(behind, json.dumps(rows).encode())
    assert status == 200
    assert told["predictions"] == ["heads" if number % 3 else "tails" for number in range(200)]


def test_what_is_no_list_of_rows_does_not_go_on(behind: Behind) -> None:
    status, told = asked(behind, b"[]")
    assert (status, told["error"]) == (400, "the list of rows is empty")
    status, told = asked(behind, b"[" + b" " * MOST_BYTES, b"]")
    assert status == 413
    assert "1,048,576 bytes" in told["error"]
    assert behind.bodies == []


def test_a_caller_who_hangs_up_is_let_go(behind: Behind) -> None:
    assert asked(behind) == (None, {})
    assert behind.bodies == []


def test_another_path_goes_on_as_it_is(behind: Behind) -> None:
    assert asked(behind, b"anything", path="/other")[0] == 200
    assert behind.bodies == [b"anything"]


def test_our_own_questions_are_not_counted(behind: Behind, registry: CollectorRegistry) -> None:
    name, labels = "flowhub_model_predictions_total", {"model": "coin", "version": "3", "prediction": "heads"}
    asked(behind, b"[[1.0]]", headers=[(UNCOUNTED.encode(), b"1")])
    assert registry.get_sample_value(name, labels) == 0
    asked(behind, b"[[1.0]]")
    assert registry.get_sample_value(name, labels) == 1
