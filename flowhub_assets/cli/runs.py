"""``flowhub runs``: the newest runs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

import click

from flowhub_assets.cli.access import Access, with_access
from flowhub_assets.server.run_facts import RunView


@click.command()
@click.option("--pipeline", help="Only those of this pipeline.")
@click.option("--status", "statuses", multiple=True, help="Only those that stand so, as QUEUED; may be repeated.")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="How many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object in each line.")
@with_access
def runs(access: Access, pipeline: str | None, statuses: tuple[str, ...], limit: int, as_json: bool) -> None:
    """List the newest runs."""
    found = access.runs(pipeline, [status.upper() for status in statuses], limit)
    if as_json:
        for run in found:
            click.echo(json.dumps(asdict(run), ensure_ascii=False))
        return
    if not found:
        click.echo("There are no such runs.", err=True)
        return
    _print_table(found)


def _print_table(found: Sequence[RunView]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in ("run", "pipeline", "status", "queue", "door", "created", "seconds"):
        table.add_column(heading, justify="right" if heading == "seconds" else "left", no_wrap=True)
    for run in found:
        created = datetime.fromtimestamp(run.created).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        cells = (run.run_id, run.pipeline, run.status, run.queue, run.door, created, _seconds(run))
        table.add_row(*map(Text, cells))
    # A pipe has no width of its own, and an id that is cut off is none.
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def _seconds(run: RunView) -> str:
    if run.started is None:
        return ""
    return f"{(run.ended or time.time()) - run.started:.1f}"
