"""An instance on disk for the executor's runs, and what their logs say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DAGSTER_HOME with the default storage."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.setenv("EXECUTOR_TEST_FOLDER", str(tmp_path))
    return home


@pytest.fixture
def disk(home: Path) -> Iterator[dg.DagsterInstance]:
    """The instance of that home."""
    with dg.DagsterInstance.get() as instance:
        yield instance
