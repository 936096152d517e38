"""A Dagster instance of a benchmark's own: settings in a folder, which is DAGSTER_HOME meanwhile."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

SQLITE = "telemetry: {enabled: false}\n"
POSTGRES = SQLITE + "storage: {postgres: {postgres_url: %s}}\n"


@contextlib.contextmanager
def instance_in(home: Path, settings: str) -> Iterator[dg.DagsterInstance]:
    """The instance; ``home`` is made, ``settings`` is the text of its dagster.yaml."""
    home.mkdir()
    (home / "dagster.yaml").write_text(settings, encoding="utf-8")
    before = os.environ.get("DAGSTER_HOME")
    os.environ["DAGSTER_HOME"] = str(home)
    try:
        with dg.DagsterInstance.get() as instance:
            yield instance
    finally:
        os.environ.pop("DAGSTER_HOME")
        if before is not None:
            os.environ["DAGSTER_HOME"] = before
