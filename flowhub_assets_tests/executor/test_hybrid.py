"""Runs of the hybrid executor on an instance on disk: where steps run, what their events and logs say."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from flowhub_assets.errors import RunError
from flowhub_assets_tests.executor import executor_jobs, told


def run(job: Callable[..., Any], instance: dg.DagsterInstance) -> dg.JobExecutionResult:
    return dg.execute_job(dg.reconstructable(job), instance=instance)


def test_light_steps_run_in_the_run_worker_and_heavy_ones_in_their_own_process(
    disk: dg.DagsterInstance, tmp_path: Path
) -> None:
    result = run(executor_jobs.mixed, disk)
    assert result.success
    assert (tmp_path / "light_one").read_text().split() == [str(os.getpid())]
    assert (tmp_path / "heavy_plus_one").read_text().split() != [str(os.getpid())]
    assert (tmp_path / "light_double").read_text().split() == ["4"]
    assert told.compute_logs(disk, result.run_id) == {
        "light_one": ("printed by light_one\n", ""),
        "heavy_plus_one": ("printed by heavy_plus_one\n", told.compute_logs(disk, result.run_id)["heavy_plus_one"][1]),
    }


def test_an_untagged_op_has_its_own_process_where_that_can_be(disk: dg.DagsterInstance, tmp_path: Path) -> None:
    assert run(executor_jobs.untagged, disk).success
    assert (tmp_path / "untagged").read_text().split() != [str(os.getpid())]


def test_on_an_ephemeral_instance_untagged_ops_are_light_and_heavy_ones_refused(
    home: Path, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    assert run(executor_jobs.untagged, instance).success
    assert (tmp_path / "untagged").read_text().split() == [str(os.getpid())]
    with pytest.raises(RunError, match="'heavy_plus_one' is heavy"):
        dg.execute_job(dg.reconstructable(executor_jobs.mixed), instance=instance, raise_on_error=True)
    assert told.counted(tmp_path, "light_one") == 0


def test_steps_that_talk_at_once_have_their_own_logs(disk: dg.DagsterInstance) -> None:
    result = run(executor_jobs.talkative, disk)
    assert result.success
    names = [f"waits_{number}" for number in range(6)]
    assert told.compute_logs(disk, result.run_id) == {
        name: tuple("".join(f"{name} {verb} {n}\n" for n in range(5)) for verb in ("prints", "complains"))
        for name in names
    }
    lines = told.log_lines(disk, result.run_id)
    for name in names:
        for n in range(5):
            assert lines[name, f"{name} logs {n}"] == 1
            assert lines[name, f"{name} tells {n}"] == 1
    assert sum(count for (_, text), count in lines.items() if " tells " in text) == 30


def test_the_process_is_as_it_was_after_a_run(disk: dg.DagsterInstance) -> None:
    import sys

    before = (sys.stdout, sys.stderr, dict(vars(disk.event_log_storage)), list(dg.get_dagster_logger().handlers))
    assert run(executor_jobs.talkative, disk).success
    assert (sys.stdout, sys.stderr) == before[:2]
    assert vars(disk.event_log_storage).keys() == before[2].keys()
    assert list(dg.get_dagster_logger().handlers) == before[3]


def test_branches_loops_and_hooks(disk: dg.DagsterInstance, tmp_path: Path) -> None:
    result = run(executor_jobs.shapes, disk)
    assert not result.success
    ends = told.ends(disk, result.run_id)
    assert {key for key, how in ends.items() if how == ["STEP_SKIPPED"]} == {"follows_right"}
    assert {key for key, how in ends.items() if how == ["STEP_FAILURE"]} == {"raises"}
    assert (tmp_path / "joined").read_text() == "left\n"
    assert (tmp_path / "total").read_text() == f"{[n * n for n in range(10)]}\n"
    assert told.most_at_once(tmp_path) == 2
    assert (tmp_path / "hooked").read_text() == "hooked {'result': 'word'}\n"
    assert (tmp_path / "failed").read_text() == "raises as it must\n"
    hooks = [key for key, kind in told.events(disk, result.run_id) if kind == "HOOK_COMPLETED"]
    assert sorted(filter(None, hooks)) == ["hooked", "raises"]


def test_retries_of_every_kind(disk: dg.DagsterInstance, tmp_path: Path) -> None:
    result = run(executor_jobs.retrying, disk)
    assert told.ends(disk, result.run_id) == {
        "asks_for_retries": ["STEP_UP_FOR_RETRY", "STEP_UP_FOR_RETRY", "STEP_SUCCESS"],
        "has_a_policy": ["STEP_UP_FOR_RETRY", "STEP_SUCCESS"],
        "retried_at_once": ["STEP_UP_FOR_RETRY", "STEP_UP_FOR_RETRY", "STEP_SUCCESS"],
        "fails_for_good": ["STEP_FAILURE"],
        "fails_always": ["STEP_UP_FOR_RETRY", "STEP_FAILURE"],
    }
    assert (tmp_path / "attempts").read_text() == "1\n2\n"
    assert told.counted(tmp_path, "after_failures") == 0
    restarts = [key for key, kind in told.events(disk, result.run_id) if kind == "STEP_RESTARTED"]
    tried_again = ["asks_for_retries"] * 2 + ["fails_always", "has_a_policy"] + ["retried_at_once"] * 2
    assert sorted(filter(None, restarts)) == tried_again
    assert told.counted(tmp_path, "hook_ended") == 3


def test_a_heavy_step_that_is_killed_is_tried_again(disk: dg.DagsterInstance, tmp_path: Path) -> None:
    result = run(executor_jobs.heavy_crash, disk)
    assert result.success
    assert told.ends(disk, result.run_id) == {"killed_once": ["STEP_UP_FOR_RETRY", "STEP_SUCCESS"]}
    (retry,) = disk.all_logs(result.run_id, of_type=dg.DagsterEventType.STEP_UP_FOR_RETRY)
    assert "SIGKILL" in str(retry.get_dagster_event().step_retry_data.error)


def test_a_run_goes_on_from_failure(disk: dg.DagsterInstance, tmp_path: Path) -> None:
    first = run(executor_jobs.breaking, disk)
    assert not first.success
    second = dg.execute_job(
        dg.reconstructable(executor_jobs.breaking),
        instance=disk,
        reexecution_options=dg.ReexecutionOptions.from_failure(first.run_id, disk),
    )
    assert second.success
    assert told.ends(disk, second.run_id) == {"breaks_once": ["STEP_SUCCESS"], "after": ["STEP_SUCCESS"]}
    assert (tmp_path / "followed").read_text() == "word\nword!\n"


def test_a_pools_places_are_kept_and_given_back(disk: dg.DagsterInstance, tmp_path: Path) -> None:
    disk.event_log_storage.set_concurrency_slots("narrow", 1)
    result = run(executor_jobs.pooled, disk)
    assert result.success
    assert told.most_at_once(tmp_path) == 1
    info = disk.event_log_storage.get_concurrency_info("narrow")
    assert (info.active_slot_count, info.pending_step_count) == (0, 0)


def test_a_tag_limits_the_steps_at_a_time(disk: dg.DagsterInstance, tmp_path: Path) -> None:
    assert run(executor_jobs.tag_limited, disk).success
    assert told.most_at_once(tmp_path) == 1


def test_a_resource_that_cannot_be_made_fails_the_run(disk: dg.DagsterInstance) -> None:
    result = run(executor_jobs.without_resource, disk)
    assert not result.success
    kinds = [kind for _, kind in told.events(disk, result.run_id)]
    assert "RESOURCE_INIT_FAILURE" in kinds
    assert "STEP_START" not in kinds
    assert kinds[-1] == "RUN_FAILURE"


def test_assets_and_their_checks_are_known_to_the_instance(disk: dg.DagsterInstance) -> None:
    result = run(executor_jobs.materialise, disk)
    assert result.success
    for name in ("first_asset", "second_asset"):
        event = disk.get_latest_materialization_event(dg.AssetKey(name))
        assert event is not None
        assert event.run_id == result.run_id
    assert len(told.ends(disk, result.run_id)) == 2
    check = dg.AssetCheckKey(dg.AssetKey("second_asset"), "positive")
    assert disk.event_log_storage.get_latest_asset_check_execution_by_key([check])[check].status.value == "SUCCEEDED"
