"""Typed flows over gRPC: a call starts a run by the one door, waits for its end, and answers with its result.

The run's id is in the initial metadata, flowhub-run-id; ``idempotency-key`` in the call's own makes a repeated call
wait for the same run. A client that gives up, or whose deadline has passed, leaves the run as it is.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import grpc
import grpc.aio
from google.protobuf import json_format
from google.protobuf.message import Message

from flowhub_assets.errors import Conflict, FlowhubError, NotFound, ParamsRefused
from flowhub_assets.runtime.typed_values import faults_of, form_of, typed_path
from flowhub_assets.server.access import Caller
from flowhub_assets.server.backend import Backend
from flowhub_assets.server.catalogue import Entry
from flowhub_assets.server.param_faults import told_fault
from flowhub_assets.server.rpc.calls import caller_now
from flowhub_assets.server.rpc.server import Service
from flowhub_assets.server.rpc.statuses import KeyTaken
from flowhub_assets.server.rpc.threads import Threads
from flowhub_assets.server.rpc.typed_messages import fields_from, fill
from flowhub_assets.server.rpc.typed_methods import TypedMethod, typed_method
from flowhub_assets.server.run_results import result_of
from flowhub_assets.server.run_views import RunView, view_run
from flowhub_assets.server.runs import StartRequest

logger = logging.getLogger("flowhub.server")

#: Of the initial metadata: the run that the call has started, or that its key had started.
RUN_ID_KEY, IDEMPOTENCY_KEY = "flowhub-run-id", "idempotency-key"

_LONGEST_KEY = 255
#: Seconds between two looks at a run: at first, and at most.
_PAUSE, _LONGEST_PAUSE = 0.1, 1.0
#: Seconds between two looks at the pipelines.
_LOOK_SECONDS = 2.0
_OVER = ("SUCCESS", "FAILURE", "CANCELED", "SUPERSEDED", "FAILED_TO_LAUNCH")
_THREADS = 8


class TypedFlows(grpc.GenericRpcHandler):
    """Answers the methods of all typed flows; those of files that have changed are found anew."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._threads = Threads(_THREADS, "flowhub-grpc-typed")
        self._lock = threading.Lock()
        self._looked = float("-inf")
        self._made: dict[int, tuple[Entry, TypedMethod | FlowhubError]] = {}
        self._by_path: Mapping[str, TypedMethod] = {}

    def methods(self) -> Mapping[str, TypedMethod]:
        """By their paths. A flow whose .proto does not fit has none, and the log says why."""
        with self._lock:
            if time.monotonic() - self._looked > _LOOK_SECONDS:
                entries = [one for one in self._backend.catalogue.all() if one.runnable.params_type is not None]
                self._made = {id(one): self._made.get(id(one)) or (one, _method_or_error(one)) for one in entries}
                found = [method for _, method in self._made.values() if isinstance(method, TypedMethod)]
                self._by_path = {method.path: method for method in reversed(found)}
                self._looked = time.monotonic()
            return self._by_path

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The handler of a call, None for a method that is none of theirs."""
        method = self.methods().get(str(handler_call_details.method))
        if method is None:
            return None
        return grpc.unary_unary_rpc_method_handler(
            partial(self._answer, method),
            request_deserializer=method.request.FromString,
            response_serializer=method.response.SerializeToString,
        )

    async def _answer(self, method: TypedMethod, request: Message, context: Any) -> Message:
        caller = caller_now()
        pipeline = method.runnable.pipeline.name
        caller.require("runner", f"start {pipeline}")
        sent = {str(key): value for key, value in context.invocation_metadata() or ()}
        run_id = await self._threads.do(self._start, method, request, caller, sent.get(IDEMPOTENCY_KEY))
        told = ((RUN_ID_KEY, run_id),)
        await context.send_initial_metadata(told)
        view = await self._end_of(run_id)
        if view.status == "SUCCESS":
            return await self._threads.do(self._response, method, run_id)
        code = grpc.StatusCode.CANCELLED if view.status in ("CANCELED", "SUPERSEDED") else grpc.StatusCode.ABORTED
        await context.abort(code, f"run {run_id} of {pipeline} ended with {view.status}: {_short(view.error)}", told)
        raise AssertionError("abort raises")

    def _start(self, method: TypedMethod, request: Message, caller: Caller, key: Any) -> str:
        if key is not None and (not isinstance(key, str) or len(key) > _LONGEST_KEY):
            raise ParamsRefused(f"{IDEMPOTENCY_KEY} is longer than {_LONGEST_KEY} characters")
        name = method.runnable.pipeline.name
        start = StartRequest(
            pipeline=name, params=params_of(method, request), key=key or None, door="grpc", caller=caller.name
        )
        try:
            return self._backend.runs.start(start).run_id
        except Conflict as error:
            raise KeyTaken(error.what, effect=error.effect, remedy=error.remedy) from error

    async def _end_of(self, run_id: str) -> RunView:
        pause = _PAUSE
        while True:
            try:
                view = await self._threads.do(view_run, self._backend, run_id)
                if view.status in _OVER:
                    return view
            except NotFound:
                logger.debug("run %s is not seen yet", run_id)
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE, pause * 1.3)

    def _response(self, method: TypedMethod, run_id: str) -> Message:
        value = result_of(self._backend, run_id)
        response = method.response()
        kind = method.runnable.result_type
        if kind is None:
            if "run_id" in response.DESCRIPTOR.fields_by_name:
                json_format.ParseDict({"runId": run_id, "result": value}, response)
            return response
        form = form_of(kind)
        try:
            made = form.from_json(value)
        except ValueError as error:
            told = "; ".join(f"{typed_path(path)}: {what}" for path, what in faults_of(error)[:10])
            raise Conflict(
                f"what run {run_id} gave is no {kind.__name__}: {told}",
                effect="It has no typed answer.",
                remedy="Let the flow return what its result= says; the run's own page shows what it gave.",
            ) from None
        fill(response, made, kind)
        return response


def typed_services(backend: Backend) -> list[Service]:
    """The services of all typed flows, for ``start_grpc``: their names and files are those of now."""
    flows = TypedFlows(backend)
    files: dict[str, dict[bytes, None]] = {}
    for method in flows.methods().values():
        files.setdefault(method.service, {}).update(dict.fromkeys(method.files))
    return [Service(name, flows, tuple(texts)) for name, texts in sorted(files.items())]


def params_of(method: TypedMethod, request: Message) -> dict[str, Any]:
    """The params that a message stands for, as JSON. Raises ParamsRefused, field by field."""
    kind = method.runnable.params_type
    form = form_of(kind)
    try:
        params: dict[str, Any] = form.to_json(form.from_fields(fields_from(request, kind)))
    except ValueError as error:
        faults = tuple(told_fault(path, what) for path, what in faults_of(error))
        raise ParamsRefused(
            f"{method.request.DESCRIPTOR.full_name} is not what {method.runnable.pipeline.name} takes: "
            + "; ".join(what for _, what, _ in faults[:10]),
            effect="Nothing was started.",
            remedy="Give other values to these fields.",
            fields=faults,
        ) from None
    return params


def _method_or_error(entry: Entry) -> TypedMethod | FlowhubError:
    try:
        return typed_method(entry.runnable)
    except FlowhubError as error:
        logger.error("%s", error)
        return error


def _short(text: str) -> str:
    return text if len(text) <= 500 else f"{text[:500]}..."
