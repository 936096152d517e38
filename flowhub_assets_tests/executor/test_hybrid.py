"""Runs of the hybrid executor on an instance on disk: where steps run, what their events and logs say."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from flowhub_assets_tests.executor import executor_jobs


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.setenv("EXECUTOR_TEST_FOLDER", str(tmp_path))
    return home


@pytest.fixture
def disk(home: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.get() as instance:
        yield instance


def test_light_steps_run_in_the_run_worker_and_heavy_ones_in_their_own_process(
    disk: dg.DagsterInstance, tmp_path: Path
) -> None:
    result = dg.execute_job(dg.reconstructable(executor_jobs.mixed), instance=disk)
    assert result.success
    assert (tmp_path / "light_one").read_text().split() == [str(os.getpid())]
    assert (tmp_path / "heavy_plus_one").read_text().split() != [str(os.getpid())]
    assert (tmp_path / "light_double").read_text().split() == ["4"]


def test_what_a_step_prints_is_in_its_own_compute_log(disk: dg.DagsterInstance) -> None:
    result = dg.execute_job(dg.reconstructable(executor_jobs.mixed), instance=disk)
    printed = {}
    for entry in disk.all_logs(result.run_id, of_type=dg.DagsterEventType.LOGS_CAPTURED):
        event = entry.get_dagster_event()
        captured = event.logs_captured_data
        key = disk.compute_log_manager.build_log_key_for_run(result.run_id, captured.file_key)
        data = disk.compute_log_manager.get_log_data(key)
        printed[tuple(captured.step_keys or ())] = (data.stdout or b"").decode()
        assert disk.compute_log_manager.is_capture_complete(key)
    assert printed == {
        ("light_one",): "printed by light_one\n",
        ("heavy_plus_one",): "printed by heavy_plus_one\n",
    }
