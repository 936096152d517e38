"""Checks of when a pipeline starts by itself: its schedule, and its triggers."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from flowhub_assets.ir import cron
from flowhub_assets.ir.alias_checks import MODEL_ALIAS, alias_faults
from flowhub_assets.ir.arrival_checks import arrival_faults
from flowhub_assets.ir.partition_checks import key_faults
from flowhub_assets.ir.pipeline import Pipeline, Source
from flowhub_assets.ir.problem import Problem
from flowhub_assets.ir.spelling import did_you_mean, listed
from flowhub_assets.ir.triggers import Partitions, Schedule, Trigger
from flowhub_assets.ir.webhook_checks import signature_faults, webhook_faults
from flowhub_assets.names import dagster_name

#: What may start a pipeline.
TRIGGERS = ("manual", "webhook", "cron", "interval", "object-arrival", "asset", "run", MODEL_ALIAS)

#: How a run of another pipeline may have ended, for a trigger of type run.
ENDS = ("success", "failure", "canceled")

#: How long a span of time a partition may be.
SPANS = ("hourly", "daily", "weekly", "monthly")

_LONGEST_KEY = 500
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*")


def schedule_is_legal(pipeline: Pipeline) -> Iterator[Problem]:
    """A schedule is a cron expression or an interval, in a timezone that exists."""
    if pipeline.schedule is not None:
        yield from _schedule_faults(pipeline.schedule, pipeline.source)


def _schedule_faults(schedule: Schedule, where: Source) -> Iterator[Problem]:
    if (schedule.cron is None) == (schedule.interval is None):
        remedy = "give a cron expression or an interval"
        yield Problem("a schedule has either a cron expression or an interval", where, remedy=remedy)
    if schedule.cron is not None and (fault := cron.fault(schedule.cron)):
        yield Problem(f"schedule {schedule.cron!r} {fault[0]}", where, "it would never start", fault[1])
    if schedule.interval is not None and not 0 < schedule.interval < math.inf:
        remedy = "write how long lies between two runs: timedelta(hours=1)"
        yield Problem(f"a schedule of every {schedule.interval:g} seconds", where, remedy=remedy)
    yield from _zone_faults(schedule.timezone, where)


def _zone_faults(name: str, where: Source) -> Iterator[Problem]:
    if name == "UTC":
        return
    import zoneinfo  # only schedules outside UTC pay for it

    known = zoneinfo.available_timezones()
    # Slim images ship no zone database: there only the shape of the name can be judged.
    if name in known or (not known and _ZONE.fullmatch(name)):
        return
    by_city = {zone.rpartition("/")[2].lower(): zone for zone in sorted(known) if "/" in zone}
    city = by_city.get(name.lower().replace(" ", "_"))
    hint = f"did you mean {city!r}?" if city else did_you_mean(name, known)
    yield Problem(f"timezone {name!r} is not known", where, remedy=hint or "write an IANA name: 'Asia/Seoul'")


def triggers_are_legal(pipeline: Pipeline) -> Iterator[Problem]:
    """A trigger is of a known kind; those of cron and interval, and no others, have a schedule of that kind."""
    for trigger in pipeline.triggers:
        yield from _trigger_faults(trigger, pipeline.source)
        if trigger.type == "run":
            yield from _run_faults(trigger.config, pipeline)
        if trigger.schedule is not None:
            yield from _schedule_faults(trigger.schedule, pipeline.source)
    timed = [trigger for trigger in pipeline.triggers if trigger.schedule is not None]
    for number, trigger in enumerate(timed):
        if trigger in timed[:number]:
            what, remedy = f"two {trigger.type} triggers are alike", "leave one of them out"
            yield Problem(what, pipeline.source, "each moment would start two runs", remedy)


def _trigger_faults(trigger: Trigger, where: Source) -> Iterator[Problem]:
    kind, schedule = trigger.type, trigger.schedule
    if kind not in TRIGGERS:
        hint = did_you_mean(kind, TRIGGERS) or f"the types are {listed(TRIGGERS)}"
        yield Problem(f"a trigger has the type {kind!r}", where, "it would never start a run", hint)
    elif kind == "cron" and (schedule is None or schedule.cron is None):
        remedy = "write schedule: '0 6 * * *' for each day at six"
        yield Problem("a cron trigger has no cron expression", where, "it would never start a run", remedy)
    elif kind == "interval" and (schedule is None or schedule.interval is None):
        remedy = "write how long lies between two runs: every: 5m"
        yield Problem("an interval trigger has no interval", where, "it would never start a run", remedy)
    elif kind not in ("cron", "interval") and schedule is not None:
        remedy = "leave it out, or make a trigger of type cron beside it"
        yield Problem(f"a {kind} trigger has a schedule", where, "it would have no effect", remedy)
    if kind == "asset":
        yield from _asset_faults(trigger.config.get("assets"), where)
    elif kind == "webhook":
        yield from webhook_faults(trigger.config, where)
    elif kind == "object-arrival":
        yield from signature_faults(trigger.config, where)
        yield from arrival_faults(trigger.config, where)
    elif kind == MODEL_ALIAS:
        yield from alias_faults(trigger.config, where)


def _asset_faults(keys: object, where: Source) -> Iterator[Problem]:
    effect, remedy = "it would never start a run", "name assets by their keys: assets: [wines/table]"
    if not isinstance(keys, (list, tuple)) or not keys:
        yield Problem("an asset trigger names no asset", where, effect, remedy)
        return
    for key in keys:
        if not isinstance(key, str) or not all(re.fullmatch(r"\w+", part, re.ASCII) for part in key.split("/")):
            what = f"an asset trigger names {key!r}, which is no asset's key"
            yield Problem(what, where, effect, "write its parts with / between them: wines/table")


def _run_faults(config: Mapping[str, Any], pipeline: Pipeline) -> Iterator[Problem]:
    where, other, status = pipeline.source, config.get("pipeline"), config.get("status", ENDS[0])
    for key in config:
        if key not in ("pipeline", "status"):
            remedy = did_you_mean(key, ("pipeline", "status")) or "it takes pipeline and status"
            yield Problem(f"a run trigger has {key!r}, which is nothing that it takes", where, remedy=remedy)
    if status not in ENDS:
        remedy = did_you_mean(str(status), ENDS) or f"write one of {listed(ENDS)}"
        yield Problem(f"a run trigger has the status {status!r}", where, "it would never start a run", remedy)
    if not isinstance(other, str) or not other:
        remedy = "name the pipeline whose runs start this one: pipeline: ingest"
        yield Problem("a run trigger names no pipeline", where, "it would never start a run", remedy)
    elif dagster_name(other) == dagster_name(pipeline.name):
        effect, remedy = (
            "each of its runs would start the next, for ever",
            "name another pipeline, or give tasks retries",
        )
        yield Problem(f"the pipeline {pipeline.name!r} is started by its own runs", where, effect, remedy)


def partitions_are_legal(pipeline: Pipeline) -> Iterator[Problem]:
    """Partitions are hourly, daily, weekly or monthly, from a date on, in a timezone that exists; or keys."""
    partitions = pipeline.partitions
    if partitions is not None and partitions.dimensions:
        yield from key_faults(pipeline, partitions)
    elif partitions is not None:
        yield from _partition_faults(partitions, pipeline.source)


def _partition_faults(partitions: Partitions, where: Source) -> Iterator[Problem]:
    if partitions.every not in SPANS:
        hint = did_you_mean(partitions.every, SPANS) or f"write one of {listed(SPANS)}"
        yield Problem(f"partitions are {partitions.every!r}", where, "no run could be told what it is about", hint)
    try:
        if len(partitions.start) != len("2026-01-01"):
            raise ValueError
        datetime.date.fromisoformat(partitions.start)
    except ValueError:
        what = f"partitions start at {partitions.start!r}, which is no date"
        yield Problem(what, where, "nobody could say which is the first", "write the first day: '2026-01-01'")
    yield from _zone_faults(partitions.timezone, where)


def watching_is_legal(pipeline: Pipeline) -> Iterator[Problem]:
    """How long a run may take, and how old the last success may be, are times."""
    for name, seconds, example in (("deadline", pipeline.deadline, "30m"), ("freshness", pipeline.freshness, "24h")):
        if seconds is not None and not 0 < seconds < math.inf:
            what = f"{name} is {seconds:g} seconds"
            yield Problem(what, pipeline.source, "it would be missed at once, or never", f"write a time: {example}")


def dedupe_is_legal(pipeline: Pipeline) -> Iterator[Problem]:
    """A key is a text, and held for some time."""
    dedupe, where = pipeline.dedupe, pipeline.source
    if dedupe is None:
        return
    if not dedupe.key.strip() or len(dedupe.key) > _LONGEST_KEY:
        remedy = f"write a text of 1 to {_LONGEST_KEY} characters, a template if need be: '{{{{$today}}}}'"
        yield Problem(f"the key of dedupe has {len(dedupe.key)} characters", where, remedy=remedy)
    if not 0 < dedupe.lifetime < math.inf:
        what = f"the lifetime of dedupe is {dedupe.lifetime:g} seconds"
        yield Problem(what, where, "no key would ever be held, or given back", "write how long a key is held: 1h")


CHECKS = (schedule_is_legal, triggers_are_legal, partitions_are_legal, watching_is_legal, dedupe_is_legal)
