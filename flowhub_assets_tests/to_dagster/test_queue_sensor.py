"""The sensor of the queues, by Dagster's own evaluation in a real instance."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from flowhub_assets.resources.queues import LATEST_TAG, Queues
from flowhub_assets.to_dagster.queue_sensor import give_free_slots, keep_pools, keep_queues, queue_sensor
from flowhub_assets_tests.to_dagster.queued_runs import instance_in, put, run_of


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with instance_in(tmp_path) as instance:
        yield instance


def pools(instance: dg.DagsterInstance) -> dict[str, int]:
    return {pool.name: pool.limit for pool in instance.event_log_storage.get_pool_limits()}


def test_it_runs_by_itself_and_does_what_pyproject_says(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.flowhub.pools]\ndb-lock = 1\n")
    monkeypatch.chdir(tmp_path)
    older, newer = (put(instance, "a", {LATEST_TAG: "k"}) for _ in range(2))
    sensor = queue_sensor()
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    with dg.build_sensor_context(instance=instance) as context:
        tick = sensor.evaluate_tick(context)
        assert not tick.run_requests
        assert tick.skip_message == f"pool db-lock: no limit → 1\n{older}: dropped, run {newer} came later"
        again = sensor.evaluate_tick(context)
    assert again.skip_message == "Pools and waiting runs are as they should be."
    assert pools(instance) == {"db-lock": 1}
    assert run_of(instance, newer).status is dg.DagsterRunStatus.QUEUED


def test_a_pyproject_that_cannot_be_used_shows_in_the_tick(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.flowhub.pools]\ndb-lock = -1\n")
    monkeypatch.chdir(tmp_path)
    with dg.build_sensor_context(instance=instance) as context, pytest.raises(Exception, match="db-lock is -1"):
        queue_sensor().evaluate_tick(context)


def test_slots_that_somebody_changed_in_the_ui_stay_until_the_file_changes(instance: dg.DagsterInstance) -> None:
    one, two = Queues(pools={"db-lock": 1}), Queues(pools={"db-lock": 2})
    kept = keep_queues(instance, one, None, 0.0)
    instance.event_log_storage.set_concurrency_slots("db-lock", 0)
    kept = keep_queues(instance, one, kept.cursor, 0.0)
    assert (kept.told, pools(instance)) == ((), {"db-lock": 0})
    kept = keep_queues(instance, two, kept.cursor, 0.0)
    assert (kept.told, pools(instance)) == (("pool db-lock: 0 → 2",), {"db-lock": 2})


def test_a_pool_that_the_file_names_no_more_has_no_limit(instance: dg.DagsterInstance) -> None:
    instance.event_log_storage.set_concurrency_slots("somebody-elses", 3)
    kept = keep_queues(instance, Queues(pools={"db-lock": 1}), None, 0.0)
    kept = keep_queues(instance, Queues(), kept.cursor, 0.0)
    assert kept.told == ("pool db-lock: 1 → no limit, as pyproject.toml names it no more",)
    assert pools(instance) == {"somebody-elses": 3}


@pytest.mark.parametrize("cursor", [None, "", "x", "[]", '{"pools": 3}', '{"pools": {"a": "b"}}'])
def test_a_cursor_that_is_none_of_ours_is_as_none(instance: dg.DagsterInstance, cursor: str | None) -> None:
    kept = keep_queues(instance, Queues(pools={"a": 1}), cursor, 0.0)
    assert json.loads(kept.cursor) == {"pools": {"a": 1}}
    assert pools(instance) == {"a": 1}


def test_a_slot_that_is_held_stays_held(instance: dg.DagsterInstance) -> None:
    keep_pools(instance, {"db-lock": 2}, {})
    assert instance.event_log_storage.claim_concurrency_slot("db-lock", "run", "step").is_claimed
    keep_pools(instance, {"db-lock": 1}, {"db-lock": 2})
    assert not instance.event_log_storage.claim_concurrency_slot("db-lock", "other", "step").is_claimed


def test_a_slot_that_nobody_was_given_is_given(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = instance.event_log_storage
    storage.set_concurrency_slots("db-lock", 1)
    assert storage.claim_concurrency_slot("db-lock", "killed", "step").is_claimed
    assert not storage.claim_concurrency_slot("db-lock", "other", "step").is_claimed
    assert give_free_slots(instance) == [], "it is held"
    with monkeypatch.context() as patch:
        # The run worker is killed between the two halves of giving its slot back.
        patch.setattr(type(storage), "assign_pending_steps", lambda *_: None)
        storage.free_concurrency_slot_for_step("killed", "step")
    assert not storage.claim_concurrency_slot("db-lock", "other", "step").is_claimed
    assert give_free_slots(instance) == ["pool db-lock: a slot was free, and a step waited for it"]
    assert storage.claim_concurrency_slot("db-lock", "other", "step").is_claimed
