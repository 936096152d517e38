"""A flow with typed params → the gRPC method that starts it: of its own .proto, or of one that a team has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import duration_pb2, struct_pb2, timestamp_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from flowhub_assets.errors import DefinitionError
from flowhub_assets.runtime.step import Runnable
from flowhub_assets.server.rpc.proto_files import parsed
from flowhub_assets.server.rpc.proto_text import proto_text
from flowhub_assets.server.rpc.typed_files import METHOD, proto_name, typed_file
from flowhub_assets.server.rpc.typed_fits import misfits
from flowhub_assets.server.rpc.typed_numbers import keep_numbers

_GOOGLES = (timestamp_pb2, duration_pb2, struct_pb2)


@dataclass(frozen=True)
class TypedMethod:
    """``service`` and ``name`` are the method's; ``files`` its serialized .proto files, each behind its imports."""

    runnable: Runnable
    service: str
    name: str
    request: type[Message]
    response: type[Message]
    files: tuple[bytes, ...]

    @property
    def path(self) -> str:
        """As gRPC names it: /package.Service/Method."""
        return f"/{self.service}/{self.name}"


def typed_method(runnable: Runnable) -> TypedMethod:
    """The method of a flow whose params are of a class. Raises DefinitionError, with all that does not fit."""
    return _bound(runnable) if runnable.grpc else _own(runnable)


def own_file(runnable: Runnable, folder: Path | None = None) -> FileDescriptorProto:
    """The flow's own file, with the numbers of the one in ``folder``: beside the workflow, if left out."""
    file = typed_file(runnable)
    folder = folder or Path(runnable.pipeline.source.file).parent
    committed = folder / proto_name(runnable)
    if committed.is_file():
        keep_numbers(file, parsed(committed)[-1], committed)
    return file


def own_text(runnable: Runnable, folder: Path | None = None) -> str:
    """The text of the flow's own file."""
    heading = (
        f"The service of flow {runnable.pipeline.name}, written by `flowhub proto`. Commit it beside the workflow:\n"
        "the numbers of its fields are kept when it is written again."
    )
    return proto_text(own_file(runnable, folder), heading)


def _own(runnable: Runnable) -> TypedMethod:
    file = own_file(runnable)
    googles = [FileDescriptorProto.FromString(one.DESCRIPTOR.serialized_pb) for one in _GOOGLES]
    service = f"{file.package}.{file.service[0].name}"
    return _method(runnable, [*googles, file], service, METHOD)


def _bound(runnable: Runnable) -> TypedMethod:
    text, _, method = runnable.grpc.rpartition(":")
    service, _, name = method.rpartition(".")
    if not text or not service:
        raise DefinitionError(
            f"grpc={runnable.grpc!r} names no method of a .proto",
            where=runnable.pipeline.source,
            remedy="write grpc='protos/team.proto:team.v1.Service.Method', the path seen from the workflow's file",
        )
    home = Path(runnable.pipeline.source.file).parent
    made = _method(runnable, parsed(home / text, (home,)), service, name)
    wrong = misfits(made.request.DESCRIPTOR, runnable.params_type)
    if runnable.result_type is not None:
        wrong += misfits(made.response.DESCRIPTOR, runnable.result_type, is_result=True)
    elif made.response.DESCRIPTOR.fields:
        wrong.append(f"{made.response.DESCRIPTOR.full_name} has fields, and the flow names no result=")
    if wrong:
        raise DefinitionError(
            f"flow {runnable.pipeline.name!r} does not fit {text}: {'; '.join(wrong)}",
            where=runnable.pipeline.source,
            effect=f"nobody can call {method}",
            remedy="let the class have what the .proto has; fields are matched by their names",
        )
    return made


def _method(runnable: Runnable, files: Sequence[FileDescriptorProto], service: str, name: str) -> TypedMethod:
    pool: Any = DescriptorPool()
    texts = tuple(file.SerializeToString() for file in files)
    try:
        for text in texts:
            pool.AddSerializedFile(text)
        found = pool.FindServiceByName(service).methods_by_name[name]
    except KeyError:
        known = [
            f"{file.package}.{one.name}.{method.name}"
            for file in files
            for one in file.service
            for method in one.method
        ]
        raise DefinitionError(
            f"there is no method {service}.{name}",
            where=runnable.pipeline.source,
            effect="nobody can call it",
            remedy=f"its methods are {', '.join(known) or 'none'}",
        ) from None
    except TypeError as error:
        raise DefinitionError(f"its .proto is refused: {error}", where=runnable.pipeline.source) from None
    if found.client_streaming or found.server_streaming:
        raise DefinitionError(
            f"{service}.{name} streams",
            where=runnable.pipeline.source,
            effect="a run has one request and one result",
            remedy="bind a method without stream",
        )
    request, response = GetMessageClass(found.input_type), GetMessageClass(found.output_type)
    return TypedMethod(runnable, service, name, request, response, texts)
