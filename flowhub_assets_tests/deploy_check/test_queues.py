"""The queue's settings: the same limits, and nothing that stays for ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowhub_assets.deploy_check.folder import read_folder
from flowhub_assets.deploy_check.layers import Layers, combinations
from flowhub_assets.deploy_check.queues import queue_problems, queue_settings
from flowhub_assets_tests.deploy_check.changed_folder import DEPLOY, changed


def told(path: Path) -> list[str]:
    folder = read_folder(path)
    layers = combinations(folder.values, folder.overlays)
    return [str(problem) for problem in queue_problems(queue_settings(folder, layers[:1]), folder)]


def test_ours_have_nothing_wrong() -> None:
    assert told(DEPLOY) == []


def test_each_place_is_looked_at() -> None:
    folder = read_folder(DEPLOY)
    assert len(queue_settings(folder, [Layers((folder.values,))])) == 4


@pytest.mark.parametrize(
    ("name", "old", "new", "what"),
    [
        ("dagster.yaml", "granularity: op", "granularity: run", "concurrency.pools.granularity is 'run', not 'op'"),
        ("dagster.yaml", "enabled: true", "enabled: false", "run_monitoring.enabled is False, not true"),
        (
            "dagster.yaml",
            "free_slots_after_run_end_seconds: 30",
            "free_slots_after_run_end_seconds: 0",
            "run_monitoring.free_slots_after_run_end_seconds is 0",
        ),
        (
            "dagster-production.yaml",
            "max_resume_run_attempts: 3",
            "",
            "run_monitoring.max_resume_run_attempts is None",
        ),
        ("dagster-production.yaml", "at_most_3,", "at_most_03,", "are not those of dagster.yaml"),
        ("helm/values.yaml", "freeSlotsAfterRunEndSeconds: 30", "", "freeSlotsAfterRunEndSeconds is None"),
        ("helm/values.yaml", "limit: 10}", "limit: 11}", "are not those of dagster.yaml"),
    ],
)
def test_what_is_otherwise_is_told(tmp_path: Path, name: str, old: str, new: str, what: str) -> None:
    (one,) = told(changed(tmp_path, (name, old, new)))
    assert what in one


def test_the_settings_of_one_machine_need_no_resume() -> None:
    assert "max_resume_run_attempts" not in (DEPLOY / "dagster.yaml").read_text("utf-8")


def test_limits_that_are_gone_everywhere_are_told(tmp_path: Path) -> None:
    names = ("dagster.yaml", "dagster-production.yaml", "compose/dagster.yaml")
    folder = changed(tmp_path, *((name, "tag_concurrency_limits", "tag_limits") for name in names))
    without = [one for one in told(folder) if "concurrency.runs.tag_concurrency_limits are not those" in one]
    assert len(without) == len(names)
