"""The live table of a running flow, drawn by rich: imported only where there is a terminal to draw on."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping

from rich.console import Console  # noqa: TID253
from rich.live import Live  # noqa: TID253
from rich.table import Table  # noqa: TID253
from rich.text import Text  # noqa: TID253

from flowhub_assets.from_python.progress import pass_on
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.runtime import outcome as told
from flowhub_assets.runtime.outcome import Event, event_text

_STYLES = {
    told.STARTED: "cyan",
    told.RETRYING: "yellow",
    told.SUCCEEDED: "green",
    told.FAILED: "bold red",
    told.SKIPPED: "dim",
    told.KEPT: "green dim",
}
#: Seconds between two drawings while a task prints.
_REFRESH = 0.1
_WORDS = {told.STARTED: "running", "": "waiting", told.KEPT: "kept from the run log"}


class LiveTable:
    """One row for each task: its state, its time, its attempts. What tasks print scrolls by above it."""

    def __init__(self, pipeline: Pipeline, finished: Mapping[str, object]) -> None:
        self._console = Console(stderr=True)
        self._rows = {task.name: told.KEPT if task.name in finished else "" for task in pipeline.tasks}
        self._times: dict[str, float] = {}
        self._began: dict[str, float] = {}
        self._attempts: dict[str, int] = {}
        self._lines: list[Text] = []
        self._shown_at = 0.0
        # No thread of rich's own: it would live on, half, in every forked task.
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
            get_renderable=self._table,
        )
        self._live.start()

    def on_event(self, event: Event) -> None:
        """Shows the event in its task's row; a printed line goes above the table."""
        if event.kind == told.OUTPUT:
            self._take_line(event)
            return
        self._show_lines()
        if event.task in self._rows:  # an item of a loop has no row of its own
            self._rows[event.task] = event.kind
        if event.kind == told.STARTED:
            self._began.setdefault(event.task, time.monotonic())
            self._attempts[event.task] = event.attempt
        elif event.kind in (told.SUCCEEDED, told.FAILED):
            self._times[event.task] = event.seconds
        elif event.kind == told.RETRYING:
            self._console.print(Text(event_text(event), style="yellow"))
        self._live.refresh()

    def close(self) -> None:
        """Leaves the last state of the table on the terminal."""
        self._show_lines()
        self._live.stop()

    def _take_line(self, event: Event) -> None:
        stream = sys.stdout if event.stream == 1 else sys.stderr
        if not stream.isatty():
            pass_on(event)
            return
        line = Text(f"{event.task} | ", style="dim")
        line.append_text(Text.from_ansi(event.line, style="default"))
        self._lines.append(line)
        # The table is drawn anew below what is printed: once for many lines of a task that prints a lot.
        if time.monotonic() - self._shown_at > _REFRESH:
            self._show_lines()

    def _show_lines(self) -> None:
        if self._lines:
            self._console.print(Text("\n").join(self._lines))
            self._lines.clear()
        self._shown_at = time.monotonic()

    def _table(self) -> Table:
        rows = list(self._rows.items())
        table = Table(box=None, pad_edge=False, header_style="bold")
        for title in ("task", "state", "seconds", "attempts"):
            table.add_column(title, justify="right" if title in ("seconds", "attempts") else "left")
        room = max(5, self._console.height - 4)
        for name, state in _most_telling(rows, room):
            attempts = self._attempts.get(name, 0)
            table.add_row(
                Text(name),
                Text(_WORDS.get(state, state), style=_STYLES.get(state, "dim")),
                self._seconds(name, state),
                str(attempts) if attempts > 1 else "",
            )
        if len(rows) > room:
            done = sum(state in (told.SUCCEEDED, told.KEPT) for _, state in rows)
            table.add_row(Text(f"... {len(rows)} tasks", style="dim"), Text(f"{done} done", style="dim"), "", "")
        return table

    def _seconds(self, name: str, state: str) -> str:
        if name in self._times:
            return f"{self._times[name]:.1f}"
        if name in self._began and state in (told.STARTED, told.RETRYING):
            return f"{time.monotonic() - self._began[name]:.1f}"
        return ""


def _most_telling(rows: list[tuple[str, str]], room: int) -> list[tuple[str, str]]:
    """At most ``room`` rows, in their order: what runs or failed first, then what waits, then what is done."""
    urgency = {told.STARTED: 0, told.RETRYING: 0, told.FAILED: 0, "": 1}
    chosen = sorted(range(len(rows)), key=lambda index: (urgency.get(rows[index][1], 2), index))[:room]
    return [rows[index] for index in sorted(chosen)]
