"""The processes of ``flowhub dev``: none is left, and what one said last is known."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

import pytest

from flowhub_assets.cli.dev_children import Child, end_all

#: Starts a process of its own, says who it is, and waits; SIGINT is not for the latter where it is told so.
PARENT = """
import signal, subprocess, sys, time
inner = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN if {stubborn} else signal.SIG_DFL)\\n"
inner += "print('inner', flush=True); time.sleep(600)"
signal.signal(signal.SIGINT, signal.SIG_DFL)
subprocess.Popen([sys.executable, "-c", inner])
time.sleep(600)
"""


def child(code: str) -> Child:
    return Child("it", [sys.executable, "-c", code], dict(os.environ))


def wait(until: Callable[[], object]) -> None:
    last = time.monotonic() + 60
    while not until():
        assert time.monotonic() < last
        time.sleep(0.02)


def is_left(one: Child) -> bool:
    try:
        os.killpg(one._process.pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_child_ends_with_all_of_its_own(stubborn: bool, capfd: pytest.CaptureFixture[str]) -> None:
    one = child(PARENT.format(stubborn=stubborn))
    wait(lambda: "inner" in one.last_lines())
    assert is_left(one)
    end_all([one], grace=0.5 if stubborn else 60)
    assert not is_left(one)
    assert one.exit_code is not None
    assert "inner" in capfd.readouterr().err


def test_the_last_lines_of_a_child_are_kept() -> None:
    one = child("import sys\nfor n in range(100): print('line', n)\nprint('worst', file=sys.stderr)\nsys.exit(3)")
    wait(lambda: one.exit_code is not None)
    lines = one.last_lines().splitlines()
    assert lines[-2:] == ["line 99", "worst"]
    assert len(lines) == 25
    assert one.exit_code == 3
    end_all([one])


def test_children_end_side_by_side() -> None:
    both = [child("print('up', flush=True)\nimport time; time.sleep(600)") for _ in range(2)]
    wait(lambda: all("up" in one.last_lines() for one in both))
    end_all(both)
    assert not any(map(is_left, both))
