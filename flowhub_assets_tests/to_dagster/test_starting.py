"""What ticks start: a partition that has ended, and one run for each dedupe key, with a reason where nothing starts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dagster import (
    DagsterInstance,
    RunRequest,
    SkipReason,
    build_schedule_context,
    build_sensor_context,
)

from flowhub_assets.errors import InputError
from flowhub_assets.to_dagster.dedupe import dedupe_topic
from flowhub_assets.to_dagster.starting import DEDUPE_TAG, start
from flowhub_assets_tests.workflows import Workflows

PIPELINE = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: told-once}
params: {city: {type: string, default: Seoul}}
%s
nodes:
- {id: note, type: log, inputs: {message: "{{$today}}"}}
"""
KEYED = "dedupe: {key: '{{params.city}}/{{$today}}', lifetime: 1h}\ntrigger: {type: cron, schedule: '@hourly'}"
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


class Ticks:
    """The ticks of a pipeline's triggers at a clock that the test sets."""

    def __init__(self, workflows: Workflows, instance: DagsterInstance, text: str = KEYED) -> None:
        workflows.write("told_once.yaml", PIPELINE % text, head="")
        self.repository = workflows.repository()
        self.pipeline = workflows.flow("told_once").pipeline
        self.instance = instance
        self.now = 1_000_000.0

    def tick(self, by: str = "first", moment: datetime = NOON, **words: Any) -> RunRequest | SkipReason:
        with build_sensor_context(self.instance, repository_def=self.repository) as context:
            started = start(self.pipeline, context, by, moment, clock=lambda: self.now, **words)
        assert not isinstance(started, list)
        return started

    def start_run(self, request: RunRequest) -> str:
        """What the daemon does of a request."""
        job = self.repository.get_job("told_once")
        run = self.instance.create_run_for_job(job, tags=dict(request.tags))
        return run.run_id


def test_the_second_of_a_key_is_skipped_and_told_why(workflows: Workflows, instance: DagsterInstance) -> None:
    ticks = Ticks(workflows, instance)
    first = ticks.tick()
    assert isinstance(first, RunRequest)
    assert first.tags[DEDUPE_TAG] == "Seoul/2026-03-04"
    run_id = ticks.start_run(first)
    for by in ("first", "second"):
        skipped = ticks.tick(by)
        assert isinstance(skipped, SkipReason)
        assert skipped.skip_message == (
            f"run {run_id}, which first has started, holds the key 'Seoul/2026-03-04' until 1970-01-12T14:46:40Z;"
            " to start all the same: flowhub forget told-once Seoul/2026-03-04, or launch it by hand"
        )


def test_another_key_and_the_same_after_its_lifetime_start(workflows: Workflows, instance: DagsterInstance) -> None:
    ticks = Ticks(workflows, instance)
    for moment in (NOON, NOON.replace(day=5)):
        request = ticks.tick(moment=moment)
        assert isinstance(request, RunRequest)
        ticks.start_run(request)
    ticks.now += 3_599
    assert isinstance(ticks.tick(), SkipReason)
    ticks.now += 1
    assert isinstance(ticks.tick(), RunRequest)


def test_a_claim_whose_run_never_came_to_be_is_taken_over(workflows: Workflows, instance: DagsterInstance) -> None:
    ticks = Ticks(workflows, instance)
    assert isinstance(ticks.tick("first"), RunRequest)
    waiting = ticks.tick("second")
    assert isinstance(waiting, SkipReason)
    assert "first, which is starting a run, holds the key" in (waiting.skip_message or "")
    assert isinstance(ticks.tick("first"), RunRequest), "its own tick came to nothing: it is repeated"
    ticks.now += 121
    assert isinstance(ticks.tick("second"), RunRequest)


def test_a_key_is_given_back_by_force(workflows: Workflows, instance: DagsterInstance) -> None:
    from flowhub_assets.store import seen
    from flowhub_assets.store.opened import database_of

    ticks = Ticks(workflows, instance)
    request = ticks.tick()
    assert isinstance(request, RunRequest)
    ticks.start_run(request)
    with database_of(instance).begin() as connection:
        assert seen.drop(connection, dedupe_topic("told-once"), "Seoul/2026-03-04")
    assert isinstance(ticks.tick(), RunRequest)


def test_a_long_key_is_told_by_its_beginning(workflows: Workflows, instance: DagsterInstance) -> None:
    ticks = Ticks(workflows, instance, f"dedupe: {{key: '{'x' * 400}', lifetime: 1h}}")
    request = ticks.tick()
    assert isinstance(request, RunRequest)
    key = request.tags[DEDUPE_TAG]
    assert key.startswith("x" * 100 + "…")
    assert len(key) < 200


def test_a_key_that_cannot_be_made_starts_nothing(workflows: Workflows, instance: DagsterInstance) -> None:
    ticks = Ticks(workflows, instance, "dedupe: {key: '{{params.town}}', lifetime: 1h}")
    with pytest.raises(InputError, match="the key of dedupe cannot be made") as raised:
        ticks.tick()
    assert raised.value.effect == "Nothing was started."


DAILY = "partitions: {every: daily, start: 2026-03-01, timezone: Asia/Seoul}"


def test_a_tick_starts_the_partition_that_has_just_ended(workflows: Workflows, instance: DagsterInstance) -> None:
    ticks = Ticks(workflows, instance, f"{DAILY}\ntrigger: {{type: cron, schedule: '0 6 * * *', timezone: Asia/Seoul}}")
    schedule = ticks.repository.get_schedule_def("told_once_schedule")

    def starts(moment: datetime) -> list[tuple[str | None, str | None]]:
        context = build_schedule_context(instance, scheduled_execution_time=moment, repository_def=ticks.repository)
        return [(one.partition_key, one.run_key) for one in schedule.evaluate_tick(context).run_requests or ()]

    seoul = ZoneInfo("Asia/Seoul")
    assert starts(datetime(2026, 3, 4, 6, tzinfo=seoul)) == [("2026-03-03", "2026-03-03")]
    assert starts(datetime(2026, 3, 2, 0, tzinfo=seoul)) == [("2026-03-01", "2026-03-01")]
    assert starts(datetime(2026, 3, 1, 23, 59, tzinfo=seoul)) == []


def test_before_the_first_has_ended_a_tick_says_so(workflows: Workflows, instance: DagsterInstance) -> None:
    skipped = Ticks(workflows, instance, DAILY).tick(moment=datetime(2026, 3, 1, tzinfo=UTC))
    assert isinstance(skipped, SkipReason)
    assert skipped.skip_message == "no partition has ended yet: the first begins at 2026-03-01 or later"
