"""What this server knows, as messages of flowhub.v1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from flowhub_assets.server.pipeline_views import PipelineView
from flowhub_assets.server.rpc.flowhub.v1 import flowhub_pb2 as pb
from flowhub_assets.server.rpc.structs import struct_of, utf8
from flowhub_assets.server.run_events import RunEvent
from flowhub_assets.server.run_views import RunView, StepView

_STATUSES = {name.removeprefix("RUN_STATUS_"): name for name, _ in pb.RunStatus.items()}
_INT32 = 2**31 - 1


def pipeline_message(view: PipelineView) -> pb.Pipeline:
    """One pipeline."""
    return pb.Pipeline(
        name=view.name,
        job=view.job,
        description=utf8(view.description),
        params_schema=struct_of(view.params),
        triggers=view.triggers,
        tasks=view.tasks,
        tags=view.tags,
        owners=view.owners,
        profiles=view.profiles,
        queue=view.queue or "",
        priority=_int32(view.priority),
        partitions=_partitions(view.partitions) if view.partitions is not None else None,
    )


def _partitions(told: Mapping[str, Any]) -> pb.Partitions:
    if "every" in told:
        return pb.Partitions(every=told["every"], start=told["start"], timezone=told["timezone"])
    return pb.Partitions(dimensions=[pb.PartitionDimension(name=name, keys=keys) for name, keys in told.items()])


def run_message(view: RunView) -> pb.Run:
    """One run."""
    return pb.Run(
        run_id=view.run_id,
        pipeline=view.pipeline,
        job=view.job,
        status=_STATUSES.get(view.status),
        created=_time(view.created),
        started=_time(view.started),
        ended=_time(view.ended),
        queue=view.queue or "",
        priority=_int32(view.priority or 0),
        door=view.door,
        caller=view.caller,
        tags={utf8(key): utf8(value) for key, value in view.tags.items()},
        steps=[_step(step) for step in view.steps],
        error=utf8(view.error),
        url=view.url,
        parent_run_id=view.parent_run_id,
    )


def event_message(event: RunEvent) -> pb.RunEvent:
    """One event, or one line of a log."""
    return pb.RunEvent(
        cursor=event.cursor,
        time=_time(event.time),
        kind=event.kind,
        step=event.step,
        level=event.level,
        message=utf8(event.message),
        attempt=_int32(event.attempt),
    )


def _step(step: StepView) -> pb.Step:
    return pb.Step(
        name=step.step,
        status=step.status,
        attempt=_int32(step.attempt),
        started=_time(step.started),
        ended=_time(step.ended),
    )


def _time(seconds: float | None) -> Timestamp | None:
    if seconds is None:
        return None
    told = Timestamp()
    told.FromMicroseconds(round(seconds * 1_000_000))
    return told


def _int32(number: int) -> int:
    return max(-_INT32, min(_INT32, number))
