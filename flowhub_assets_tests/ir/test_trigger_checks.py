"""When a pipeline starts by itself."""

from __future__ import annotations

import pytest

from flowhub_assets.ir.checks import problems
from flowhub_assets.ir.triggers import Dedupe, Partitions, Schedule, Trigger
from flowhub_assets_tests.ir.pipelines_as_data import messages, pipeline_of, task_of

DAILY, HOURLY = Schedule(cron="@daily"), Schedule(cron="0 * * * *", timezone="Asia/Seoul")


def _run(**config: object) -> Trigger:
    return Trigger("run", config=config)


def test_several_triggers_are_fine() -> None:
    triggers = (
        Trigger("cron", DAILY),
        Trigger("cron", HOURLY),
        Trigger("interval", Schedule(interval=300)),
        Trigger("webhook", config={"path": "/orders"}),
        Trigger("manual"),
        Trigger("object-arrival", config={"prefix": "in/"}),
        Trigger("asset", config={"assets": ["wines/table", "orders"]}),
        Trigger("model-alias", config={"model": "iris", "alias": "champion"}),
        Trigger("run", config={"pipeline": "ingest"}),
        Trigger("run", config={"pipeline": "ingest", "status": "canceled"}),
    )
    assert messages(pipeline_of(task_of("a"), triggers=triggers)) == []


@pytest.mark.parametrize(
    ("triggers", "message", "remedy"),
    [
        ((Trigger("webhok"),), "a trigger has the type 'webhok'", "did you mean 'webhook'?"),
        ((Trigger("nothing like it"),), "a trigger has the type", "the types are manual, webhook, cron"),
        ((Trigger("cron"),), "a cron trigger has no cron expression", "0 6 * * *"),
        ((Trigger("cron", Schedule(interval=5)),), "a cron trigger has no cron expression", "0 6 * * *"),
        ((Trigger("interval", DAILY),), "an interval trigger has no interval", "every: 5m"),
        ((Trigger("asset"),), "an asset trigger names no asset", "wines/table"),
        ((Trigger("asset", config={"assets": "wines"}),), "an asset trigger names no asset", "wines/table"),
        ((Trigger("asset", config={"assets": ["a b"]}),), "names 'a b', which is no asset's key", "wines/table"),
        ((Trigger("run"),), "a run trigger names no pipeline", "pipeline: ingest"),
        ((Trigger("run", config={"pipeline": 7}),), "a run trigger names no pipeline", "pipeline: ingest"),
        ((_run(pipeline="a", status="lost"),), "a run trigger has the status 'lost'", "write one of success"),
        ((_run(pipeline="a", status="sucess"),), "a run trigger has the status 'sucess'", "did you mean 'success'?"),
        ((_run(pipeline="a", state="failure"),), "a run trigger has 'state'", "did you mean 'status'?"),
        ((_run(pipeline="flow"),), "the pipeline 'flow' is started by its own runs", "another pipeline"),
        ((Trigger("manual", DAILY),), "a manual trigger has a schedule", "of type cron beside it"),
        ((Trigger("cron", Schedule(cron="0 6 * *")),), "schedule '0 6 * *' has 4 fields", "write five"),
        ((Trigger("cron", DAILY), Trigger("cron", DAILY)), "two cron triggers are alike", "leave one"),
        ((Trigger("cron", Schedule(cron="@daily", timezone="Asia/Soul")),), "timezone 'Asia/Soul'", "Asia/Seoul"),
    ],
)
def test_what_is_wrong(triggers: tuple[Trigger, ...], message: str, remedy: str) -> None:
    (problem,) = problems(pipeline_of(task_of("a"), triggers=triggers))
    assert message in problem.what
    assert remedy in problem.remedy


@pytest.mark.parametrize("concurrency", [0, -1, 11])
def test_the_number_of_runs_at_a_time_is_bounded(concurrency: int) -> None:
    (problem,) = problems(pipeline_of(task_of("a"), concurrency=concurrency))
    assert problem.what == f"concurrency={concurrency} is not from 1 to 10"


def test_queues() -> None:
    assert messages(pipeline_of(task_of("a"), queue="nightly-2", concurrency=10)) == []
    for queue in ("", "two words", "-x", "x" * 64):
        (problem,) = problems(pipeline_of(task_of("a"), queue=queue))
        assert problem.what == f"queue {queue!r} is not a word"


@pytest.mark.parametrize("every", ["hourly", "daily", "weekly", "monthly"])
def test_partitions_deadlines_and_keys_are_fine(every: str) -> None:
    asked = Partitions(every, "2024-02-29", "Asia/Seoul")
    told = Dedupe("{{$today}}", 3_600)
    assert messages(pipeline_of(task_of("a"), partitions=asked, deadline=60, freshness=0.5, dedupe=told)) == []


@pytest.mark.parametrize(
    ("field", "value", "message", "remedy"),
    [
        ("partitions", Partitions("dayly", "2026-01-01"), "partitions are 'dayly'", "did you mean 'daily'?"),
        ("partitions", Partitions("yearly", "2026-01-01"), "partitions are 'yearly'", "daily"),
        ("partitions", Partitions("daily", "2026-02-29"), "start at '2026-02-29', which is no date", "2026-01-01"),
        ("partitions", Partitions("daily", "20260201"), "start at '20260201', which is no date", "2026-01-01"),
        ("partitions", Partitions("daily", "2026-01-01T06:00"), "which is no date", "2026-01-01"),
        ("partitions", Partitions("daily", "2026-01-01", "Soul"), "timezone 'Soul' is not known", "Seoul"),
        ("deadline", 0, "deadline is 0 seconds", "30m"),
        ("deadline", float("inf"), "deadline is inf seconds", "30m"),
        ("freshness", -1, "freshness is -1 seconds", "24h"),
        ("dedupe", Dedupe(" ", 60), "the key of dedupe has 1 characters", "{{$today}}"),
        ("dedupe", Dedupe("x" * 501, 60), "the key of dedupe has 501 characters", "{{$today}}"),
        ("dedupe", Dedupe("x", 0), "the lifetime of dedupe is 0 seconds", "1h"),
    ],
)
def test_what_is_wrong_with_what_a_run_is_about(field: str, value: object, message: str, remedy: str) -> None:
    (problem,) = problems(pipeline_of(task_of("a"), **{field: value}))
    assert message in problem.what
    assert remedy in problem.remedy
