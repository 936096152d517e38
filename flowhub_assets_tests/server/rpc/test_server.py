"""The gRPC server by real clients: grpcio and its aio, grpclib, and one that knows what reflection tells, no more."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import httpx
import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpclib.client import Channel, UnaryStreamMethod, UnaryUnaryMethod
from hypothesis import given, settings
from hypothesis import strategies as st

from flowhub_assets.errors import InputError
from flowhub_assets.server.backend import Backend
from flowhub_assets.server.rpc import server
from flowhub_assets.server.rpc.flowhub.v1 import flowhub_pb2 as pb
from flowhub_assets.server.rpc.flowhub.v1.flowhub_pb2_grpc import FlowHubStub
from flowhub_assets.server.rpc.server import Certificates, Service, start_grpc
from flowhub_assets_tests.loopback_server import free_port
from flowhub_assets_tests.server.backends import GREET, backend_over
from flowhub_assets_tests.server.rpc.rpc_servers import SECONDS, refused, rpc_over, run_here, struct, stub_of
from flowhub_assets_tests.server.server_process import ServerProcess
from flowhub_assets_tests.tls_files import tls_files

SERVICE = pb.DESCRIPTOR.services_by_name["FlowHub"]
METHODS = [method.name for method in SERVICE.methods]


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    folder = tmp_path_factory.mktemp("pipelines")
    (folder / "greet.yaml").write_text(GREET)
    with backend_over(folder, tmp_path_factory.mktemp("backend")) as backend:
        yield backend


@pytest.fixture(scope="module")
def address(backend: Backend) -> Iterator[str]:
    with rpc_over(backend) as address:
        yield address


@pytest.fixture(scope="module")
def channel(address: str) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(address) as channel:
        yield channel


def test_grpclib_starts_and_watches_a_run(address: str, backend: Backend) -> None:
    async def ask() -> list[str]:
        host, port = address.split(":")
        channel = Channel(host, int(port))
        try:
            submit = UnaryUnaryMethod(
                channel, "/flowhub.v1.FlowHub/SubmitRun", pb.SubmitRunRequest, pb.SubmitRunResponse
            )
            request = pb.SubmitRunRequest(pipeline="greet", params=struct(city="Jeju"))
            run_id = (await submit(request, timeout=SECONDS)).run_id
            await asyncio.to_thread(run_here, backend, run_id)
            watch = UnaryStreamMethod(channel, "/flowhub.v1.FlowHub/WatchRun", pb.WatchRunRequest, pb.WatchRunResponse)
            updates = await watch(pb.WatchRunRequest(run_id=run_id), timeout=SECONDS)
            return [update.event.kind or pb.RunStatus.Name(update.run.status) for update in updates]
        finally:
            channel.close()

    kinds = asyncio.run(ask())
    assert kinds[-2:] == ["RUN_SUCCESS", "RUN_STATUS_SUCCESS"]


def test_the_aio_of_grpcio_starts_runs(address: str) -> None:
    async def ask() -> list[str]:
        async with grpc.aio.insecure_channel(address) as channel:
            make: Any = FlowHubStub
            stub = make(channel)
            request = pb.SubmitRunRequest(pipeline="greet", idempotency_key="aio")
            both = await asyncio.gather(*(stub.SubmitRun(request, timeout=SECONDS) for _ in range(2)))
            return [one.run_id for one in both]

    first, second = asyncio.run(ask())
    assert first == second


class Reflected:
    """A client that has an address and nothing else."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel
        self._pool: Any = DescriptorPool()
        self._known: set[str] = set()

    def ask(self, **request: str) -> Any:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(self._channel)
        (answer,) = stub.ServerReflectionInfo(
            iter([reflection_pb2.ServerReflectionRequest(**request)]), timeout=SECONDS
        )
        assert not answer.HasField("error_response"), answer
        return answer

    def services(self) -> list[str]:
        return sorted(one.name for one in self.ask(list_services="").list_services_response.service)

    def _learn(self, **request: str) -> None:
        for text in self.ask(**request).file_descriptor_response.file_descriptor_proto:
            file = FileDescriptorProto.FromString(text)
            if file.name not in self._known:
                self._known.add(file.name)
                for needed in file.dependency:
                    self._learn(file_by_filename=needed)
                self._pool.Add(file)

    def call(self, service: str, method: str, **request: Any) -> Any:
        """Takes and gives JSON."""
        self._learn(file_containing_symbol=service)
        found = self._pool.FindServiceByName(service).methods_by_name[method]
        takes, gives = (message_factory.GetMessageClass(one) for one in (found.input_type, found.output_type))
        call = self._channel.unary_unary(
            f"/{service}/{method}", request_serializer=takes.SerializeToString, response_deserializer=gives.FromString
        )
        return MessageToDict(call(ParseDict(request, takes()), timeout=SECONDS))


