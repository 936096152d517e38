"""Events written in batches: the same rows as one by one, in order, and none that has not been told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.base import EventLogStorage

from flowhub_assets.executor import event_batch
from flowhub_assets.executor.event_batch import batched_events
from flowhub_assets_tests.executor import executor_jobs
from flowhub_assets_tests.postgres_server import shared_postgres

__all__ = ["shared_postgres"]

TABLES = {
    "event_logs": "run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition",
    "asset_keys": "asset_key, last_run_id, last_materialization_timestamp",
    "asset_event_tags": "asset_key, key, value, event_timestamp",
    "asset_check_executions": "asset_key, check_name, run_id, execution_status, evaluation_event",
}
CONSOLIDATED = """
event_log_storage:
  module: dagster._core.storage.event_log
  class: ConsolidatedSqliteEventLogStorage
  config: {base_dir: events}
"""
POSTGRES = """
storage:
  postgres:
    postgres_url: %s
"""


@pytest.fixture(params=["sharded", "consolidated", "postgres"])
def instance_at(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], dg.DagsterInstance]]:
    """Makes new, empty instances of one kind of storage."""
    made: list[dg.DagsterInstance] = []

    def make() -> dg.DagsterInstance:
        home = tmp_path / f"home_{len(made)}"
        home.mkdir()
        settings = "telemetry: {enabled: false}\n"
        if request.param == "consolidated":
            settings += CONSOLIDATED.replace("events", str(home / "events"))
        if request.param == "postgres":
            settings += POSTGRES % request.getfixturevalue("shared_postgres").new_database()
        (home / "dagster.yaml").write_text(settings)
        monkeypatch.setenv("DAGSTER_HOME", str(home))
        instance = dg.DagsterInstance.get()
        instance.event_log_storage.wipe()
        made.append(instance)
        return instance

    yield make
    for instance in made:
        instance.dispose()


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> list[EventLogEntry]:
    """The log of a run with materialisations, tags, checks, log lines and Korean text."""
    with dg.DagsterInstance.ephemeral() as instance:
        job = executor_jobs.materialise()
        run_id = job.execute_in_process(instance=instance).run_id
        instance.report_engine_event("한국어 % ' \" \\ {} [x]", job_name="materialise", run_id=run_id)
        return list(instance.all_logs(run_id))


def rows(storage: Any, run_id: str) -> dict[str, list[tuple[Any, ...]]]:
    """All tables, without the numbers that the database gives."""
    told: dict[str, list[tuple[Any, ...]]] = {}
    for place, connect in (("run", lambda: storage.run_connection(run_id)), ("index", storage.index_connection)):
        with connect() as connection:
            for table, columns in TABLES.items():
                order = "ORDER BY id"
                found = connection.exec_driver_sql(f"SELECT {columns} FROM {table} {order}").fetchall()
                told[f"{place} {table}"] = [tuple(row) for row in found]
    return told


def test_the_rows_are_those_that_dagster_writes(
    instance_at: Callable[[], dg.DagsterInstance], entries: list[EventLogEntry]
) -> None:
    run_id = entries[0].run_id
    plain = instance_at()
    for entry in entries:
        plain.event_log_storage.store_event(entry)
    expected = rows(plain.event_log_storage, run_id)
    assert len(expected["run event_logs"]) == len(entries)
    assert len(expected["index asset_keys"]) == 2
    batched = instance_at()
    with batched_events(batched, run_id):
        for entry in entries:
            batched.event_log_storage.store_event(entry)
    assert rows(batched.event_log_storage, run_id) == expected
    for key in ("first_asset", "second_asset"):
        record = batched.get_latest_materialization_event(dg.AssetKey(key))
        assert record is not None
    (first,) = batched.get_asset_records([dg.AssetKey("first_asset")])
    latest = first.asset_entry.last_materialization_record
    assert latest is not None
    (found,) = batched.fetch_materializations(dg.AssetKey("first_asset"), limit=1).records
    assert found.storage_id == latest.storage_id


def test_whoever_reads_through_the_same_instance_finds_what_was_told(
    instance_at: Callable[[], dg.DagsterInstance], entries: list[EventLogEntry]
) -> None:
    instance, run_id = instance_at(), entries[0].run_id
    with batched_events(instance, run_id):
        for count, entry in enumerate(entries, 1):
            instance.event_log_storage.store_event(entry)
            assert len(instance.all_logs(run_id)) == count


def test_others_see_an_event_soon_and_what_is_flushed_at_once(
    instance_at: Callable[[], dg.DagsterInstance], entries: list[EventLogEntry], monkeypatch: pytest.MonkeyPatch
) -> None:
    instance, run_id = instance_at(), entries[0].run_id
    message = entries[-1]
    with dg.DagsterInstance.get() as other, batched_events(instance, run_id) as flush:
        instance.event_log_storage.store_event(message)
        end = time.monotonic() + 60
        while not other.all_logs(run_id):
            assert time.monotonic() < end
            time.sleep(0.01)
        monkeypatch.setattr(event_batch, "_LONGEST", 3600.0)
        for _ in range(5):
            instance.event_log_storage.store_event(message)
        assert len(other.all_logs(run_id)) == 1
        flush()
        assert len(other.all_logs(run_id)) == 6


def test_a_run_status_is_written_at_once_and_after_what_was_told_before(
    instance_at: Callable[[], dg.DagsterInstance], entries: list[EventLogEntry], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_batch, "_LONGEST", 3600.0)
    instance, run_id = instance_at(), entries[0].run_id
    (end,) = (entry for entry in entries if entry.dagster_event_type is dg.DagsterEventType.RUN_SUCCESS)
    with dg.DagsterInstance.get() as other, batched_events(instance, run_id):
        instance.event_log_storage.store_event(entries[-1])
        instance.event_log_storage.store_event(end)
        assert [entry.timestamp for entry in other.all_logs(run_id)] == [entries[-1].timestamp, end.timestamp]


def test_events_of_many_threads_are_all_written_each_threads_in_order(
    instance_at: Callable[[], dg.DagsterInstance], entries: list[EventLogEntry]
) -> None:
    instance, run_id = instance_at(), entries[0].run_id

    def tell(name: str) -> None:
        for number in range(200):
            instance.event_log_storage.store_event(entries[-1]._replace(step_key=name, user_message=str(number)))

    with batched_events(instance, run_id):
        threads = [threading.Thread(target=tell, args=(f"thread_{number}",)) for number in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    logs = instance.all_logs(run_id)
    for number in range(5):
        own = [entry.user_message for entry in logs if entry.step_key == f"thread_{number}"]
        assert own == [str(place) for place in range(200)]


def test_two_runs_share_a_storage_and_the_last_gives_it_back(
    instance_at: Callable[[], dg.DagsterInstance], entries: list[EventLogEntry]
) -> None:
    instance = instance_at()
    before = set(vars(instance.event_log_storage))
    with batched_events(instance, "one"):
        with batched_events(instance, "two"):
            instance.event_log_storage.store_event(entries[-1]._replace(run_id="two"))
        assert len(instance.all_logs("two")) == 1
        instance.event_log_storage.store_event(entries[-1]._replace(run_id="one"))
    assert len(instance.all_logs("one")) == 1
    assert set(vars(instance.event_log_storage)) == before


def test_what_cannot_be_written_fails_the_run_and_is_not_forgotten(
    home: Path, disk: dg.DagsterInstance, entries: list[EventLogEntry], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = entries[0].run_id
    storage: EventLogStorage = disk.event_log_storage
    with pytest.raises(OSError, match="disk full"), batched_events(disk, run_id):
        storage.store_event(entries[-1])
        monkeypatch.setattr(storage, "_event_to_row", _disk_full)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            storage.store_event(entries[-1])
            time.sleep(0.01)
    monkeypatch.undo()
    assert "store_event" not in vars(storage)
    disk.report_engine_event("after", job_name="job", run_id=run_id)


def _disk_full(_event: EventLogEntry) -> dict[str, Any]:
    raise OSError("disk full")


def test_a_storage_of_somebody_elses_is_left_alone(instance: dg.DagsterInstance) -> None:
    before = dict(vars(instance.event_log_storage))
    with batched_events(instance, "run") as flush:
        flush()
        assert vars(instance.event_log_storage).keys() == before.keys()
