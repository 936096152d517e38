"""The watched inbox: its sensor finds a table, and the run that it asks for sums it up."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance, build_sensor_context

from flowhub_assets import definitions

Run = Callable[..., Any]


def test_without_a_file_it_says_so(run_here: Run) -> None:
    done = run_here("inbox_report")
    assert done.ok, done.error
    assert {name: done.tasks[name].state for name in ("note-nothing", "read-sales", "keep-report")} == {
        "note-nothing": "succeeded",
        "read-sales": "skipped",
        "keep-report": "skipped",
    }


def test_its_sensor_starts_a_run_for_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instance: DagsterInstance
) -> None:
    monkeypatch.chdir(tmp_path)
    inbox = tmp_path / "tmp" / "inbox"
    inbox.mkdir(parents=True)
    (inbox / "monday.csv").write_text("city,sold\nSeoul,12\nBusan,30\n")
    repository = definitions.defs
    sensor = repository.get_sensor_def("inbox_report_objects")
    with build_sensor_context(instance, repository_def=repository) as context:
        data = sensor.evaluate_tick(context)
    (request,) = data.run_requests or ()
    result = repository.get_job("inbox_report").execute_in_process(run_config=request.run_config, instance=instance)
    assert result.success
    report = json.loads((tmp_path / "tmp" / "reports" / "inbox" / "monday.csv.json").read_text())
    assert report == {"rows": 2, "sold": 42, "cities": ["Busan", "Seoul"]}
    with build_sensor_context(instance, cursor=data.cursor, repository_def=repository) as context:
        again = sensor.evaluate_tick(context)
    assert not again.run_requests, "what it has written itself starts nothing"
    assert "nothing new" in str(again.skip_message)
