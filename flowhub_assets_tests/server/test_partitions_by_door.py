"""A pipeline with partitions, started by a door: about the partition that ended last, or the one that is named."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from flowhub_assets.errors import ParamsRefused
from flowhub_assets.ir.triggers import Partitions
from flowhub_assets.runtime.partitions import last_ended
from flowhub_assets.server.runs import StartRequest
from flowhub_assets_tests.server.backends import backend_over

BY_MONTH = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: by-month}
partitions: {every: monthly, start: "2026-01-01", timezone: Asia/Seoul}
nodes:
  - {id: say, type: log, inputs: {message: "{{$partition.key}}"}}
"""


def test_a_door_starts_a_partition(tmp_path: Path) -> None:
    folder = tmp_path / "pipelines"
    folder.mkdir()
    (folder / "by_month.yaml").write_text(BY_MONTH)
    with backend_over(folder, tmp_path) as backend:

        def partition_of(**tags: str) -> str | None:
            started = backend.runs.start(StartRequest("by-month", tags=tags))
            run = backend.instance.get_run_by_id(started.run_id)
            assert run is not None
            return run.tags.get("dagster/partition")

        last = last_ended(Partitions("monthly", "2026-01-01", "Asia/Seoul"), datetime.now(UTC))
        assert last is not None
        assert partition_of() == last["key"]
        assert partition_of(**{"dagster/partition": "2026-02-01"}) == "2026-02-01"
        with pytest.raises(ParamsRefused, match="is no partition"):
            partition_of(**{"dagster/partition": "2026-02-02"})
