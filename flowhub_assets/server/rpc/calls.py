"""What every call passes: who asks, and what becomes of an error. The methods behind it know nothing of either."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any
from urllib.parse import unquote

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from flowhub_assets.errors import InputError, NotAllowed, TooMuch
from flowhub_assets.server.access import Caller, authenticate, bearer
from flowhub_assets.server.audit import note
from flowhub_assets.server.backend import Backend
from flowhub_assets.server.metrics import Metrics
from flowhub_assets.server.rate_limit import RateLimit
from flowhub_assets.server.rpc.statuses import refusal_of
from flowhub_assets.server.rpc.threads import Threads

#: A load balancer asks for it, and has no token.
_OPEN_TO_ALL = "/grpc.health.v1.Health/"
#: What a proxy adds: then the peer is the proxy, and who asks may be anywhere.
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "x-envoy-external-address")

#: Who is told of things for so many seconds is asked for his token again: it may have been revoked.
_AGAIN_SECONDS = 30.0

_Context = grpc.aio.ServicerContext[Any, Any]
_caller: ContextVar[Caller] = ContextVar("flowhub_grpc_caller")


def caller_now() -> Caller:
    """Who asks in the call that this task answers."""
    return _caller.get()


class CallGuard(grpc.aio.ServerInterceptor):
    """Stands before each method of each service."""

    def __init__(self, backend: Backend, threads: Threads, rate: RateLimit, metrics: Metrics | None) -> None:
        self._backend = backend
        self._threads = threads
        self._rate = rate
        self._metrics = metrics

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The method's handler, guarded; None where there is no such method, which grpc answers itself."""
        found: Any = await continuation(handler_call_details)
        method = str(handler_call_details.method)
        if found is None or method.startswith(_OPEN_TO_ALL):
            return found  # type: ignore[no-any-return]
        return self._guarded(found, method)

    def _guarded(self, found: Any, method: str) -> grpc.RpcMethodHandler[Any, Any]:
        coders = (_or_unreadable(found.request_deserializer), found.response_serializer)
        match bool(found.request_streaming), bool(found.response_streaming):
            case False, False:
                return grpc.unary_unary_rpc_method_handler(self._one(found.unary_unary, method), *coders)
            case False, True:
                return grpc.unary_stream_rpc_method_handler(self._many(found.unary_stream, method), *coders)
            case True, False:
                return grpc.stream_unary_rpc_method_handler(self._one(found.stream_unary, method), *coders)
            case _:
                return grpc.stream_stream_rpc_method_handler(self._many(found.stream_stream, method), *coders)

    def _one(self, behaviour: Callable[[Any, Any], Awaitable[Any]], method: str) -> Callable[[Any, Any], Any]:
        async def answer(request: Any, context: _Context) -> Any:
            async with self._guard(context, method):
                return await behaviour(_readable(request), context)

        return answer

    def _many(self, behaviour: Callable[[Any, Any], AsyncIterator[Any]], method: str) -> Callable[[Any, Any], Any]:
        async def answer(request: Any, context: _Context) -> AsyncIterator[Any]:
            async with self._guard(context, method):
                asked = time.monotonic()
                async for one in behaviour(_readable(request), context):
                    if time.monotonic() - asked > _AGAIN_SECONDS:
                        await self._caller(context)
                        asked = time.monotonic()
                    yield one

        return answer

    @asynccontextmanager
    async def _guard(self, context: _Context, method: str) -> AsyncIterator[None]:
        begun, code = time.monotonic(), grpc.StatusCode.CANCELLED
        try:
            await self._admit(context)
            yield
            code = grpc.StatusCode.OK
        except grpc.aio.AbortError:
            # The method has ended the call itself.
            code = context.code()
            raise
        except Exception as error:  # noqa: BLE001 - each becomes a status; what is unexpected is logged there
            if isinstance(error, NotAllowed):
                await self._threads.do(self._note, caller_now(), method, error)
            refusal = refusal_of(error)
            code = refusal.code
            await context.abort(refusal.code, refusal.message, refusal.metadata)
        finally:
            if self._metrics is not None:
                self._metrics.request("grpc", method, _name(code), time.monotonic() - begun)

    def _note(self, caller: Caller, method: str, error: NotAllowed) -> None:
        """Who tries what he may not is in the audit log, too."""
        action = method.rpartition("/")[2]
        note(self._backend.database, caller, "grpc", action, "", result="refused", detail=error.what)

    async def _admit(self, context: _Context) -> None:
        """Raises NotAuthenticated, TooMuch, Unavailable."""
        if wait := self._rate.wait_for(host_of(context.peer())):
            raise TooMuch("too many requests from here", remedy=f"Come back in {wait:.1f} seconds.", seconds=wait)
        _caller.set(await self._caller(context))

    async def _caller(self, context: _Context) -> Caller:
        """Raises NotAuthenticated, Unavailable."""
        sent = {str(key): value for key, value in context.invocation_metadata() or ()}
        header = sent.get("authorization")
        token = bearer(header.decode("latin-1") if isinstance(header, bytes) else header)
        forwarded = any(name in sent for name in _FORWARDED)
        # The tokens are in the database, which may be slow.
        peer = host_of(context.peer())
        return await self._threads.do(authenticate, self._backend, token, peer, is_forwarded=forwarded)


def _name(code: Any) -> str:
    """A context tells the code that a method has set as a number."""
    if isinstance(code, grpc.StatusCode):
        return code.name
    return next((one.name for one in grpc.StatusCode if one.value[0] == code), "UNKNOWN")


class _Unreadable:
    """Stands for bytes that are not the message which the method takes: grpc's own answer would be INTERNAL."""


def _or_unreadable(deserialize: Callable[[bytes], Any] | None) -> Callable[[bytes], Any] | None:
    if deserialize is None:
        return None

    def read(sent: bytes) -> Any:
        try:
            return deserialize(sent)
        except DecodeError:
            return _Unreadable()

    return read


def _readable(request: Any) -> Any:
    """The message, or the messages of a stream. Raises InputError."""
    if isinstance(request, _Unreadable):
        raise InputError(
            "the message cannot be read",
            effect="Nothing was done.",
            remedy="Make it by the .proto file that reflection tells.",
        )
    return _each_readable(request) if hasattr(request, "__aiter__") else request


async def _each_readable(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        yield _readable(request)


def host_of(peer: str) -> str:
    """The address in what grpc calls a peer: ``ipv4:127.0.0.1:5000``, ``ipv6:%5B::1%5D:5000``, ``unix:``."""
    kind, _, address = unquote(peer).partition(":")
    if kind == "unix":
        return "127.0.0.1"
    return address.rpartition(":")[0].strip("[]")
