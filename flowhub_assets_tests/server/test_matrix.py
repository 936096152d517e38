"""A pattern of partitions by keys, by every door: a run for each cell, all or none of them, each once for a key."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest
from click.testing import CliRunner, Result

from flowhub_assets.cli.__main__ import flowhub
from flowhub_assets.cli.access import Order
from flowhub_assets.cli.local import LocalAccess
from flowhub_assets.errors import Conflict, ParamsRefused
from flowhub_assets.server.backend import Backend
from flowhub_assets.server.matrix import start_each
from flowhub_assets.server.rpc.flowhub.v1 import flowhub_pb2 as pb
from flowhub_assets.server.runs import StartRequest
from flowhub_assets.store import submissions
from flowhub_assets_tests.server.backends import backend_over, served
from flowhub_assets_tests.server.rpc.rpc_servers import SECONDS, refused, stub_over

TRAINING = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: training}
partitions: {model: [xgboost, lightgbm], data_set: [iris, wine]}
params: {trees: {type: integer, minimum: 1, default: 10}}
nodes:
  - {id: say, type: log, inputs: {message: "{{$partition.key}}"}}
"""
BY_DAY = TRAINING.replace("{model: [xgboost, lightgbm], data_set: [iris, wine]}", "{every: daily, start: 2026-01-01}")
ALL = ["iris|xgboost", "iris|lightgbm", "wine|xgboost", "wine|lightgbm"]


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    folder = tmp_path_factory.mktemp("pipelines")
    (folder / "training.yaml").write_text(TRAINING)
    (folder / "by_day.yaml").write_text(BY_DAY.replace("name: training", "name: by-day"))
    with backend_over(folder, tmp_path_factory.mktemp("base")) as backend:
        yield backend


def partition_tags_of(backend: Backend, run_id: str) -> dict[str, str]:
    run = backend.instance.get_run_by_id(run_id)
    assert run is not None
    return {key: value for key, value in run.tags.items() if key.startswith("dagster/partition")}


def test_each_cell_that_a_pattern_means_gets_a_run(backend: Backend) -> None:
    cells = start_each(backend, StartRequest("training", {"trees": 3}, partition="iris|*"))
    assert [cell.partition for cell in cells] == ALL[:2]
    assert all(cell.started.is_new for cell in cells)
    assert partition_tags_of(backend, cells[1].started.run_id) == {
        "dagster/partition": "iris|lightgbm",
        "dagster/partition/data_set": "iris",
        "dagster/partition/model": "lightgbm",
    }
    run = backend.instance.get_run_by_id(cells[0].started.run_id)
    assert run is not None
    assert "3" in str(run.run_config)


@pytest.mark.parametrize("named", ["iris|xgboost", None, "nothing"])
def test_what_is_no_pattern_starts_nothing_here(backend: Backend, named: str | None) -> None:
    assert start_each(backend, StartRequest("training", partition=named)) == []


def test_a_key_starts_each_once_and_a_wider_pattern_the_others(backend: Backend) -> None:
    row = start_each(backend, StartRequest("training", partition="data_set=wine", key="night"))
    whole = start_each(backend, StartRequest("training", partition="*", key="night"))
    assert [cell.partition for cell in whole] == ALL
    assert [cell.started.is_new for cell in whole] == [True, True, False, False]
    assert [cell.started.run_id for cell in whole[2:]] == [cell.started.run_id for cell in row]
    again = start_each(backend, StartRequest("training", partition="*", key="night"))
    assert [cell.started.run_id for cell in again] == [cell.started.run_id for cell in whole]


def test_one_that_cannot_be_started_keeps_all_from_it(backend: Backend) -> None:
    backend.runs.start(StartRequest("training", {"trees": 7}, partition="wine|lightgbm", key="mixed/wine|lightgbm"))
    before = backend.instance.get_runs_count()
    with pytest.raises(Conflict, match=r"'mixed/wine\|lightgbm'"):
        start_each(backend, StartRequest("training", partition="*", key="mixed"))
    for pattern, params, key, what in (
        ("*", {"trees": 0}, None, "trees"),
        ("irs|*", {}, None, "'irs' is no data_set"),
        ("*", {}, "k" * 250, "characters long"),
    ):
        with pytest.raises(ParamsRefused, match=what):
            start_each(backend, StartRequest("training", params, partition=pattern, key=key))
    assert backend.instance.get_runs_count() == before
    with backend.database.begin() as connection:
        kept = submissions.newest(connection, submissions.WAITING, "training", math.inf, 100)
    assert kept == []


def test_what_is_not_launched_in_time_is_launched_behind_it(backend: Backend) -> None:
    cells = start_each(backend, StartRequest("training", partition="*"), seconds=0)
    assert backend.instance.get_run_by_id(cells[0].started.run_id) is None
    assert backend.runs.launch_due(all_accepted=True) == []
    assert [partition_tags_of(backend, cell.started.run_id)["dagster/partition"] for cell in cells] == ALL


