"""The webhook's answer: one of two ways, and what is said on each."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from flowhub_assets_tests.pipelines.conftest import PIPELINES

Run = Callable[..., Any]


def example(total: int) -> dict[str, Any]:
    given: dict[str, Any] = json.loads((PIPELINES / "webhook_reply" / "example-input.json").read_text("utf-8"))
    given["trigger"]["body"]["total"] = total
    return given


@pytest.mark.parametrize(
    ("total", "ran", "skipped", "shipping", "words"),
    [
        (49_999, "charge-shipping", "send-free", 3000, "1원을 더 담으면 무료입니다."),
        (50_000, "send-free", "charge-shipping", 0, "주문 A-1024은 무료로 배송됩니다."),
    ],
)
def test_only_one_way_is_taken(run_here: Run, total: int, ran: str, skipped: str, shipping: int, words: str) -> None:
    done = run_here("webhook_reply", **example(total))
    assert done.ok, done.error
    assert (done.tasks[ran].state, done.tasks[skipped].state) == ("succeeded", "skipped")
    answer = done.tasks["answer"].value
    assert answer["status"] == 200
    assert answer["headers"]["Content-Type"] == "application/json"
    assert answer["body"]["order"] == "A-1024"
    assert answer["body"]["shipping"] == shipping
    assert answer["body"]["message"].startswith("김하나님, ")
    assert answer["body"]["message"].endswith(words)


def test_its_params_move_the_line(run_here: Run) -> None:
    done = run_here("webhook_reply", **example(40_000), free_from=40_000)
    assert done.tasks["send-free"].state == "succeeded"


def test_an_order_without_a_sum_fails_and_says_so(run_here: Run) -> None:
    given = example(1)
    del given["trigger"]["body"]["total"]
    done = run_here("webhook_reply", **given)
    assert not done.ok
    assert "'total'" in str(done.error)
