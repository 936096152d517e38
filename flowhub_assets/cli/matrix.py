"""The runs of several partitions that one ``flowhub run`` has started: waits for them, and prints one row for each."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence

import click

from flowhub_assets.cli.access import Access, Begun
from flowhub_assets.cli.exit_codes import CANCELLED, FAILED, INTERRUPTED, SUCCESS, TIMED_OUT, code_of
from flowhub_assets.cli.watching import OutOfTime, wait_until_over
from flowhub_assets.server.run_facts import RunView

#: Of several exit codes the one that is told: the first of these that is among them.
_WORST = (FAILED, CANCELLED, SUCCESS)


def told_and_waited_for_all(access: Access, begun: Sequence[Begun], *, wait: bool, timeout: float | None) -> int:
    """Prints a table of the runs, where it is to wait once all are over; the exit code, of the worst of them.

    stdout has the table; all else is on stderr.
    """
    earlier = sum(not one.is_new for one in begun)
    if earlier:
        click.echo(f"{earlier} of {len(begun)} had been started by the same key already", err=True)
    if not wait:
        _print_table(begun, {})
        return SUCCESS
    click.echo(f"{len(begun)} runs", err=True)
    began, views = time.monotonic(), dict[str, RunView]()
    try:
        for one in begun:
            left = None if timeout is None else max(began + timeout - time.monotonic(), 0)
            wait_until_over(access, one.run_id, left)
            views[one.run_id] = view = access.run(one.run_id)
            click.echo(f"{one.partition}: {view.status}{f': {view.error}' if view.error else ''}", err=True)
    except OutOfTime:
        code, why = TIMED_OUT, f"after {timeout:g} s"
    except KeyboardInterrupt:
        code, why = INTERRUPTED, "all the same"
    else:
        _print_table(begun, views)
        codes = {code_of(view.status) for view in views.values()}
        return next(code for code in _WORST if code in codes)
    _print_table(begun, views)
    click.echo(f"\nThe others go on {why}. See them: flowhub runs. End one: flowhub cancel RUN.", err=True)
    return code


def _print_table(begun: Sequence[Begun], views: Mapping[str, RunView]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in ("partition", "run", *(["status", "seconds"] if views else [])):
        table.add_column(heading, justify="right" if heading == "seconds" else "left", no_wrap=True)
    for one in begun:
        view = views.get(one.run_id)
        ended = (view.status, _seconds(view)) if view is not None else ("", "")
        table.add_row(*map(Text, (one.partition, one.run_id, *(ended if views else ()))))
    # A pipe has no width of its own, and an id that is cut off is none.
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def _seconds(view: RunView) -> str:
    return "" if view.started is None or view.ended is None else f"{view.ended - view.started:.1f}"
