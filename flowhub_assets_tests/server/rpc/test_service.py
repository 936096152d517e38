"""flowhub.v1 by a real client: what is listed, started, seen, cancelled and taken up again, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict, ParseDict

from flowhub_assets.server.backend import Backend
from flowhub_assets.server.rpc.flowhub.v1 import flowhub_pb2 as pb
from flowhub_assets.store import audit
from flowhub_assets_tests.server.backends import GREET, backend_over
from flowhub_assets_tests.server.rpc.rpc_servers import SECONDS, refused, run_here, struct, stub_over

SUMS = """\
from flowhub import flow, task

@task
def total(args):
    return {"sum": sum(args["numbers"]), "big": 2**60, "none": None}

@task
def half(args):
    if args["sum"] > 100:
        raise ValueError("too much")
    return {"half": args["sum"] / 2}

@flow(name="sums", params={"numbers": [1, 2, 3]})
def sums(args):
    one = total(args)
    return half(one)
"""


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    folder = tmp_path_factory.mktemp("pipelines")
    (folder / "greet.yaml").write_text(GREET)
    (folder / "sums.py").write_text(SUMS)
    with backend_over(folder, tmp_path_factory.mktemp("backend")) as backend:
        yield backend


@pytest.fixture(scope="module")
def stub(backend: Backend) -> Iterator[Any]:
    with stub_over(backend) as stub:
        yield stub


def submit(stub: Any, **values: Any) -> pb.SubmitRunResponse:
    request = ParseDict({"pipeline": "greet", **values}, pb.SubmitRunRequest())
    answer: pb.SubmitRunResponse = stub.SubmitRun(request, timeout=SECONDS)
    return answer


def test_pipelines_are_listed_by_name_with_their_schemas(stub: Any) -> None:
    listed = stub.ListPipelines(pb.ListPipelinesRequest(), timeout=SECONDS).pipelines
    assert [one.name for one in listed] == ["greet", "sums"]
    one = stub.GetPipeline(pb.GetPipelineRequest(name="greet"), timeout=SECONDS)
    assert one == listed[0]
    assert one.description == "Says good morning."
    assert list(one.tasks) == ["say"]
    schema = MessageToDict(one.params_schema)
    assert schema["properties"]["times"] == {"type": "integer", "minimum": 1, "default": 1}
    assert schema["additionalProperties"] is False


def test_a_run_waits_in_dagsters_queue_once_it_is_answered(stub: Any, backend: Backend) -> None:
    params: dict[str, Any] = {"city": "Busan", "times": 3}
    answer = submit(stub, params=params, queue="night", priority=7)
    assert answer.is_new
    assert answer.url == f"http://dagster.test/runs/{answer.run_id}"
    run = backend.instance.get_run_by_id(answer.run_id)
    assert run is not None
    config: Any = run.run_config
    given = config["resources"]["params"]["config"]
    assert given == params
    # A double that was meant as an integer is one.
    assert type(given["times"]) is int
    seen = stub.GetRun(pb.GetRunRequest(run_id=answer.run_id), timeout=SECONDS)
    told = (seen.pipeline, seen.status, seen.queue, seen.priority, seen.door, seen.caller)
    assert told == ("greet", pb.RUN_STATUS_QUEUED, "night", 7, "grpc", "local")
    assert abs(seen.created.ToSeconds() - run_created(backend, answer.run_id)) <= 1
    assert not seen.HasField("ended")


def run_created(backend: Backend, run_id: str) -> float:
    record = backend.instance.get_run_record_by_id(run_id)
    assert record is not None
    return record.create_timestamp.timestamp()


def test_who_started_a_run_is_in_the_audit_log(stub: Any, backend: Backend) -> None:
    submit(stub)
    with backend.database.read() as connection:
        (act,) = audit.newest(connection, 1)
    assert (act.door, act.target, act.caller, act.peer) == ("grpc", "greet", "local", "127.0.0.1")


def test_the_same_key_answers_with_the_same_run(stub: Any) -> None:
    first = submit(stub, idempotencyKey="k-1")
    again = submit(stub, idempotencyKey="k-1")
    assert first.run_id == again.run_id
    assert (first.is_new, again.is_new) == (True, False)
    assert "k-1" in again.reason
    with refused(grpc.StatusCode.ALREADY_EXISTS) as told:
        submit(stub, idempotencyKey="k-1", params={"city": "Jeju"})
    assert told["ErrorInfo"].reason == "KEY_TAKEN"
    forced = submit(stub, idempotencyKey="k-1", params={"city": "Jeju"}, force=True)
    assert forced.run_id != first.run_id


def test_a_key_holds_for_its_lifetime(stub: Any) -> None:
    request = pb.SubmitRunRequest(
        pipeline="greet", idempotency_key="short", key_lifetime=Duration(nanos=1), params=struct()
    )
    first, second = (stub.SubmitRun(request, timeout=SECONDS) for _ in range(2))
    assert second.is_new
    assert first.run_id != second.run_id


def test_the_latest_of_a_key_alone_waits(stub: Any, backend: Backend) -> None:
    first = submit(stub, latestOf="stock")
    second = submit(stub, latestOf="stock")
    run = backend.instance.get_run_by_id(first.run_id)
    assert run is not None
    assert run.status.value == "CANCELED"
    assert stub.GetRun(pb.GetRunRequest(run_id=second.run_id), timeout=SECONDS).status == pb.RUN_STATUS_QUEUED


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({"params": {"citi": "Seoul", "times": 0}}, ["citi", "times"]),
        ({"params": {"times": 2**53}}, ["times"]),
        ({"params": {"times": 1.5}}, ["times"]),
        ({"env": "nobodys"}, ["env"]),
        ({"idempotencyKey": "k" * 300}, ["idempotency_key"]),
        ({"idempotencyKey": "a\x00b"}, ["idempotency_key"]),
        ({"latestOf": "a\nb"}, ["latest_of"]),
        ({"keyLifetime": "0s"}, ["key_lifetime"]),
        ({"keyLifetime": "-5s"}, ["key_lifetime"]),
        ({"priority": 2_000_000}, ["priority"]),
    ],
)
def test_wrong_fields_are_told_one_by_one(stub: Any, values: dict[str, Any], fields: list[str]) -> None:
    with refused(grpc.StatusCode.INVALID_ARGUMENT) as told:
        submit(stub, **values)
    assert [one.field for one in told["BadRequest"].field_violations] == fields
    assert all(one.description for one in told["BadRequest"].field_violations)
    assert told["ErrorInfo"].metadata["effect"] == "Nothing was started."


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("SubmitRun", pb.SubmitRunRequest(pipeline="nobodys")),
        ("SubmitRun", pb.SubmitRunRequest()),
        ("GetPipeline", pb.GetPipelineRequest(name="nobodys")),
        ("GetRun", pb.GetRunRequest(run_id="nobodys")),
        ("GetRun", pb.GetRunRequest(run_id="a\x00b")),
        ("GetRun", pb.GetRunRequest()),
        ("GetRunResult", pb.GetRunResultRequest(run_id="nobodys")),
        ("CancelRun", pb.CancelRunRequest(run_id="nobodys")),
        ("RetryRun", pb.RetryRunRequest(run_id="nobodys")),
    ],
)
def test_what_is_not_there_is_not_found(stub: Any, method: str, request_: Any) -> None:
    with refused(grpc.StatusCode.NOT_FOUND) as told:
        getattr(stub, method)(request_, timeout=SECONDS)
    assert told["ErrorInfo"].reason == "NOT_FOUND"
    assert told["ErrorInfo"].domain == "flowhub"


def test_who_sends_a_thousand_wrong_fields_is_told_of_the_first(stub: Any) -> None:
    wrong = {f"도시 이름 {number} 😀": 1 for number in range(1_000)}
    # More than once: a client refuses trailers that are somewhat too long at random.
    for _ in range(20):
        with refused(grpc.StatusCode.INVALID_ARGUMENT) as told:
            submit(stub, params=wrong)
        assert 3 < len(told["BadRequest"].field_violations) < 1_000


def test_a_run_is_cancelled_once(stub: Any, backend: Backend) -> None:
    run_id = submit(stub).run_id
    answer = stub.CancelRun(pb.CancelRunRequest(run_id=run_id), timeout=SECONDS)
    assert answer.status == pb.RUN_STATUS_CANCELED
    with backend.database.read() as connection:
        (act,) = audit.newest(connection, 1)
    assert (act.door, act.target) == ("grpc", run_id)
    with refused(grpc.StatusCode.FAILED_PRECONDITION):
        stub.CancelRun(pb.CancelRunRequest(run_id=run_id), timeout=SECONDS)


def test_a_run_gives_its_result_once_it_has_succeeded(stub: Any, backend: Backend) -> None:
    run_id = submit(stub, pipeline="sums", params={"numbers": [4, 6]}).run_id
    with refused(grpc.StatusCode.FAILED_PRECONDITION):
        stub.GetRunResult(pb.GetRunResultRequest(run_id=run_id), timeout=SECONDS)
    run_here(backend, run_id)
    value = stub.GetRunResult(pb.GetRunResultRequest(run_id=run_id), timeout=SECONDS).value
    assert MessageToDict(value) == {"half": 5}
    run = stub.GetRun(pb.GetRunRequest(run_id=run_id), timeout=SECONDS)
    assert run.status == pb.RUN_STATUS_SUCCESS
    assert [(step.name, step.status, step.attempt) for step in run.steps] == [
        ("total", "SUCCESS", 1),
        ("half", "SUCCESS", 1),
    ]
    assert run.steps[0].started.ToNanoseconds() <= run.ended.ToNanoseconds()


def test_what_failed_is_taken_up_again(stub: Any, backend: Backend) -> None:
    run_id = submit(stub, pipeline="sums", params={"numbers": [99, 2]}).run_id
    with refused(grpc.StatusCode.FAILED_PRECONDITION):
        stub.RetryRun(pb.RetryRunRequest(run_id=run_id), timeout=SECONDS)
    run_here(backend, run_id)
    failed = stub.GetRun(pb.GetRunRequest(run_id=run_id), timeout=SECONDS)
    assert failed.status == pb.RUN_STATUS_FAILURE
    assert "too much" in failed.error
    again = stub.RetryRun(pb.RetryRunRequest(run_id=run_id, idempotency_key="again"), timeout=SECONDS)
    seen = stub.GetRun(pb.GetRunRequest(run_id=again.run_id), timeout=SECONDS)
    assert (seen.parent_run_id, [step.name for step in seen.steps]) == (run_id, ["half"])
    same = stub.RetryRun(pb.RetryRunRequest(run_id=run_id, idempotency_key="again"), timeout=SECONDS)
    assert (same.run_id, same.is_new) == (again.run_id, False)
    whole = stub.RetryRun(pb.RetryRunRequest(run_id=run_id, all_steps=True), timeout=SECONDS)
    seen = stub.GetRun(pb.GetRunRequest(run_id=whole.run_id), timeout=SECONDS)
    assert [step.name for step in seen.steps] == ["total", "half"]
    with refused(grpc.StatusCode.NOT_FOUND):
        stub.RetryRun(pb.RetryRunRequest(run_id=run_id, steps=["nobodys"]), timeout=SECONDS)
    with refused(grpc.StatusCode.INVALID_ARGUMENT):
        stub.RetryRun(pb.RetryRunRequest(run_id=run_id, steps=["half"] * 2_000), timeout=SECONDS)
