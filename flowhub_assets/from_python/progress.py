"""What a script shows while it runs: on a terminal a live table, elsewhere plain lines.

All of it goes to stderr; what the tasks print goes to stdout and stderr as they wrote it, so that a
script's output can be piped.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Protocol

from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.runtime import outcome as told
from flowhub_assets.runtime.outcome import Event, event_text


class Progress(Protocol):
    """Hears of each event of a run; ``close`` leaves the terminal as it was."""

    def on_event(self, event: Event) -> None:
        """Shows what has happened."""

    def close(self) -> None:
        """Ends the display."""


def progress_for(pipeline: Pipeline, finished: Mapping[str, object]) -> Progress:
    """A live table if stderr is a terminal and rich is there, else plain lines."""
    if sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        try:
            from flowhub_assets.from_python.live_table import LiveTable
        except ImportError:
            return PlainLines()
        return LiveTable(pipeline, finished)
    return PlainLines()


class PlainLines:
    """One line for each change, as logs want it."""

    def on_event(self, event: Event) -> None:
        """Prints the event's line."""
        if event.kind == told.OUTPUT:
            pass_on(event)
        elif event.kind != told.WAITING:
            print(f"flowhub: {event_text(event)}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Nothing is left to end."""


def pass_on(event: Event) -> None:
    """Writes a line that a task printed to the stream that it printed it to."""
    stream = sys.stdout if event.stream == 1 else sys.stderr
    print(event.line, file=stream, flush=True)