def test_reflection_is_all_that_a_client_needs(channel: grpc.Channel) -> None:
    client = Reflected(channel)
    ours = "flowhub.v1.FlowHub"
    assert client.services() == [ours, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"]
    (pipeline,) = client.call(ours, "ListPipelines")["pipelines"]
    assert pipeline["paramsSchema"]["properties"]["city"]["default"] == "Seoul"
    started = client.call(ours, "SubmitRun", pipeline=pipeline["name"], params={"times": 2})
    assert client.call(ours, "GetRun", runId=started["runId"])["status"] == "RUN_STATUS_QUEUED"
    assert client.call("grpc.health.v1.Health", "Check") == {"status": "SERVING"}


def echo(kind: str = "Nothing") -> Service:
    """team.Echo, whose method Say answers with what it was sent."""
    file = FileDescriptorProto(name="echo.proto", package="team", syntax="proto3")
    file.message_type.append(DescriptorProto(name="Nothing"))
    method = file.service.add(name="Echo").method.add(name="Say")
    method.input_type = method.output_type = f".team.{kind}"

    async def say(request: bytes, _context: Any) -> bytes:
        return request

    handlers: Any = {"Say": grpc.unary_unary_rpc_method_handler(say)}
    handler = grpc.method_handlers_generic_handler("team.Echo", handlers)
    return Service("team.Echo", handler, [file.SerializeToString()])


def test_a_service_beside_ours_is_answered_guarded_and_reflected(backend: Backend) -> None:
    with rpc_over(backend, services=[echo()]) as address, grpc.insecure_channel(address) as channel:
        assert Reflected(channel).call("team.Echo", "Say") == {}
        say_it: Any = channel.unary_unary("/team.Echo/Say")
        with refused(grpc.StatusCode.UNAUTHENTICATED):
            say_it(b"", metadata=[("authorization", "Bearer nobodys")], timeout=SECONDS)
        assert "team.Echo" in Reflected(channel).services()


def test_a_proto_file_that_does_not_fit_the_others_hurts_no_other_service(
    backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    with rpc_over(backend, services=[echo("Nobodys")]) as address, grpc.insecure_channel(address) as channel:
        assert Reflected(channel).call("flowhub.v1.FlowHub", "ListPipelines")
        say_it: Any = channel.unary_unary("/team.Echo/Say")
        assert say_it(b"", timeout=SECONDS) == b""
    assert "echo.proto" in caplog.text


@given(method=st.sampled_from(METHODS), sent=st.binary(max_size=200))
@settings(deadline=None)
def test_any_bytes_are_refused_and_never_an_error_of_the_server(
    channel: grpc.Channel, method: str, sent: bytes
) -> None:
    assert_no_fault(channel, method, sent)


def messages(kind: Any) -> st.SearchStrategy[Message]:
    """Any message of that kind: field numbers and wire types are right, values are anything."""

    def filled(values: dict[str, Any]) -> Message:
        made: Message = message_factory.GetMessageClass(kind)()
        for name, value in values.items():
            field = kind.fields_by_name[name]
            if field.is_repeated:
                getattr(made, name).extend([value])
            elif field.message_type is not None:
                getattr(made, name).MergeFrom(value)
            else:
                setattr(made, name, value)
        return made

    def values(field: Any) -> st.SearchStrategy[Any]:
        if field.message_type is not None:
            name = field.message_type.full_name
            return ANY_STRUCT if name == "google.protobuf.Struct" else messages(field.message_type)
        # Of protobuf's kinds of field, the requests of flowhub.v1 have these.
        return {
            field.TYPE_STRING: st.sampled_from(["greet", ""]) | st.text(st.characters(codec="utf-8")),
            field.TYPE_BOOL: st.booleans(),
            field.TYPE_INT32: st.integers(-(2**31), 2**31 - 1),
            field.TYPE_INT64: st.integers(-(2**63), 2**63 - 1),
        }[field.type]

    return st.fixed_dictionaries({}, optional={field.name: values(field) for field in kind.fields}).map(filled)


TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
ANY_STRUCT = st.dictionaries(
    st.sampled_from(["city", "times", "trigger"]) | TEXTS,
    st.none() | st.booleans() | st.floats() | TEXTS | st.lists(st.floats() | TEXTS, max_size=3),
    max_size=4,
).map(lambda found: struct(**found))


@given(st.data())
@settings(deadline=None)
def test_any_message_is_answered_or_refused(channel: grpc.Channel, data: st.DataObject) -> None:
    method = data.draw(st.sampled_from(list(SERVICE.methods)))
    sent = data.draw(messages(method.input_type))
    assert_no_fault(channel, method.name, sent.SerializeToString())


def assert_no_fault(channel: grpc.Channel, method: str, sent: bytes) -> None:
    make: Any = channel.unary_stream(f"/flowhub.v1.FlowHub/{method}")
    call = make(sent, timeout=SECONDS)
    with contextlib.suppress(grpc.RpcError):
        list(call)
    assert call.code() in {
        grpc.StatusCode.OK,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.ALREADY_EXISTS,
        grpc.StatusCode.FAILED_PRECONDITION,
    }, (call.code(), call.details())


def test_a_method_that_is_not_there_is_unimplemented(channel: grpc.Channel) -> None:
    for path in ("/flowhub.v1.FlowHub/Nobodys", "/flowhub.v2.FlowHub/GetRun"):
        call: Any = channel.unary_unary(path)
        with refused(grpc.StatusCode.UNIMPLEMENTED):
            call(b"", timeout=SECONDS)


def test_a_message_has_a_bound(backend: Backend) -> None:
    with rpc_over(backend, most_bytes=10_000) as address, grpc.insecure_channel(address) as channel:
        request = pb.SubmitRunRequest(pipeline="greet", params=struct(city="x" * 11_000))
        with refused(grpc.StatusCode.RESOURCE_EXHAUSTED):
            stub_of(channel).SubmitRun(request, timeout=SECONDS)
        request = pb.SubmitRunRequest(pipeline="greet", params=struct(city="Seoul"))
        assert stub_of(channel).SubmitRun(request, timeout=SECONDS).is_new


def test_a_port_that_is_taken_is_told(backend: Backend, address: str) -> None:
    host, port = address.split(":")
    with pytest.raises(InputError, match=f"{host}:{port} cannot be listened at") as caught:
        asyncio.run(started(backend, host, int(port)))
    assert "--grpc-port" in caught.value.remedy
    with pytest.raises(InputError, match=r"192\.0\.2\.1"):
        asyncio.run(started(backend, "192.0.2.1", 0))


async def started(backend: Backend, host: str, port: int) -> None:
    await (await start_grpc(backend, host, port)).end(1)


def test_over_tls_alone_where_there_is_a_certificate(backend: Backend, tmp_path: Path) -> None:
    files = tls_files(tmp_path, "127.0.0.1")
    pem = files.with_key.read_bytes()
    request = pb.ListPipelinesRequest()
    with rpc_over(backend, certificates=Certificates(files.certificate.read_bytes(), pem)) as address:
        trusted = grpc.ssl_channel_credentials(files.certificate.read_bytes())
        with grpc.secure_channel(address, trusted) as channel:
            assert stub_of(channel).ListPipelines(request, timeout=SECONDS).pipelines
        with grpc.insecure_channel(address) as channel, refused(grpc.StatusCode.UNAVAILABLE):
            stub_of(channel).ListPipelines(request, timeout=SECONDS)


def test_so_many_calls_are_open_at_once_and_no_more(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_MOST_OPEN", 2)
    with rpc_over(backend) as address, grpc.insecure_channel(address) as channel:
        stub = stub_of(channel)
        run_id = stub.SubmitRun(pb.SubmitRunRequest(pipeline="greet"), timeout=SECONDS).run_id
        watched = [stub.WatchRun(pb.WatchRunRequest(run_id=run_id), timeout=SECONDS) for _ in range(2)]
        for one in watched:
            next(one)
        with refused(grpc.StatusCode.RESOURCE_EXHAUSTED):
            stub.GetRun(pb.GetRunRequest(run_id=run_id), timeout=SECONDS)
        for one in watched:
            one.cancel()


def test_two_hundred_clients_at_once(backend: Backend, address: str) -> None:
    together = threading.Barrier(200)

    def ask(number: int) -> str:
        # A connection of its own, else all of a process share one.
        with grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]) as channel:
            together.wait(SECONDS)
            request = pb.SubmitRunRequest(pipeline="greet", idempotency_key=f"client {number // 2}")
            answer: pb.SubmitRunResponse = stub_of(channel).SubmitRun(request, timeout=2 * SECONDS)
            return answer.run_id

    with ThreadPoolExecutor(200) as pool:
        run_ids = list(pool.map(ask, range(200)))
    # Two clients of one key have one run.
    assert run_ids[::2] == run_ids[1::2]
    assert len(set(run_ids)) == 100


def test_it_ends_in_order_with_the_server_of_http(tmp_path: Path) -> None:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "greet.yaml").write_text(GREET)
    with ServerProcess(tmp_path) as process:
        address = f"127.0.0.1:{process.grpc_port}"
        assert f"gRPC  {address}" in process.log()
        with grpc.insecure_channel(address) as channel:
            stub = stub_of(channel)
            run_id = stub.SubmitRun(pb.SubmitRunRequest(pipeline="greet"), timeout=SECONDS).run_id
            seen = httpx.get(f"{process.url}/api/v1/runs/{run_id}", timeout=60).json()
            assert (seen["status"], seen["door"]) == ("QUEUED", "grpc")
            assert (
                'door="grpc",path="/flowhub.v1.FlowHub/SubmitRun"'
                in httpx.get(f"{process.url}/metrics", timeout=60).text
            )
            updates = stub.WatchRun(pb.WatchRunRequest(run_id=run_id), timeout=SECONDS)
            next(updates)
            assert a_second_one(process) == (1, "cannot be listened at")
            assert process.stop() == 0, process.log()
            with refused(grpc.StatusCode.UNAVAILABLE) as told:
                list(updates)
            assert told["message"] == "the server ends"
        assert "Traceback" not in process.log()


def a_second_one(first: ServerProcess) -> tuple[int, str]:
    """The exit status of a server that is to take the same gRPC port, and what it says, as far as that is known."""
    command = [sys.executable, "-m", "flowhub_assets.cli", "serve", "--port", str(free_port())]
    done = subprocess.run(
        [*command, "--grpc-port", str(first.grpc_port)],
        env=first.environment,
        cwd=first.base,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    words = "cannot be listened at"
    return done.returncode, words if f"127.0.0.1:{first.grpc_port} {words}" in done.stderr else done.stderr
