"""The standard health service: whether the server can take requests, asked without a token."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from flowhub_assets.server.backend import Backend
from flowhub_assets.server.rpc import health
from flowhub_assets.server.rpc.flowhub.v1 import flowhub_pb2 as pb
from flowhub_assets_tests.broken_network import relay
from flowhub_assets_tests.postgres_server import PostgresServer, shared_postgres
from flowhub_assets_tests.server.backends import GREET, backend_over
from flowhub_assets_tests.server.rpc.rpc_servers import SECONDS, refused, rpc_over, running, stub_of

__all__ = ["shared_postgres"]
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("pipelines")
    (found / "greet.yaml").write_text(GREET)
    return found


@pytest.fixture(scope="module")
def backend(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    with backend_over(folder, tmp_path_factory.mktemp("backend"), is_open=False) as backend:
        yield backend


def status(channel: grpc.Channel, service: str = "") -> int:
    request = health_pb2.HealthCheckRequest(service=service)
    return int(health_pb2_grpc.HealthStub(channel).Check(request, timeout=SECONDS).status)


def until_status(channel: grpc.Channel, wanted: int) -> None:
    last = time.monotonic() + SECONDS
    while status(channel) != wanted:
        assert time.monotonic() < last
        time.sleep(0.05)


def test_each_service_is_told_without_a_token(backend: Backend) -> None:
    with rpc_over(backend) as address, grpc.insecure_channel(address) as channel:
        for service in ("", "flowhub.v1.FlowHub"):
            assert status(channel, service) == SERVING
        with pytest.raises(grpc.RpcError) as caught:
            status(channel, "nobodys")
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("hangs", [False, True])
def test_it_does_not_serve_while_the_database_is_away(
    folder: Path, tmp_path: Path, shared_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch, hangs: bool
) -> None:
    monkeypatch.setattr(health, "_ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(health, "_LOOK_SECONDS", 0.05)
    there = threading.Event()
    there.set()

    def cut(data: bytes) -> bytes:
        if not there.is_set() and not hangs:
            raise ConnectionResetError
        there.wait(SECONDS)
        return data

    url = shared_postgres.new_database()
    with relay(url, up=cut) as between:
        database = url.replace(f":{shared_postgres.port}/", f":{between.rpartition(':')[2]}/")
        with (
            backend_over(folder, tmp_path, database_url=database) as backend,
            rpc_over(backend) as address,
            grpc.insecure_channel(address) as channel,
        ):
            assert status(channel) == SERVING
            with refused(grpc.StatusCode.NOT_FOUND):
                # PostgreSQL takes no such text.
                stub_of(channel).GetRun(pb.GetRunRequest(run_id="a\x00b"), timeout=SECONDS)
            there.clear()
            until_status(channel, NOT_SERVING)
            assert status(channel, "flowhub.v1.FlowHub") == NOT_SERVING
            if not hangs:
                with refused(grpc.StatusCode.UNAVAILABLE) as told:
                    stub_of(channel).SubmitRun(pb.SubmitRunRequest(pipeline="greet"), timeout=SECONDS)
                assert told["RetryInfo"].retry_delay.ToSeconds() > 0
                assert shared_postgres.password not in str(told)
            there.set()
            until_status(channel, SERVING)
            assert stub_of(channel).SubmitRun(pb.SubmitRunRequest(pipeline="greet"), timeout=SECONDS).is_new


def test_who_watches_is_told_when_the_server_ends(backend: Backend) -> None:
    with running(backend) as (rpc, loop), grpc.insecure_channel(f"127.0.0.1:{rpc.port}") as channel:
        request = health_pb2.HealthCheckRequest()
        watched = health_pb2_grpc.HealthStub(channel).Watch(request, timeout=SECONDS)
        assert next(watched).status == SERVING
        asyncio.run_coroutine_threadsafe(rpc.end(0.5), loop)
        assert next(watched).status == NOT_SERVING
