"""``flowhub forget``: lists the dedupe keys that are held, and gives one back."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from dagster import DagsterInstance

from flowhub_assets.cli.forget import forget
from flowhub_assets.errors import NotFound
from flowhub_assets.store import seen
from flowhub_assets.store.opened import database_of
from flowhub_assets.to_dagster.dedupe import dedupe_topic


def test_a_key_is_listed_and_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.delenv("FLOWHUB_DATABASE", raising=False)
    now = time.time()
    with DagsterInstance.get() as instance, database_of(instance).begin() as connection:
        for pipeline, key in (("orders", "2026-03-04"), ("other", "x")):
            seen.keep(connection, seen.Seen(dedupe_topic(pipeline), key, now, now + 3_600, "orders_schedule"))
    listed = CliRunner().invoke(forget, ["orders"], catch_exceptions=False)
    assert listed.output.startswith("2026-03-04  until ")
    assert listed.output.endswith("Z, by orders_schedule\n")
    assert listed.output.count("\n") == 1
    given_back = CliRunner().invoke(forget, ["orders", "2026-03-04"], catch_exceptions=False)
    assert given_back.exit_code == 0
    assert CliRunner().invoke(forget, ["orders"], catch_exceptions=False).output == ""
    with pytest.raises(NotFound, match="pipeline 'orders' holds no key '2026-03-04'"):
        CliRunner().invoke(forget, ["orders", "2026-03-04"], catch_exceptions=False)
