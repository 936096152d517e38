"""Fixtures that the tests of several rooms share."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from flowhub_assets_tests.order import longest_first

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from flowhub_assets_tests.workflows import Workflows

# Tests of models train in this process and fork steps from it. A library's pool of threads is not there in a child,
# which would wait for it for ever (XGBoost does); one thread needs no pool. It is read when the library is loaded.
os.environ["OMP_NUM_THREADS"] = "1"

# A shell that runs this in the background has SIGINT ignored, here and in all that is started here: Ctrl-C is tested.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No test is held to a time: a machine that does other things as well is slow now and then.
settings.register_profile("flowhub", deadline=None)
settings.load_profile("flowhub")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long begin first: pytest-xdist hands them out in this order."""
    items[:] = [items[number] for number in longest_first(item.path for item in items)]


def pytest_collection_finish() -> None:
    """The collector looks no more at what all tests share: neither here nor in the many processes that are forked."""
    gc.collect()
    gc.freeze()


# Dagster is imported inside the fixtures: tests of rows 1 to 4 do not pay for it.


@pytest.fixture
def workflows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workflows:
    """An empty folder for workflow files; the test's working directory is a fresh one, so ./tmp lies there."""
    from flowhub_assets_tests.workflows import Workflows

    for name in ("FLOWHUB_ENV", "FLOWHUB_PIPELINES", "FLOWHUB_DATABASE", "FLOWHUB_ALERTS", "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "yes")
    monkeypatch.chdir(tmp_path)
    return Workflows(tmp_path / "workflows")


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    """A Dagster instance in memory."""
    from dagster import DagsterInstance

    with DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def instance_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DagsterInstance]:
    """A Dagster instance in tmp_path/home, of which other processes can be told."""
    from dagster import DagsterInstance

    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "yes")
    with DagsterInstance.local_temp(str(home), overrides={"telemetry": {"enabled": False}}) as instance:
        yield instance
