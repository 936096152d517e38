"""Shipped pipelines run as a user runs them: the script, in a folder of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import flowhub_assets.pipelines
from flowhub_assets.definitions import load
from flowhub_assets.runtime.local import run_pipeline
from flowhub_assets.runtime.outcome import Outcome

PIPELINES = Path(flowhub_assets.pipelines.__path__[0])
FILES = ("workflow.py", "pipeline.yaml")


@dataclass(frozen=True)
class Ran:
    """A finished script: its exit code, what it printed, the run log, and the folder it ran in."""

    code: int
    printed: str
    log: dict[str, dict[str, Any]]
    folder: Path


@pytest.fixture
def run_script(tmp_path: Path) -> Callable[..., Ran]:
    def run(name: str, *options: str) -> Ran:
        done = subprocess.run(
            [sys.executable, str(PIPELINES / name / "workflow.py"), *options],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=100,
        )
        log = tmp_path / "run.json"
        return Ran(
            done.returncode,
            done.stdout + done.stderr,
            json.loads(log.read_text("utf-8")) if log.exists() else {},
            tmp_path,
        )

    return run


@pytest.fixture
def run_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Runs the pipeline by the local runtime, which also tells what its tasks show."""
    monkeypatch.chdir(tmp_path)

    def run(name: str, **given: Any) -> Outcome:
        (path,) = (PIPELINES / name / file for file in FILES if (PIPELINES / name / file).is_file())
        (runnable,) = load(path).runnables
        return run_pipeline(runnable, given)

    return run
