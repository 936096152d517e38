"""Typed flows by real clients that have nothing but the .proto: grpcio with stubs of protoc, and grpclib."""

from __future__ import annotations

import asyncio
import importlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import grpclib.client
import pytest

from flowhub_assets.server.backend import Backend
from flowhub_assets.server.rpc.typed_services import typed_services
from flowhub_assets_tests.golden.targets import PIPELINES
from flowhub_assets_tests.server.backends import backend_over
from flowhub_assets_tests.server.rpc.rpc_servers import SECONDS, refused, rpc_over
from flowhub_assets_tests.server.rpc.run_daemon import run_daemon

MORE = """\
import dataclasses
from flowhub import flow, get_env, task

@dataclasses.dataclass
class Numbers:
    numbers: list[int]
    factor: int = 2

@task
def total(args: Numbers):
    if sum(args.numbers) > 100:
        raise ValueError("too much")
    return {"sum": sum(args.numbers) * args.factor, "task": get_env()["task"]}

@flow(name="sums", params=Numbers)
def sums(args):
    return total(args)
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Where the pipelines lie, and the base of the backend."""
    folder = tmp_path_factory.mktemp("pipelines")
    for name in ("server_a", "server_b"):
        shutil.copytree(PIPELINES / name, folder / name)
    (folder / "sums.py").write_text(MORE)
    return folder, tmp_path_factory.mktemp("backend")


@pytest.fixture(scope="module")
def backend(folders: tuple[Path, Path]) -> Iterator[Backend]:
    with backend_over(*folders) as backend:
        yield backend


@pytest.fixture(scope="module")
def address(backend: Backend) -> Iterator[str]:
    with rpc_over(backend, services=typed_services(backend)) as address:
        yield address


@pytest.fixture(scope="module")
def stubs(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """What protoc and grpclib's plugin make of the .proto files, as a client's own build would."""
    folder = tmp_path_factory.mktemp("stubs")
    for name in ("server_a", "server_b"):
        plugin = Path(sys.executable).with_name("protoc-gen-grpclib_python")
        subprocess.run(
            [
                *(sys.executable, "-m", "grpc_tools.protoc", f"-I{PIPELINES / name}", f"--python_out={folder}"),
                *(f"--grpc_python_out={folder}", f"--plugin=protoc-gen-grpclib_python={plugin}"),
                *(f"--grpclib_python_out={folder}", f"{name}.proto"),
            ],
            check=True,
            timeout=SECONDS,
        )
    sys.path.insert(0, str(folder))
    names = [f"server_{letter}_{kind}" for letter in "ab" for kind in ("pb2", "pb2_grpc", "grpc")]
    try:
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in names})
    finally:
        sys.path.remove(str(folder))
        for name in names:
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def daemon(folders: tuple[Path, Path], backend: Backend) -> Iterator[None]:
    with run_daemon(*folders):
        yield


def test_a_client_that_gives_up_leaves_the_run_as_it_is(backend: Backend, address: str, stubs: Any) -> None:
    # grpcio shows the initial metadata of such a call at its end only.
    async def begin() -> str:
        host, _, port = address.rpartition(":")
        async with grpclib.client.Channel(host, int(port)) as channel:
            stub = stubs.server_b_grpc.ServerBStub(channel)
            async with stub.Run.open(timeout=SECONDS) as stream:
                await stream.send_message(stubs.server_b_pb2.ServerBRequest(), end=True)
                await stream.recv_initial_metadata()
                await stream.cancel()
                return str(stream.initial_metadata["flowhub-run-id"])

    run_id = asyncio.run(begin())
    run = backend.instance.get_run_by_id(run_id)
    assert run is not None
    assert run.status.value == "QUEUED"


@pytest.mark.usefixtures("daemon")
def test_a_client_of_the_teams_own_proto_gets_its_typed_result(
    daemon: None, backend: Backend, address: str, stubs: Any
) -> None:
    pb = stubs.server_a_pb2
    request = pb.ServerARequest(urls=["s3://lake/c.wav", "s3://lake/d.wav"], mode=pb.VERIFY)
    request.since.FromJsonString("2026-01-02T00:00:00Z")
    with grpc.insecure_channel(address) as channel:
        answer, call = stubs.server_a_pb2_grpc.ServerAStub(channel).Collect.with_call(request, timeout=SECONDS)

    assert [one.url for one in answer.objects] == ["s3://lake/c.wav", "s3://lake/d.wav"]
    assert answer.total_bytes == sum(one.size for one in answer.objects) > 0
    assert answer.mode == pb.VERIFY
    assert answer.objects[0].changed.ToDatetime().year == 2026
    run = backend.instance.get_run_by_id(dict(call.initial_metadata())["flowhub-run-id"])
    assert run is not None
    assert run.is_success


