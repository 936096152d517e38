"""The pipeline that fails: what its on_failure task is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Run = Callable[..., Any]


def test_the_script_fails_with_the_user_s_own_lines_and_leaves_one_alert(run_script: Run) -> None:
    done = run_script("failing", "--env", "default", "--id", "run-7")
    assert done.code == 1
    assert "the price of sugar is -1.0" in done.printed
    assert "check_prices" in done.printed
    assert "flowhub_assets/runtime" not in done.printed
    assert set(done.log["receive_delivery"]) == {"input", "output"}
    assert "publish_prices" not in done.log
    (alert,) = (done.folder / "tmp" / "failing" / "alerts").glob("*.json")
    told = json.loads(alert.read_text("utf-8"))
    assert alert.stem == told["run_id"] == "run-7"
    assert told["failed_task"] == "check_prices"
    assert told["error"] == "the price of sugar is -1.0"
    assert told["error_type"] == "ValueError"
    assert "in check_prices" in told["traceback"]
    assert "flowhub_assets/runtime" not in told["traceback"]


def test_it_is_tried_twice_and_the_alarm_rings_once(run_here: Run) -> None:
    done = run_here("failing")
    assert not done.ok
    assert {name: (task.state, task.attempts) for name, task in done.tasks.items()} == {
        "receive_delivery": ("succeeded", 1),
        "check_prices": ("failed", 2),
        "publish_prices": ("skipped", 0),
    }
    assert done.failure is not None
    assert (done.failure.state, done.failure.attempts) == ("succeeded", 1)
