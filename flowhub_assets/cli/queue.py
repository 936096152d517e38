"""``flowhub queue list``: the queues, what runs, what waits and for what."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import click

from flowhub_assets.cli.access import Access, with_access


@click.group()
def queue() -> None:
    """Show the queues that runs wait in."""


@queue.command("list")
@click.option("--limit", type=click.IntRange(1, 1_000), default=20, show_default=True, help="Runs shown of each queue.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@with_access
def list_queues(access: Access, limit: int, as_json: bool) -> None:
    """List the queues: what runs, what waits in which order, and for what."""
    told = access.queues(limit)
    click.echo(json.dumps(told, ensure_ascii=False, indent=2) if as_json else "\n".join(in_words(told, time.time())))


def in_words(told: Mapping[str, Any], now: float) -> Iterator[str]:
    """The lines that show the queues; ``told`` is a QueuesView as JSON."""
    most = "" if told["most_runs"] < 0 else f" of at most {told['most_runs']}"
    yield f"{_runs(told['running_count'])}{most} on, {told['waiting_count']} waiting"
    if told["trouble"]:
        yield f"Nothing starts: {told['trouble']}"
    for one in told["queues"]:
        yield from _queue(one, now)
    for pool in told["pools"]:
        yield from _pool(pool)
    if not any(one["priority"] is not None for one in told["queues"]):
        yield ""
        yield "No queue is named. One more in pyproject.toml: [tool.flowhub.queues.nightly], priority = 10, limit = 1"


def _queue(one: Mapping[str, Any], now: float) -> Iterator[str]:
    yield ""
    limit = "" if one["limit"] is None else f", {_runs(one['limit'])} at a time"
    about = "not in pyproject.toml" if one["priority"] is None else f"priority {one['priority']}{limit}"
    yield f"queue {one['name']} ({about})" if one["name"] else "runs in no queue"
    for run in one["running"]:
        held_up = f"; {run['waits_for']}" if run["waits_for"] else ""
        yield f"  {run['run_id']}  {run['job']}  {run['status']} for {_span(now - run['since'])}{held_up}"
    yield from _more(one["running_count"] - len(one["running"]), "on")
    for place, run in enumerate(one["waiting"], 1):
        raised = "" if run["priority"] == run["own_priority"] else f" (up from {run['own_priority']})"
        waits = f"waits for {_span(now - run['since'])}, priority {run['priority']}{raised}"
        yield f"  {place}. {run['run_id']}  {run['job']}  {waits}: {run['waits_for'] or 'it starts next'}"
    yield from _more(one["waiting_count"] - len(one["waiting"]), "waiting")


def _pool(pool: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    differs = pool["configured"] not in (None, pool["slots"])
    about = f"; pyproject.toml says {pool['configured']}" if differs else ""
    yield f"pool {pool['name']} ({len(pool['held'])} of {pool['slots']} taken{about})"
    yield from (f"  held by step {slot['step']} of run {slot['run_id']}" for slot in pool["held"])
    yield from (f"  step {slot['step']} of run {slot['run_id']} waits" for slot in pool["waiting"])


def _more(number: int, what: str) -> Iterator[str]:
    if number > 0:
        yield f"  … and {number} more {what}"


def _runs(number: int) -> str:
    return "1 run" if number == 1 else f"{number} runs"


def _span(seconds: float) -> str:
    whole = max(0, int(seconds))
    if whole < 120:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 7_200 else f"{whole // 3_600} h"
