"""Progress: a live table on a real terminal, plain lines elsewhere, colours only where they are wanted."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

from flowhub_assets.errors import TaskFailed
from flowhub_assets.runtime import outcome
from flowhub_assets.runtime.outcome import Event, event_text
from flowhub_assets_tests.from_python.script_runs import run, write

TWO = """
    import sys
    from flowhub import flow, task

    @task
    def load(args):
        print("loading [bold]values[/bold]", flush=True)
        print("a warning", file=sys.stderr)
        return args

    @task(retries=1)
    def fails(args):
        raise ValueError("no luck")

    @task
    def never(args):
        return args

    @flow
    def main(args):
        return never(fails(load(args)))
"""


def on_a_terminal(script: Path, *arguments: str, stdout_too: bool = True, **environment: str) -> tuple[str, str]:
    """What the terminal shows, and what a piped stdout holds."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    process = subprocess.Popen(
        [sys.executable, script.name, *arguments],
        cwd=script.parent,
        stdin=theirs,
        stdout=theirs if stdout_too else subprocess.PIPE,
        stderr=theirs,
        env={**{key: value for key, value in os.environ.items() if key != "NO_COLOR"}, "TERM": "xterm", **environment},
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            data = os.read(ours, 65536)
        except OSError:
            break
        if not data:
            break
        shown += data
    os.close(ours)
    piped, _ = process.communicate(timeout=60)
    return shown.decode(), (piped or b"").decode()


def test_a_terminal_gets_a_table_with_each_tasks_state(tmp_path: Path) -> None:
    shown, _ = on_a_terminal(write(tmp_path, TWO))
    assert "\x1b[" in shown
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.rpartition("attempts")[2])
    assert re.search(r"load +succeeded +\d+\.\d", last)
    assert re.search(r"fails +failed +\d+\.\d +2", last)
    assert re.search(r"never +skipped", last)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert "load | loading [bold]values[/bold]" in plain
    assert "load | a warning" in plain
    assert "fails will be tried again in" in plain
    assert "ValueError: no luck" in plain
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h"), "the cursor is left hidden"


def test_no_color_is_honoured(tmp_path: Path) -> None:
    shown, _ = on_a_terminal(write(tmp_path, TWO), NO_COLOR="1")
    assert "succeeded" in shown
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", shown)


def test_a_piped_stdout_has_what_the_tasks_printed_and_nothing_else(tmp_path: Path) -> None:
    shown, piped = on_a_terminal(write(tmp_path, TWO), stdout_too=False)
    assert piped == "loading [bold]values[/bold]\n"
    assert "succeeded" in shown


def test_a_dumb_terminal_gets_plain_lines(tmp_path: Path) -> None:
    shown, _ = on_a_terminal(write(tmp_path, TWO), TERM="dumb")
    assert "flowhub: load started" in shown
    assert "\x1b" not in shown


def test_a_log_gets_plain_lines(tmp_path: Path) -> None:
    done = run(write(tmp_path, TWO))
    assert done.stdout == "loading [bold]values[/bold]\n"
    assert "a warning\n" in done.stderr
    lines = [re.sub(r"\d+\.\d s", "? s", line) for line in done.stderr.splitlines() if line.startswith("flowhub: ")]
    assert lines[1:] == [
        "flowhub: load started",
        "flowhub: load succeeded in ? s",
        "flowhub: fails started",
        "flowhub: fails will be tried again in 0 s: task 'fails' failed: ValueError: no luck",
        "flowhub: fails started (attempt 2)",
        "flowhub: fails failed in ? s: task 'fails' failed: ValueError: no luck",
        "flowhub: never skipped",
        "flowhub: main failed after ? s at task fails",
    ]


def test_without_rich_a_terminal_gets_plain_lines(tmp_path: Path) -> None:
    (tmp_path / "rich.py").write_text("raise ImportError('not here')\n")
    shown, _ = on_a_terminal(write(tmp_path, TWO), PYTHONPATH=str(tmp_path))
    assert "flowhub: load started" in shown


def test_a_failure_that_is_tolerated_is_told_as_one() -> None:
    error = TaskFailed("node 'a' failed: ValueError: bad")
    told = event_text(Event(outcome.SUCCEEDED, "a", seconds=0.04, error=error))
    assert told == "a failed in 0.0 s, and the run goes on: node 'a' failed: ValueError: bad"