@pytest.mark.usefixtures("daemon")
def test_a_client_of_the_written_proto_gets_its_typed_result(
    daemon: None, backend: Backend, address: str, stubs: Any
) -> None:
    pb = stubs.server_b_pb2

    async def ask() -> Any:
        host, _, port = address.rpartition(":")
        async with grpclib.client.Channel(host, int(port)) as channel:
            request = pb.ServerBRequest(data_info=pb.DataInfo(object_storage_urls=["b", "a"], dataset="set"))
            request.test_share = 0.5
            request.keep_for.FromTimedelta(timedelta(days=3, microseconds=7))
            return await stubs.server_b_grpc.ServerBStub(channel).Run(request, timeout=SECONDS)

    answer = asyncio.run(ask())

    assert [(one.url, one.part) for one in answer.items] == [("a", pb.PART_TRAIN), ("b", pb.PART_TEST)]
    assert dict(answer.counts) == {"train": 1, "test": 1}
    assert answer.keep_for.ToTimedelta().days == 3
    assert answer.dataset == "set"


def test_a_wrong_field_is_refused_before_a_run_exists(backend: Backend, address: str, stubs: Any) -> None:
    pb = stubs.server_b_pb2
    before = backend.instance.get_runs_count()
    with grpc.insecure_channel(address) as channel, refused(grpc.StatusCode.INVALID_ARGUMENT) as told:
        request = pb.ServerBRequest(data_info=pb.DataInfo(object_storage_urls=["a"]))
        stubs.server_b_pb2_grpc.ServerBStub(channel).Run(request, timeout=SECONDS)

    assert "data_info.dataset" in told["message"]
    assert [one.field for one in told["BadRequest"].field_violations] == ["data_info.dataset"]
    assert backend.instance.get_runs_count() == before


@pytest.mark.usefixtures("daemon")
def test_a_key_waits_for_the_run_that_it_has_started(backend: Backend, address: str, stubs: Any) -> None:
    with grpc.insecure_channel(address) as channel:
        ask = stubs.server_b_pb2_grpc.ServerBStub(channel).Run.with_call
        words: Any = {"timeout": SECONDS, "metadata": (("idempotency-key", "typed-1"),)}
        first, one = ask(stubs.server_b_pb2.ServerBRequest(), **words)
        second, two = ask(stubs.server_b_pb2.ServerBRequest(), **words)

    assert dict(one.initial_metadata())["flowhub-run-id"] == dict(two.initial_metadata())["flowhub-run-id"]
    assert first == second
    assert first.counts == {"train": 6, "test": 2}


@pytest.mark.usefixtures("daemon")
def test_a_flow_without_a_result_type_and_a_run_that_fails(backend: Backend, address: str) -> None:
    (method,) = [one for one in typed_methods(backend) if one.service.endswith("Sums")]
    with grpc.insecure_channel(address) as channel:
        ask = channel.unary_unary(method.path, method.request.SerializeToString, method.response.FromString)
        answer: Any = ask(method.request(numbers=[1, 2]), timeout=SECONDS)
        with refused(grpc.StatusCode.ABORTED) as told:
            ask(method.request(numbers=[99, 2]), timeout=SECONDS)

    assert dict(answer.result) == {"sum": 6, "task": "total"}
    assert backend.instance.has_run(answer.run_id)
    assert "too much" in told["message"]


def typed_methods(backend: Backend) -> list[Any]:
    handler: Any = typed_services(backend)[0].handler
    return list(handler.methods().values())


def test_reflection_shows_the_services(address: str) -> None:
    from google.protobuf.descriptor_pool import DescriptorPool
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

    with grpc.insecure_channel(address) as channel:
        database: Any = ProtoReflectionDescriptorDatabase(channel)
        assert {"gps.server_a.ServerA", "flowhub.flows.server_b.ServerB"} <= set(database.get_services())
        pool: Any = DescriptorPool(database)
        message = pool.FindMessageTypeByName("flowhub.flows.server_b.DataInfo")

    assert [field.name for field in message.fields] == ["object_storage_urls", "dataset", "labels"]
