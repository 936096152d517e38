"""A pipeline with partitions, started by a door: about the partition that ended last, or the one that is named."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import grpc
import httpx
import pytest
from click.testing import CliRunner, Result

from flowhub_assets.cli.__main__ import flowhub
from flowhub_assets.cli.access import Order
from flowhub_assets.cli.local import LocalAccess
from flowhub_assets.errors import Conflict, ParamsRefused
from flowhub_assets.ir.triggers import Partitions
from flowhub_assets.runtime.partitions import last_ended
from flowhub_assets.server.backend import Backend
from flowhub_assets.server.rpc.flowhub.v1 import flowhub_pb2 as pb
from flowhub_assets.server.runs import StartRequest
from flowhub_assets_tests.server.backends import GREET, backend_over, served
from flowhub_assets_tests.server.rpc.rpc_servers import SECONDS, refused, stub_over

BY_MONTH = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: by-month}
partitions: {every: monthly, start: "2026-01-01", timezone: Asia/Seoul}
nodes:
  - {id: say, type: log, inputs: {message: "{{$partition.key}}"}}
"""

#: A pipeline, a partition that it cannot be about, and what is said of it.
WRONG = (("by-month", "2026-02-02", "is no partition"), ("greet", "2026-02-01", "has no partitions"))


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    folder = tmp_path_factory.mktemp("pipelines")
    (folder / "by_month.yaml").write_text(BY_MONTH)
    (folder / "greet.yaml").write_text(GREET)
    with backend_over(folder, tmp_path_factory.mktemp("base")) as backend:
        yield backend


def partition_of(backend: Backend, run_id: str) -> str | None:
    run = backend.instance.get_run_by_id(run_id)
    assert run is not None
    return run.tags.get("dagster/partition")


def ended_last() -> str:
    last = last_ended(Partitions("monthly", "2026-01-01", "Asia/Seoul"), datetime.now(UTC))
    assert last is not None
    return last["key"]


def test_a_door_starts_a_partition(backend: Backend) -> None:
    def started(partition: str | None, pipeline: str = "by-month") -> str | None:
        asked = StartRequest(pipeline, partition=partition)
        return partition_of(backend, backend.runs.start(asked).run_id)

    assert started(None) == ended_last()
    assert started("2026-02-01") == "2026-02-01"
    assert started(None, "greet") is None
    before = backend.instance.get_runs_count()
    for pipeline, key, what in WRONG:
        with pytest.raises(ParamsRefused, match=what) as raised:
            started(key, pipeline)
        assert [field for field, _, _ in raised.value.fields] == ["partition"]
    assert backend.instance.get_runs_count() == before


def test_a_key_is_of_one_partition(backend: Backend) -> None:
    january = StartRequest("by-month", partition="2026-01-01", key="january")
    first = backend.runs.start(january)
    assert backend.runs.start(january).run_id == first.run_id
    with pytest.raises(Conflict, match="'january'"):
        backend.runs.start(StartRequest("by-month", partition="2026-02-01", key="january"))


def test_http_takes_a_partition(backend: Backend) -> None:
    with served(backend) as url, httpx.Client(base_url=f"{url}/api/v1/pipelines", timeout=60) as client:
        answer = client.post("/by-month/runs", json={"partition": "2026-03-01"})
        assert answer.status_code == 202
        assert partition_of(backend, answer.json()["run_id"]) == "2026-03-01"
        for pipeline, key, what in WRONG:
            told = client.post(f"/{pipeline}/runs", json={"partition": key})
            assert told.status_code == 422
            assert [error["pointer"] for error in told.json()["errors"]] == ["partition"]
            assert what in told.json()["detail"]


def test_grpc_takes_a_partition(backend: Backend) -> None:
    with stub_over(backend) as stub:
        request = pb.SubmitRunRequest(pipeline="by-month", partition="2026-04-01")
        answer: Any = stub.SubmitRun(request, timeout=SECONDS)
        assert partition_of(backend, answer.run_id) == "2026-04-01"
        for pipeline, key, _ in WRONG:
            with refused(grpc.StatusCode.INVALID_ARGUMENT) as told:
                stub.SubmitRun(pb.SubmitRunRequest(pipeline=pipeline, partition=key), timeout=SECONDS)
            assert [one.field for one in told["BadRequest"].field_violations] == ["partition"]


def test_the_command_line_takes_a_partition_here_and_over_a_server(backend: Backend) -> None:
    here = LocalAccess(backend).start(Order("by-month", partition="2026-06-01"))[0]
    assert partition_of(backend, here.run_id) == "2026-06-01"

    def verb(url: str, *words: str) -> Result:
        return CliRunner().invoke(flowhub, ["run", *words], env={"FLOWHUB_URL": url})

    with served(backend) as url:
        begun = verb(url, "by-month", "--partition", "2026-05-01")
        assert begun.exit_code == 0, begun.output
        assert partition_of(backend, begun.stdout.strip()) == "2026-05-01"
        for pipeline, key, what in WRONG:
            told = verb(url, pipeline, "--partition", key)
            assert told.exit_code == 2
            assert what in told.stderr
