"""Who may call what: tokens and roles, the rate, and what is counted; an error of the insides stays inside."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from flowhub_assets.server import access, runs
from flowhub_assets.server.backend import Backend
from flowhub_assets.server.metrics import Metrics
from flowhub_assets.server.rate_limit import RateLimit
from flowhub_assets.server.rpc import calls
from flowhub_assets.server.rpc.calls import host_of
from flowhub_assets.server.rpc.flowhub.v1 import flowhub_pb2 as pb
from flowhub_assets.store import audit, tokens
from flowhub_assets_tests.server.backends import GREET, backend_over
from flowhub_assets_tests.server.rpc.rpc_servers import SECONDS, refused, stub_over

LIST, SUBMIT = pb.ListPipelinesRequest(), pb.SubmitRunRequest(pipeline="greet")


@pytest.fixture(scope="module")
def backends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[bool, Backend]]:
    """One that is open to this machine's users, and one that is not, over the same storage."""
    folder, base = tmp_path_factory.mktemp("pipelines"), tmp_path_factory.mktemp("backend")
    (folder / "greet.yaml").write_text(GREET)
    with backend_over(folder, base) as is_open, backend_over(folder, base, is_open=False) as closed:
        yield {True: is_open, False: closed}


@pytest.fixture(scope="module")
def bearers(backends: dict[bool, Backend]) -> dict[str, list[tuple[str, str]]]:
    with backends[False].database.begin() as connection:
        made = {role: tokens.create(connection, role, role, time.time(), None) for role in ("viewer", "runner")}
        gone = tokens.create(connection, "gone", "admin", time.time(), time.time() - 1)
    return {role: [("authorization", f"Bearer {token}")] for role, token in {**made, "gone": gone}.items()}


@pytest.fixture(scope="module")
def stub(backends: dict[bool, Backend], bearers: Any) -> Iterator[Any]:
    """Of a server that asks for tokens."""
    with stub_over(backends[False]) as stub:
        yield stub


@pytest.mark.parametrize(
    "metadata",
    [
        [],
        [("authorization", "Bearer ")],
        [("authorization", "Bearer nobodys")],
        [("authorization", "Basic dXNlcjpwYXNz")],
        [("authorization-bin", b"Bearer \xff\x00")],
    ],
)
def test_nobody_may_do_anything_without_a_token(stub: Any, metadata: list[tuple[str, Any]]) -> None:
    for call, request in ((stub.ListPipelines, LIST), (stub.SubmitRun, SUBMIT)):
        with refused(grpc.StatusCode.UNAUTHENTICATED) as told:
            call(request, metadata=metadata, timeout=SECONDS)
        assert "flowhub token create" in told["ErrorInfo"].metadata["remedy"]
    with refused(grpc.StatusCode.UNAUTHENTICATED):
        next(stub.WatchRun(pb.WatchRunRequest(run_id="any"), metadata=metadata, timeout=SECONDS))


def test_a_token_that_is_over_opens_nothing(stub: Any, bearers: dict[str, Any]) -> None:
    with refused(grpc.StatusCode.UNAUTHENTICATED):
        stub.ListPipelines(LIST, metadata=bearers["gone"], timeout=SECONDS)


def test_a_viewer_looks_and_a_runner_starts(stub: Any, bearers: dict[str, Any], backends: dict[bool, Backend]) -> None:
    viewer, runner = bearers["viewer"], bearers["runner"]
    assert stub.ListPipelines(LIST, metadata=viewer, timeout=SECONDS).pipelines
    run_id = stub.SubmitRun(SUBMIT, metadata=runner, timeout=SECONDS).run_id
    run = stub.GetRun(pb.GetRunRequest(run_id=run_id), metadata=viewer, timeout=SECONDS)
    assert (run.caller, run.door) == ("runner", "grpc")
    for call, request in (
        (stub.SubmitRun, SUBMIT),
        (stub.CancelRun, pb.CancelRunRequest(run_id=run_id)),
        (stub.RetryRun, pb.RetryRunRequest(run_id=run_id)),
    ):
        with refused(grpc.StatusCode.PERMISSION_DENIED):
            call(request, metadata=viewer, timeout=SECONDS)
    with backends[False].database.read() as connection:
        last = audit.newest(connection, 3)
    assert [(act.action, act.caller, act.result) for act in last] == [
        (action, "viewer", "refused") for action in ("RetryRun", "CancelRun", "SubmitRun")
    ]


