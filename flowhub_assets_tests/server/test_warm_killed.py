"""kill -9 of a server that answers a webhook itself: nothing is lost, nothing is there twice, wherever it dies."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest

from flowhub_assets.executor.hybrid import hybrid_executor
from flowhub_assets.server import runs
from flowhub_assets.server.backend import Backend
from flowhub_assets.server.recording import record_answered
from flowhub_assets.store import answers
from flowhub_assets.store.submissions import ANSWERED, ANSWERING, LAUNCHED, RECORDED
from flowhub_assets_tests.server.backends import backend_over
from flowhub_assets_tests.server.killed_warm import SHAPE, STAGES, TRIGGER
from flowhub_assets_tests.server.test_recording import by_dagster, told
from flowhub_assets_tests.server.test_warm import kept, state

BEFORE_THE_RECORD = STAGES[:2]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each stage, as the killed process has left it."""
    folder = tmp_path_factory.mktemp("killed")
    command = [sys.executable, "-m", "flowhub_assets_tests.server.killed_warm", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return folder


def later() -> float:
    """Once the lease is over, and the moment for which a request that is just being answered is left alone."""
    return time.time() + answers.LEASE + runs._GRACE_SECONDS + 1


def look(backend: Backend) -> None:
    """What the next process does, once the time is over for which the killed one was believed to live."""
    backend.runs._clock = later
    assert backend.runs.launch_due() == []
    assert record_answered(backend, later)[1] == []
    assert record_answered(backend, later) == (0, [])


@pytest.mark.parametrize("stage", STAGES)
def test_the_next_process_completes_it(stage: str, killed: Path) -> None:
    base = killed / stage
    run_id = (base / "run_id").read_text()
    with backend_over(base / "pipelines", base, executor=hybrid_executor) as backend:
        assert state(backend, run_id) == (ANSWERING if stage in BEFORE_THE_RECORD else ANSWERED)
        look(backend)
        if stage in BEFORE_THE_RECORD:
            assert state(backend, run_id) == LAUNCHED
            assert [run.run_id for run in backend.instance.get_runs()] == [run_id]
            assert backend.instance.get_runs()[0].status is dg.DagsterRunStatus.QUEUED
            return
        assert state(backend, run_id) == RECORDED
        [run] = backend.instance.get_runs()
        assert (run.run_id, run.status) == (run_id, dg.DagsterRunStatus.SUCCESS)
        assert told(backend.instance, run_id) == told(backend.instance, by_dagster(backend, trigger=TRIGGER))
        made = backend.instance.fetch_materializations(dg.AssetKey(["shop", "words"]), limit=9).records
        assert [one.run_id for one in made].count(run_id) == 1


def test_nobody_else_takes_it_while_the_lease_lasts(tmp_path: Path) -> None:
    SHAPE.write(tmp_path / "pipelines")
    with backend_over(tmp_path / "pipelines", tmp_path, executor=hybrid_executor) as backend:
        submission = kept(backend, "shape", trigger=TRIGGER)
        assert backend.runs.launch_due(all_accepted=True) == []
        assert state(backend, submission.run_id) == ANSWERING
        assert backend.instance.get_runs() == []
