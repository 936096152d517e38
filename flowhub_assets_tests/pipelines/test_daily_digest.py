"""The digest of a day: the day that is asked for, the same each time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance

from flowhub_assets import definitions
from flowhub_assets.runtime.local import run_pipeline
from flowhub_assets.runtime.partitions import window_of
from flowhub_assets_tests.pipelines.conftest import PIPELINES


def digest_of(day: str) -> Any:
    (runnable,) = definitions.load(PIPELINES / "daily_digest" / "pipeline.yaml").runnables
    partitions = runnable.pipeline.partitions
    assert partitions is not None
    profile = {"WORKSPACE": "./tmp", "partition": window_of(partitions, day)}
    done = run_pipeline(runnable, {}, profile=profile)
    assert done.ok, done.error
    return json.loads(Path(f"tmp/digests/{day}.json").read_text())


def test_each_day_has_its_file_and_a_day_that_is_made_again_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = digest_of("2026-01-31"), digest_of("2026-02-01")
    assert (first["day"], first["from"], first["until"]) == (
        "2026-01-31",
        "2026-01-31T00:00:00+09:00",
        "2026-02-01T00:00:00+09:00",
    )
    assert second["orders"] != first["orders"] or second["total"] != first["total"]
    assert first["total"] >= first["largest"] > 0
    assert digest_of("2026-01-31") == first


def test_in_dagster_the_asset_is_of_that_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instance: DagsterInstance
) -> None:
    monkeypatch.chdir(tmp_path)
    job = definitions.defs.get_job("daily_digest")
    done = job.execute_in_process(instance=instance, partition_key="2026-01-31")
    (made,) = done.get_asset_materialization_events()
    assert (made.asset_key.path if made.asset_key else None, made.partition) == (["digests", "daily"], "2026-01-31")
    assert json.loads((tmp_path / "tmp/digests/2026-01-31.json").read_text()) == digest_of("2026-01-31")
