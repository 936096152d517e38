"""Servers that outlive who starts them: all of their processes are found and ended, and no other is."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from flowhub_assets.ml.serving import processes
from flowhub_assets.ml.serving.places import write_json

# A server with a worker in a session of its own, as BentoML's are; neither heeds SIGTERM before it is told to.
SERVER = """
import subprocess, sys, time
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print("worker", worker.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    made = tmp_path / "server"
    yield made
    processes.end(made)


def worker_of(folder: Path) -> psutil.Process:
    until = time.monotonic() + 60
    while "worker" not in processes.log_end(folder) and time.monotonic() < until:
        time.sleep(0.02)
    return psutil.Process(int(processes.log_end(folder).split()[1]))


def test_a_server_leads_a_session_of_its_own_and_tells_of_itself(folder: Path) -> None:
    told = processes.start(folder, ["-c", SERVER], {}, port=5)
    assert told["port"] == 5
    assert os.getsid(told["pid"]) == told["pid"]
    assert processes.record(folder) == told
    assert processes.lives(folder)
    assert processes.end(folder) >= 1
    assert not folder.exists()
    assert not processes.lives(folder)


def test_workers_in_other_sessions_end_with_it(folder: Path) -> None:
    processes.start(folder, ["-c", SERVER], {})
    worker = worker_of(folder)
    assert processes.end(folder) == 2
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE


def test_workers_are_found_when_who_started_them_is_gone(folder: Path) -> None:
    told = processes.start(folder, ["-c", SERVER], {})
    worker = worker_of(folder)
    os.kill(told["pid"], signal.SIGKILL)
    until = time.monotonic() + 60
    while processes.lives(folder) and time.monotonic() < until:
        time.sleep(0.02)
    assert not processes.lives(folder)
    assert worker.is_running()
    assert processes.end(folder) == 1
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE


def test_who_does_not_heed_is_killed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_GRACE", 0.5)
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('worker', 0, flush=True); time.sleep(600)"
    processes.start(folder, ["-c", deaf], {})
    until = time.monotonic() + 60
    while not processes.log_end(folder) and time.monotonic() < until:
        time.sleep(0.02)
    assert processes.end(folder) == 1


def test_a_process_that_has_its_number_now_is_not_touched(folder: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        started = psutil.Process(other.pid).create_time()
        write_json(folder / "process.json", {"pid": other.pid, "started": started - 100})
        assert not processes.lives(folder)
        assert processes.end(folder) == 0
        assert other.poll() is None
    finally:
        other.kill()
        other.wait(30)


def test_a_server_is_found_whose_folder_somebody_removed(folder: Path) -> None:
    processes.start(folder, ["-c", SERVER], {})
    worker_of(folder)
    (folder.parent / "other").mkdir()
    assert processes.folders_below(folder.parent) == [folder.parent / "other", folder]
    shutil.rmtree(folder)
    assert processes.folders_below(folder.parent) == [folder.parent / "other", folder]
    assert processes.end(folder) == 2
    assert processes.folders_below(folder.parent / "none") == []


def test_nothing_there_is_no_error(folder: Path) -> None:
    assert processes.end(folder) == 0
    assert processes.record(folder) == {}
    assert processes.log_end(folder) == ""
    assert not processes.lives(folder)


def test_its_environment_has_what_a_program_needs_and_no_credential(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-for-strangers")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "nor-this")
    told = processes.plain_environment(BENTOML_HOME="x")
    assert told["BENTOML_HOME"] == "x"
    assert "PATH" in told
    assert not {"not-for-strangers", "nor-this"} & set(told.values())
