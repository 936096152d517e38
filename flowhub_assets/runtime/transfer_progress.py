"""What a person sees of a transfer that takes longer than a few seconds.

A progress bar on a terminal (rich, where it is installed), a line now and then to standard error elsewhere, and
nothing at all for a short transfer.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, Callable, Optional, TextIO

#: Seconds before anything is shown, and between two plain lines.
SHOWN_AFTER = 3.0
LINE_EVERY = 10.0

_MIB = 1024 * 1024


class TransferProgress:
    """Counts bytes from any thread and shows them. ``total`` is in bytes."""

    def __init__(self, label: str, total: int, stream: Optional[TextIO] = None) -> None:
        self._label = label
        self._total = total
        self._stream = stream if stream is not None else sys.stderr
        self._done = 0
        self._started = time.monotonic()
        self._next_line = self._started + SHOWN_AFTER
        self._lock = threading.Lock()
        self._bar: Any = None
        self._bar_task: Any = None

    def advance(self, count: int) -> None:
        """``count`` more bytes have travelled (negative where a part starts again)."""
        with self._lock:
            self._done += count
            if self._bar is not None:
                self._bar.update(self._bar_task, completed=self._done)
            elif time.monotonic() >= self._next_line:
                self._show()

    def close(self) -> None:
        """Ends the display."""
        with self._lock:
            if self._bar is not None:
                self._bar.stop()
                self._bar = None

    def _show(self) -> None:
        now = time.monotonic()
        self._next_line = now + LINE_EVERY
        if self._stream is sys.stderr and self._stream.isatty() and self._start_bar():
            return
        share = 100 * self._done // self._total if self._total else 100
        speed = self._done / _MIB / max(now - self._started, 0.001)
        line = f"{self._label}: {share}% of {self._total / _MIB:,.1f} MiB, {speed:,.1f} MiB/s\n"
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(line)
            self._stream.flush()

    def _start_bar(self) -> bool:
        try:
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
        except ImportError:
            return False
        text = TextColumn("{task.description}", markup=False)
        try:
            self._bar = Progress(
                text, BarColumn(), DownloadColumn(), TransferSpeedColumn(), console=Console(stderr=True), transient=True
            )
            self._bar.start()
        except Exception:  # noqa: BLE001 - another live display (a run's own) already owns the terminal
            self._bar = None
            return False
        self._bar_task = self._bar.add_task(self._label, total=self._total, completed=self._done)
        return True


@contextlib.contextmanager
def transfer_progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yields ``advance(bytes)``; the display ends with the block."""
    progress = TransferProgress(label, total)
    try:
        yield progress.advance
    finally:
        progress.close()
