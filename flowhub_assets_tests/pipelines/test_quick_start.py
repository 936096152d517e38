"""The quick start, run as its README says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


def test_both_tasks_in_a_row(run_script: Run) -> None:
    done = run_script("quick_start", "--env", "default")
    assert done.code == 0, done.printed
    assert list(done.log) == ["count_words", "find_favourite"]
    counted = done.log["count_words"]["output"]
    assert counted["words"] == 14
    assert sum(counted["counts"].values()) == 14
    assert done.log["find_favourite"]["input"] == counted
    assert done.log["find_favourite"]["output"]["favourite"] == "the"
    assert "env" not in done.log["find_favourite"]["output"]


def test_a_text_of_ones_own_and_the_second_task_alone(run_script: Run, tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text(json.dumps({"text": "가 나 나"}), encoding="utf-8")
    done = run_script("quick_start", "--env", "default", "--input", "data.json")
    assert done.log["find_favourite"]["output"]["favourite"] == "나"
    again = run_script("quick_start", "--env", "default", "--task", "find_favourite")
    assert again.code == 0, again.printed
    assert "'나' comes 2 times" in again.printed


def test_the_profile_reaches_the_task(run_here: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert run_here("quick_start", text="a b").ok
    assert "counts: {'a': 1, 'b': 1}" in capfd.readouterr().out
