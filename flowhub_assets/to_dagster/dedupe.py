"""Dedupe keys: what starts by itself starts once for each, for some time; a skip says which run holds the key.

A key is claimed in our own database before Dagster makes the run, so that of two triggers at one moment one starts it.
A claim whose run never came to be, because the daemon died in between, is taken over.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime

from dagster import DagsterInstance, RunsFilter

from flowhub_assets.errors import InputError
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.ir.triggers import Dedupe
from flowhub_assets.names import dagster_name
from flowhub_assets.nodes.expressions.problem import TemplateProblem
from flowhub_assets.nodes.expressions.templates import render
from flowhub_assets.nodes.scope import DEDUPE_NAMES
from flowhub_assets.store import seen
from flowhub_assets.store.opened import database_of
from flowhub_assets.store.seen import Seen
from flowhub_assets.to_dagster.starting import DEDUPE_TAG

#: After so many seconds a claim has its run, or will never have one.
_SECONDS_TO_START = 120.0
#: By so much the clocks of the database and of this process may differ.
_SECONDS_OF_CLOCKS = 5.0
_LONGEST_KEY = 200


def dedupe_topic(pipeline: str) -> str:
    """Under which topic the keys of a pipeline are kept."""
    return f"dedupe/{pipeline}"[:_LONGEST_KEY]


def key_of(pipeline: Pipeline, dedupe: Dedupe, moment: datetime, partition: Mapping[str, str] | None) -> str:
    """The key at that moment. Raises InputError for one that cannot be made."""
    scope = {
        "params": pipeline.params,
        "variables": pipeline.variables,
        "$now": moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "$today": moment.date().isoformat(),
        "$pipeline": pipeline.name,
        "$partition": partition,
    }
    try:
        key = str(render(dedupe.key, scope, DEDUPE_NAMES))
    except TemplateProblem as problem:
        raise InputError(
            f"the key of dedupe cannot be made: {problem.what}",
            where=pipeline.source,
            effect="Nothing was started.",
            remedy=problem.remedy,
        ) from None
    # It is a tag of the run: a long one is told by its beginning.
    if len(key) <= _LONGEST_KEY:
        return key
    return f"{key[:100]}…{hashlib.sha256(key.encode()).hexdigest()[:32]}"


def claim(pipeline: Pipeline, dedupe: Dedupe, key: str, instance: DagsterInstance, by: str, now: float) -> str:
    """Claims the key for ``by``: "" if it is its own now, else why nothing is to be started. Raises Unavailable."""
    mine = Seen(dedupe_topic(pipeline.name), key, now, now + dedupe.lifetime, by)
    with database_of(instance).begin() as connection:
        held = seen.find(connection, mine.topic, key, now)
        run_id = _run_of(pipeline, instance, held) if held is not None else None
        if held is not None and (run_id or (held.detail != by and now - held.time < _SECONDS_TO_START)):
            return _told(pipeline, held, run_id)
        seen.forget(connection, now)
        seen.keep(connection, mine)
    return ""


def _run_of(pipeline: Pipeline, instance: DagsterInstance, held: Seen) -> str | None:
    """The run that was started when the key was claimed."""
    filters = RunsFilter(job_name=dagster_name(pipeline.name), tags={DEDUPE_TAG: held.key})
    records = instance.get_run_records(filters, limit=1)
    # An older run had the key in an earlier lifetime.
    if records and records[0].create_timestamp.timestamp() >= held.time - _SECONDS_OF_CLOCKS:
        return records[0].dagster_run.run_id
    return None


def _told(pipeline: Pipeline, held: Seen, run_id: str | None) -> str:
    until = datetime.fromtimestamp(held.expires, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    holder = f"run {run_id}, which {held.detail} has started," if run_id else f"{held.detail}, which is starting a run,"
    force = f"flowhub forget {pipeline.name} {shlex.quote(held.key)}"
    return f"{holder} holds the key {held.key!r} until {until}; to start all the same: {force}, or launch it by hand"
