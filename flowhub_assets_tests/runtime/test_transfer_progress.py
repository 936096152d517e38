from __future__ import annotations

import io
import threading

import pytest

from flowhub_assets.runtime import transfer_progress
from flowhub_assets.runtime.transfer_progress import TransferProgress


def test_a_short_transfer_shows_nothing() -> None:
    stream = io.StringIO()
    progress = TransferProgress("upload a", 100, stream)
    for _ in range(100):
        progress.advance(1)
    progress.close()
    assert stream.getvalue() == ""


def test_a_long_one_shows_plain_lines_outside_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer_progress, "SHOWN_AFTER", 0.0)
    stream = io.StringIO()
    progress = TransferProgress("upload a", 4 << 20, stream)
    threads = [threading.Thread(target=progress.advance, args=(1 << 20,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    progress.close()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("upload a: 25% of 4.0 MiB, ")


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(transfer_progress, "SHOWN_AFTER", 0.0)
    monkeypatch.setattr("sys.stderr", Terminal())
    import sys

    progress = TransferProgress("upload [bold]a", 4 << 20)
    for _ in range(4):
        progress.advance(1 << 20)
    progress.close()
    assert isinstance(sys.stderr, Terminal)
    assert "upload [bold]a" in sys.stderr.getvalue()


def test_a_stream_that_is_closed_does_not_stop_the_transfer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer_progress, "SHOWN_AFTER", 0.0)
    stream = io.StringIO()
    stream.close()
    TransferProgress("upload a", 10, stream).advance(5)
