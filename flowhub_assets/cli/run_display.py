"""What a watched run shows: a live table of its steps where there is a terminal, plain lines elsewhere. On stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

import click

from flowhub_assets.server.run_facts import LOG, RunEvent, RunView, StepView

if TYPE_CHECKING:
    from rich.table import Table

#: Events that are worth a line: Dagster's name → a verb.
_TOLD = {
    "RUN_ENQUEUED": "waits in the queue",
    "RUN_START": "started",
    "RUN_SUCCESS": "succeeded",
    "RUN_FAILURE": "failed",
    "RUN_CANCELING": "is being cancelled",
    "RUN_CANCELED": "was cancelled",
    "STEP_START": "started",
    "STEP_RESTARTED": "started again",
    "STEP_SUCCESS": "succeeded",
    "STEP_FAILURE": "failed",
    "STEP_SKIPPED": "skipped",
    "STEP_UP_FOR_RETRY": "will be tried again",
}
_STYLES = {
    "IN_PROGRESS": "cyan",
    "STARTED": "cyan",
    "SUCCESS": "green",
    "FAILURE": "bold red",
    "CANCELED": "yellow",
    "SKIPPED": "dim",
    "WAITING": "dim",
    "QUEUED": "dim",
}


class Display(Protocol):
    """A context; what happens is handed to it."""

    def __enter__(self) -> Display: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def on_view(self, view: RunView) -> None:
        """How the run stands."""

    def on_event(self, event: RunEvent) -> None:
        """What happened."""


def display() -> Display:
    """For this process's stderr."""
    return LiveDisplay() if sys.stderr.isatty() else PlainDisplay()


def event_line(event: RunEvent, *, alone: bool = False) -> str:
    """One line for people, "" for what is not worth one. Where one step is shown ``alone``, its name is left out."""
    if event.kind == LOG:
        return event.message if alone or not event.step else f"{event.step} | {event.message}"
    verb = _TOLD.get(event.kind)
    if verb is None:
        return ""
    again = f" (attempt {event.attempt})" if event.attempt > 1 else ""
    reason = _reason(event) if event.kind in ("STEP_FAILURE", "RUN_FAILURE", "STEP_UP_FOR_RETRY") else ""
    return f"{event.step or 'run'} {verb}{again}{reason}"


def _reason(event: RunEvent) -> str:
    last = event.message.strip().splitlines()[-1] if event.message.strip() else ""
    return f": {last}" if last else ""


class PlainDisplay:
    """A line for each event, as for a log."""

    def __enter__(self) -> Display:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is left to show."""

    def on_view(self, view: RunView) -> None:
        """The events say it."""

    def on_event(self, event: RunEvent) -> None:
        """Its line."""
        line = event_line(event)
        if line:
            click.echo(line, err=True)


class LiveDisplay:
    """A row for each step, below the lines that tasks print."""

    def __init__(self, **console: Any) -> None:
        from rich.console import Console
        from rich.live import Live

        self._view: RunView | None = None
        self._console = Console(stderr=True, **console)
        self._live = Live(console=self._console, auto_refresh=False, get_renderable=self._table)

    def __enter__(self) -> Display:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.refresh()
        self._live.stop()

    def on_view(self, view: RunView) -> None:
        """The table as it stands now."""
        self._view = view
        self._live.refresh()

    def on_event(self, event: RunEvent) -> None:
        """A printed line, or a failure, goes above the table."""
        from rich.text import Text

        if event.kind in (LOG, "STEP_FAILURE", "STEP_UP_FOR_RETRY"):
            style = "" if event.kind == LOG else "red"
            self._console.print(Text(event_line(event), style=style))

    def _table(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        view = self._view
        status = "" if view is None else view.status
        name = "" if view is None else f"{view.pipeline} {view.run_id}: "
        table = Table(title=Text(f"{name}{status}", style=_STYLES.get(status, "")), title_justify="left")
        for heading in ("step", "status", "attempt", "seconds"):
            table.add_column(heading, justify="right" if heading in ("attempt", "seconds") else "left")
        for step in () if view is None else view.steps:
            row = _row(step, time.time())
            table.add_row(*(Text(cell, style=_STYLES.get(step.status, "")) for cell in row.values()))
        return table


def _row(step: StepView, now: float) -> Mapping[str, str]:
    seconds = "" if step.started is None else f"{max(0.0, (step.ended or now) - step.started):.1f}"
    attempt = str(step.attempt) if step.attempt else ""
    return {"step": step.step, "status": step.status.lower(), "attempt": attempt, "seconds": seconds}
