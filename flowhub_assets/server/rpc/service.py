"""flowhub.v1.FlowHub: each method translates a message into what the other doors ask for too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from google.protobuf.duration_pb2 import Duration

from flowhub_assets.errors import Conflict, ParamsRefused
from flowhub_assets.server.access import Caller
from flowhub_assets.server.audit import note
from flowhub_assets.server.backend import Backend
from flowhub_assets.server.matrix import PATIENCE, start_each
from flowhub_assets.server.pipeline_views import params_schema, view_pipeline
from flowhub_assets.server.rpc.calls import caller_now
from flowhub_assets.server.rpc.flowhub.v1 import flowhub_pb2 as pb
from flowhub_assets.server.rpc.flowhub.v1.flowhub_pb2_grpc import FlowHubServicer
from flowhub_assets.server.rpc.messages import pipeline_message, run_message
from flowhub_assets.server.rpc.statuses import KeyTaken
from flowhub_assets.server.rpc.structs import params_of, value_of
from flowhub_assets.server.rpc.threads import Threads
from flowhub_assets.server.rpc.watching import Watching
from flowhub_assets.server.run_acts import cancel_run, retry_run
from flowhub_assets.server.run_results import result_of
from flowhub_assets.server.run_views import no_run, view_run
from flowhub_assets.server.runs import KEY_LIFETIME, Started, StartRequest

SERVICE = "flowhub.v1.FlowHub"
#: The longest of each field, as over HTTP; the most is for fields that nothing else bounds.
_LONGEST = {"pipeline": 255, "idempotency_key": 255, "queue": 63, "env": 255, "latest_of": 255, "partition": 255}
_LONGEST_LIFETIME = 366 * 24 * 3_600
_HIGHEST_PRIORITY = 1_000_000
_MOST_STEPS = 1_000


class FlowHub(FlowHubServicer):
    """The methods, for a server of grpc.aio. What blocks is done in ``threads``."""

    def __init__(self, backend: Backend, threads: Threads, watching: Watching) -> None:
        self._backend = backend
        self._threads = threads
        self._watching = watching

    async def ListPipelines(self, _request: pb.ListPipelinesRequest, _context: Any) -> pb.ListPipelinesResponse:  # noqa: N802
        """All pipelines, by name."""
        caller_now().require("viewer", "list pipelines")
        return await self._threads.do(self._list)

    async def GetPipeline(self, request: pb.GetPipelineRequest, _context: Any) -> pb.Pipeline:  # noqa: N802
        """One pipeline. Raises NotFound."""
        caller_now().require("viewer", "look at pipelines")
        return await self._threads.do(self._pipeline, request.name)

    async def SubmitRun(self, request: pb.SubmitRunRequest, _context: Any) -> pb.SubmitRunResponse:  # noqa: N802
        """Starts a run. Raises what Runs.start raises; KeyTaken in place of Conflict."""
        caller = caller_now()
        caller.require("runner", f"start {request.pipeline[:100]}")
        return await self._threads.do(self._submit, request, caller)

    async def GetRun(self, request: pb.GetRunRequest, _context: Any) -> pb.Run:  # noqa: N802
        """One run. Raises NotFound."""
        caller_now().require("viewer", "look at runs")
        return await self._threads.do(self._run, request.run_id)

    async def WatchRun(  # noqa: N802
        self, request: pb.WatchRunRequest, _context: Any
    ) -> AsyncIterator[pb.WatchRunResponse]:
        """Its events until it is over. Raises NotFound, Unavailable when the server ends."""
        caller_now().require("viewer", "look at runs")
        async for response in self._watching.watch(run_id_in(request.run_id), request.cursor):
            yield response

    async def GetRunResult(self, request: pb.GetRunResultRequest, _context: Any) -> pb.GetRunResultResponse:  # noqa: N802
        """What a run gave. Raises NotFound, Conflict."""
        caller_now().require("viewer", "look at runs")
        value = await self._threads.do(result_of, self._backend, run_id_in(request.run_id))
        return pb.GetRunResultResponse(value=value_of(value))

    async def CancelRun(self, request: pb.CancelRunRequest, _context: Any) -> pb.Run:  # noqa: N802
        """Stops a run. Raises NotFound, Conflict."""
        caller = caller_now()
        caller.require("runner", "cancel runs")
        return await self._threads.do(self._cancel, run_id_in(request.run_id), caller)

    async def RetryRun(self, request: pb.RetryRunRequest, _context: Any) -> pb.SubmitRunResponse:  # noqa: N802
        """Starts a run once more. Raises NotFound, Conflict."""
        caller = caller_now()
        caller.require("runner", "retry runs")
        return await self._threads.do(self._retry, request, caller)

    def _list(self) -> pb.ListPipelinesResponse:
        views = [view_pipeline(entry) for entry in self._backend.catalogue.all()]
        return pb.ListPipelinesResponse(pipelines=[pipeline_message(view) for view in views])

    def _pipeline(self, name: str) -> pb.Pipeline:
        return pipeline_message(view_pipeline(self._backend.catalogue.get(name)))

    def _submit(self, request: pb.SubmitRunRequest, caller: Caller) -> pb.SubmitRunResponse:
        start = start_request(self._backend, request, caller)
        try:
            cells = start_each(self._backend, start, PATIENCE)
            if cells:
                runs = [self._started(cell.started, cell.partition) for cell in cells]
                is_new = any(run.is_new for run in runs)
                return pb.SubmitRunResponse(pipeline=runs[0].pipeline, is_new=is_new, runs=runs)
            return self._started(self._backend.runs.start(start))
        except Conflict as error:
            raise KeyTaken(error.what, effect=error.effect, remedy=error.remedy) from error

    def _run(self, run_id: str) -> pb.Run:
        return run_message(view_run(self._backend, run_id_in(run_id)))

    def _cancel(self, run_id: str, caller: Caller) -> pb.Run:
        view = cancel_run(self._backend, run_id, caller)
        note(self._backend.database, caller, "grpc", "cancel", run_id)
        return run_message(view)

    def _retry(self, request: pb.RetryRunRequest, caller: Caller) -> pb.SubmitRunResponse:
        steps = list(request.steps)
        _require_plain("idempotency_key", request.idempotency_key, _LONGEST["idempotency_key"])
        if len(steps) > _MOST_STEPS:
            raise _refused("steps", f"are {len(steps)} names, more than {_MOST_STEPS}")
        run_id = run_id_in(request.run_id)
        key = request.idempotency_key or None
        from_failure = not steps and not request.all_steps
        started = retry_run(self._backend, run_id, from_failure=from_failure, steps=steps, caller=caller, key=key)
        return self._started(started)

    def _started(self, started: Started, partition: str = "") -> pb.SubmitRunResponse:
        return pb.SubmitRunResponse(
            run_id=started.run_id,
            partition=partition,
            pipeline=started.pipeline,
            is_new=started.is_new,
            reason=started.reason,
            url=self._backend.run_url(started.run_id),
        )


def start_request(backend: Backend, request: pb.SubmitRunRequest, caller: Caller) -> StartRequest:
    """What the door is asked for. Raises NotFound, ParamsRefused."""
    for name, most in _LONGEST.items():
        _require_plain(name, getattr(request, name), most)
    priority = request.priority if request.HasField("priority") else None
    if priority is not None and abs(priority) > _HIGHEST_PRIORITY:
        raise _refused("priority", f"is {priority}, not between -{_HIGHEST_PRIORITY} and {_HIGHEST_PRIORITY}")
    pipeline = backend.catalogue.get(request.pipeline).pipeline
    return StartRequest(
        pipeline=request.pipeline,
        params=params_of(request.params, params_schema(pipeline)),
        profile=request.env or None,
        queue=request.queue or None,
        priority=priority,
        partition=request.partition or None,
        key=request.idempotency_key or None,
        key_lifetime=_lifetime(request.key_lifetime) if request.HasField("key_lifetime") else KEY_LIFETIME,
        force=request.force,
        latest_of=request.latest_of or None,
        door="grpc",
        caller=caller.name,
        peer=caller.peer,
    )


def run_id_in(text: str) -> str:
    """A run's id as it came. Raises NotFound for what can be none: no database takes every text."""
    if len(text) > 100 or not text.isprintable():
        raise no_run(text)
    return text


def _lifetime(duration: Duration) -> float:
    seconds = duration.seconds + duration.nanos / 1e9
    if not 0 < seconds <= _LONGEST_LIFETIME:
        raise _refused("key_lifetime", f"is {seconds:g} s, not between 0 and {_LONGEST_LIFETIME} s")
    return seconds


def _require_plain(name: str, text: str, most: int) -> None:
    if len(text) > most:
        raise _refused(name, f"is {len(text)} characters long, more than {most}")
    if not text.isprintable():
        raise _refused(name, "has characters that cannot be shown")


def _refused(name: str, what: str) -> ParamsRefused:
    remedy = "send another value"
    fields = ((name, f"{name} {what}", remedy),)
    return ParamsRefused(f"{name} {what}", effect="Nothing was started.", remedy="Send another value.", fields=fields)