def test_who_watches_is_told_no_more_once_his_token_is_revoked(
    stub: Any, backends: dict[bool, Backend], bearers: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = backends[False].database
    with database.begin() as connection:
        token = tokens.create(connection, "guest", "viewer", time.time())
    monkeypatch.setattr(access, "_KEPT_SECONDS", 0.0)
    monkeypatch.setattr(calls, "_AGAIN_SECONDS", 0.0)
    run_id = stub.SubmitRun(SUBMIT, metadata=bearers["runner"], timeout=SECONDS).run_id
    guests = [("authorization", f"Bearer {token}")]
    updates = stub.WatchRun(pb.WatchRunRequest(run_id=run_id), metadata=guests, timeout=SECONDS)
    next(updates)
    with database.begin() as connection:
        tokens.revoke(connection, "guest")
    stub.CancelRun(pb.CancelRunRequest(run_id=run_id), metadata=bearers["runner"], timeout=SECONDS)
    with refused(grpc.StatusCode.UNAUTHENTICATED):
        next(updates)


def test_on_this_machine_no_token_is_needed_unless_a_proxy_speaks(backends: dict[bool, Backend]) -> None:
    with stub_over(backends[True]) as stub:
        assert stub.ListPipelines(LIST, timeout=SECONDS).pipelines
        with refused(grpc.StatusCode.UNAUTHENTICATED):
            stub.ListPipelines(LIST, metadata=[("x-forwarded-for", "203.0.113.9")], timeout=SECONDS)
        with refused(grpc.StatusCode.UNAUTHENTICATED):
            stub.ListPipelines(LIST, metadata=[("authorization", "Bearer nobodys")], timeout=SECONDS)


def test_who_asks_too_often_is_told_when_to_come_again(backends: dict[bool, Backend]) -> None:
    with stub_over(backends[True], rate=RateLimit(0.001, 2)) as stub:
        for _ in range(2):
            stub.ListPipelines(LIST, timeout=SECONDS)
        with refused(grpc.StatusCode.RESOURCE_EXHAUSTED) as told:
            stub.ListPipelines(LIST, timeout=SECONDS)
    assert told["RetryInfo"].retry_delay.ToSeconds() > 100


def test_what_goes_wrong_inside_is_not_told(
    backends: dict[bool, Backend], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("the password is 1234")

    monkeypatch.setattr(runs.Runs, "start", broken)
    with stub_over(backends[True]) as stub, refused(grpc.StatusCode.INTERNAL) as told:
        stub.SubmitRun(SUBMIT, timeout=SECONDS)
    assert "1234" not in str(told)
    assert "1234" in caplog.text


def test_calls_are_counted_by_method_and_code(backends: dict[bool, Backend]) -> None:
    metrics = Metrics(backends[True].database)
    with stub_over(backends[True], metrics=metrics) as stub:
        stub.ListPipelines(LIST, timeout=SECONDS)
        with refused(grpc.StatusCode.NOT_FOUND):
            stub.GetPipeline(pb.GetPipelineRequest(name="nobodys"), timeout=SECONDS)
    text = metrics.text().decode()
    for method, status in (("ListPipelines", "OK"), ("GetPipeline", "NOT_FOUND")):
        line = f'flowhub_requests_total{{door="grpc",path="/flowhub.v1.FlowHub/{method}",status="{status}"}} 1.0'
        assert line in text


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("ipv4:127.0.0.1:5000", "127.0.0.1"),
        ("ipv6:%5B::1%5D:5000", "::1"),
        ("ipv6:[2001:db8::1]:5000", "2001:db8::1"),
        ("unix:", "127.0.0.1"),
        ("", ""),
        ("something", ""),
    ],
)
def test_the_address_of_a_peer(peer: str, host: str) -> None:
    assert host_of(peer) == host
