"""A run that leaves nothing behind but what it tells, and is told to Dagster afterwards, also by a second process."""

# No "from __future__ import annotations": Dagster reads the annotation of ``context`` as a type.
import uuid
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from flowhub_assets.executor.dagster_records import (
    RecordingInstance,
    events_of_text,
    has_succeeded,
    is_written,
    run_of,
    take_away,
    text_of_events,
    write_events,
    writing,
)
from flowhub_assets.executor.hybrid import hybrid_executor
from flowhub_assets.executor.placement import LIGHT, PLACEMENT_TAG


@dg.op(tags={PLACEMENT_TAG: LIGHT}, config_schema={"fails": dg.Field(bool, default_value=False)})
def speak(context: dg.OpExecutionContext) -> None:
    """Says something, in both ways."""
    context.log.info("한국어")
    print("printed")
    if context.op_config["fails"]:
        raise ValueError("as asked")


@dg.job(executor_def=hybrid_executor)
def speech() -> None:
    speak()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def carried_out(instance: dg.DagsterInstance, *, fails: bool = False) -> tuple[str, list[dg.EventLogEntry]]:
    run_id = str(uuid.uuid4())
    config = {"ops": {"speak": {"config": {"fails": fails}}}}
    return run_id, RecordingInstance(instance).run(speech, run_of(speech, run_id, config, {"who": "test"}))


def printed(instance: dg.DagsterInstance, run_id: str) -> str:
    [entry] = instance.all_logs(run_id, of_type=dg.DagsterEventType.LOGS_CAPTURED)
    file_key = entry.get_dagster_event().logs_captured_data.file_key
    log_key = instance.compute_log_manager.build_log_key_for_run(run_id, file_key)
    return (instance.compute_log_manager.get_log_data(log_key).stdout or b"").decode()


def test_a_run_is_told_and_stored_nowhere(instance: dg.DagsterInstance) -> None:
    run_id, events = carried_out(instance)
    assert has_succeeded(events)
    assert "한국어" in [event.message for event in events]
    assert instance.get_runs() == []
    assert instance.all_logs(run_id) == []


def test_a_failure_is_told_not_raised(instance: dg.DagsterInstance) -> None:
    _, events = carried_out(instance, fails=True)
    assert not has_succeeded(events)
    assert "as asked" in str([event.dagster_event for event in events])


def test_a_run_without_its_end_is_none(instance: dg.DagsterInstance) -> None:
    _, events = carried_out(instance)
    with pytest.raises(RuntimeError, match="not its end"):
        has_succeeded(events[:-1])


def test_what_is_written_is_what_was_told(instance: dg.DagsterInstance) -> None:
    run_id, events = carried_out(instance)
    assert events_of_text(text_of_events(events)) == events
    instance.create_run_for_job(speech, run_id=run_id)
    assert not is_written(instance, run_id, events)
    with writing(instance, [run_id]):
        write_events(instance, events)
    assert list(instance.all_logs(run_id)) == events
    run = instance.get_run_by_id(run_id)
    assert run is not None
    assert run.status is dg.DagsterRunStatus.SUCCESS
    assert printed(instance, run_id) == "printed\n"


def test_who_was_killed_before_the_status_is_followed_up(instance: dg.DagsterInstance) -> None:
    run_id, events = carried_out(instance, fails=True)
    instance.create_run_for_job(speech, run_id=run_id)
    for event in events:
        instance.event_log_storage.store_event(event)
    assert is_written(instance, run_id, events)
    run = instance.get_run_by_id(run_id)
    assert run is not None
    assert run.status is dg.DagsterRunStatus.FAILURE


def test_half_a_run_is_taken_away_whole(instance: dg.DagsterInstance) -> None:
    run_id, events = carried_out(instance)
    instance.create_run_for_job(speech, run_id=run_id)
    write_events(instance, events[:5])
    assert not is_written(instance, run_id, events)
    take_away(instance, run_id)
    assert instance.get_runs() == []
    assert instance.all_logs(run_id) == []