def test_the_latest_wins_for_each_cell(backend: Backend) -> None:
    first = start_each(backend, StartRequest("training", partition="iris|*", latest_of="newest"))

    def ended() -> list[bool]:
        runs = [backend.instance.get_run_by_id(cell.started.run_id) for cell in first]
        return [run is not None and run.is_finished for run in runs]

    assert ended() == [False, False], "one cell is not in the other's place"
    start_each(backend, StartRequest("training", partition="*|xgboost", latest_of="newest"))
    assert ended() == [True, False]


def test_http(backend: Backend) -> None:
    with served(backend) as url, httpx.Client(base_url=f"{url}/api/v1/pipelines", timeout=60) as client:
        assert client.get("/training").json()["partitions"] == {
            "model": ["xgboost", "lightgbm"],
            "data_set": ["iris", "wine"],
        }
        assert client.get("/by-day").json()["partitions"]["every"] == "daily"
        answer = client.post("/training/runs", json={"partition": "*"}, headers={"Idempotency-Key": "http"})
        assert answer.status_code == 202
        assert [cell["partition"] for cell in answer.json()] == ALL
        assert all(cell["url"].endswith(cell["run_id"]) for cell in answer.json())
        again = client.post("/training/runs", json={"partition": "*"}, headers={"Idempotency-Key": "http"})
        assert again.status_code == 200
        assert [cell["run_id"] for cell in again.json()] == [cell["run_id"] for cell in answer.json()]
        one = client.post("/training/runs", json={"partition": "iris|xgboost"})
        assert one.status_code == 202
        assert set(one.json()) == {"run_id", "pipeline", "is_new", "reason", "url"}
        for body, pointer in (
            ({}, "partition"),
            ({"partition": "irs|*"}, "partition"),
            ({"partition": "*", "params": {"trees": 0}}, "trees"),
        ):
            told = client.post("/training/runs", json=body)
            assert told.status_code == 422
            assert pointer in told.json()["errors"][0]["pointer"]


def test_grpc(backend: Backend) -> None:
    with stub_over(backend) as stub:
        pipeline: Any = stub.GetPipeline(pb.GetPipelineRequest(name="training"), timeout=SECONDS)
        assert {one.name: list(one.keys) for one in pipeline.partitions.dimensions} == {
            "model": ["xgboost", "lightgbm"],
            "data_set": ["iris", "wine"],
        }
        assert stub.GetPipeline(pb.GetPipelineRequest(name="by-day"), timeout=SECONDS).partitions.every == "daily"
        request = pb.SubmitRunRequest(pipeline="training", partition="model=xgboost", idempotency_key="grpc")
        answer: Any = stub.SubmitRun(request, timeout=SECONDS)
        assert [(run.partition, run.is_new) for run in answer.runs] == [("iris|xgboost", True), ("wine|xgboost", True)]
        assert (answer.pipeline, answer.run_id, answer.is_new) == ("training", "", True)
        assert not stub.SubmitRun(request, timeout=SECONDS).is_new
        one: Any = stub.SubmitRun(pb.SubmitRunRequest(pipeline="training", partition="iris|xgboost"), timeout=SECONDS)
        assert one.run_id
        assert not one.runs
        for partition in ("", "irs|*"):
            with refused(grpc.StatusCode.INVALID_ARGUMENT) as told:
                stub.SubmitRun(pb.SubmitRunRequest(pipeline="training", partition=partition), timeout=SECONDS)
            assert [fault.field for fault in told["BadRequest"].field_violations] == ["partition"]


def test_the_command_line_here_and_over_a_server(backend: Backend) -> None:
    here = LocalAccess(backend).start(Order("training", partition="*|xgboost"))
    assert [begun.partition for begun in here] == ["iris|xgboost", "wine|xgboost"]

    def verb(url: str, *words: str) -> Result:
        return CliRunner().invoke(flowhub, ["run", "training", *words], env={"FLOWHUB_URL": url})

    with served(backend) as url:
        begun = verb(url, "--partition", "iris|*", "--key", "cli")
        assert begun.exit_code == 0, begun.output
        rows = [line.split() for line in begun.stdout.splitlines()]
        assert [row[0] for row in rows] == ["partition", *ALL[:2]]
        assert partition_tags_of(backend, rows[1][1])["dagster/partition"] == "iris|xgboost"
        again = verb(url, "--partition", "iris|*", "--key", "cli")
        assert again.stdout == begun.stdout
        assert "2 of 2 had been started by the same key already" in again.stderr
        for words, what in (((), "iris|xgboost, iris|lightgbm"), (("--partition", "irs|*"), "Did you mean 'iris'?")):
            told = verb(url, *words)
            assert told.exit_code == 2
            assert what in told.stderr
