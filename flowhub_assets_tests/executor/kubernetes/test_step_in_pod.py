"""The first process of a step's pod: ends as its command does, and takes SIGTERM in its place."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flowhub_assets_tests.kubernetes.fixtures import until

#: As Dagster's process: what it does on SIGTERM would be seen; its task, a process of its own, has a finally block.
DAGSTER = """
import signal, subprocess, sys
from pathlib import Path
folder = Path(sys.argv[1])
signal.signal(signal.SIGTERM, lambda *_: (folder / "told").touch())
task = subprocess.Popen([sys.executable, "-c", sys.argv[2], str(folder)])
task.wait()
(folder / "went on").touch()
"""
TASK = """
import signal, sys, time
from pathlib import Path
def stop(*_): raise SystemExit
signal.signal(signal.SIGTERM, stop)
try:
    (Path(sys.argv[1]) / "begun").touch()
    time.sleep(600)
finally:
    (Path(sys.argv[1]) / "tidied").touch()
"""


def started(*command: str) -> subprocess.Popen[bytes]:
    module = "flowhub_assets.executor.kubernetes.step_in_pod"
    return subprocess.Popen([sys.executable, "-m", module, sys.executable, *command], start_new_session=True)


@pytest.mark.parametrize(
    ("script", "code"),
    [("pass", 0), ("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 9)", 128 + 9)],
)
def test_it_ends_as_its_command_does(script: str, code: int) -> None:
    assert started("-c", script).wait(60) == code


def test_on_sigterm_tasks_may_tidy_up_and_dagster_writes_nothing(tmp_path: Path) -> None:
    process = started("-c", DAGSTER, str(tmp_path), TASK)
    until((tmp_path / "begun").exists)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 128 + signal.SIGTERM
    assert {one.name for one in tmp_path.iterdir()} == {"begun", "tidied"}
