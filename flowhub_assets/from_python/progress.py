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
from flowhub_assets.runtime.outcome import Event


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


def event_text(event: Event) -> str:
    """The event in words."""
    if event.kind == told.STARTED:
        again = f" (attempt {event.attempt})" if event.attempt > 1 else ""
        return f"{event.task} started{again}"
    if event.kind == told.RETRYING:
        reason = event.error.what if event.error else ""
        return f"{event.task} will be tried again in {event.seconds:g} s: {reason}"
    if event.kind == told.SUCCEEDED and event.error is not None:
        return f"{event.task} failed in {event.seconds:.1f} s, and the run goes on: {event.error.what}"
    if event.kind in (told.SUCCEEDED, told.FAILED):
        reason = f": {event.error.what}" if event.error else ""
        return f"{event.task} {event.kind} in {event.seconds:.1f} s{reason}"
    return f"{event.task} {event.kind}: {event.line}" if event.line else f"{event.task} {event.kind}"
