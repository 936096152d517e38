"""What the caller of a webhook is answered, by what its run has come to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

from dagster import DagsterInstance, DagsterRun, OpExecutionContext

from flowhub_assets.ir.pipeline import Pipeline, Task
from flowhub_assets.ir.task_tree import waits_for
from flowhub_assets.nodes.http.content import json_bytes
from flowhub_assets.resources.profiles import ProfileResource, StorageResource
from flowhub_assets.resources.settings import read_settings
from flowhub_assets.server.catalogue import Entry
from flowhub_assets.store.submissions import Submission
from flowhub_assets.to_dagster.flow_run import FlowRun

#: The kind of node that says it.
ANSWER = "http-response"
#: The pipeline failed: what stands behind this server did, not the server itself, which answers 500 then.
FAILED_STATUS = 502


@dataclass(frozen=True)
class Reply:
    """An HTTP answer. ``is_final`` is False for 202: the run goes on."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    is_final: bool = True


@dataclass(frozen=True)
class _Resources:
    profile: ProfileResource
    storage: StorageResource


@dataclass(frozen=True)
class _Asked:
    """As much of a step's context as reading a value takes."""

    run: DagsterRun
    instance: DagsterInstance


def answering_tasks(pipeline: Pipeline) -> list[Task]:
    """The pipeline's last nodes that are http-responses: the first of them that ran is the answer."""
    taken = {name for task in pipeline.tasks for name in waits_for(task)}
    return [task for task in pipeline.tasks if task.node and task.node.type == ANSWER and task.name not in taken]


def succeeded(entry: Entry, submission: Submission, run: DagsterRun, instance: DagsterInstance, url: str) -> Reply:
    """What the run's http-response says; 202 if that was skipped. Raises StorageError, ProfileError."""
    flow = FlowRun(entry.runnable, submission.order.params, _resources(submission.order.profile), run)
    asked = cast(OpExecutionContext, _Asked(run, instance))
    for task in answering_tasks(entry.pipeline):
        value = flow.load(asked, task.name)
        if value is not None and "error" not in value:
            return _as_reply(value)
    return later(submission, url)


@cache
def _resources(profile: str | None) -> _Resources:
    return _Resources(ProfileResource(name=profile or read_settings().profile), StorageResource())


def _as_reply(value: Mapping[str, Any]) -> Reply:
    body = value["body"]
    if body is None:
        data = b""
    else:
        data = body.encode() if isinstance(body, str) else json_bytes(body)
    return Reply(int(value["status"]), dict(value["headers"]), data)


def later(submission: Submission, url: str) -> Reply:
    """202: the run goes on, and this is where it is found."""
    location = f"/api/v1/runs/{submission.run_id}"
    told = {"run_id": submission.run_id, "pipeline": submission.pipeline, "url": url}
    headers = {"Content-Type": "application/json", "Location": location}
    return Reply(202, headers, json.dumps(told).encode(), is_final=False)


def failed(submission: Submission, url: str) -> Reply:
    """An RFC 9457 problem: the pipeline failed. Why stands in its run, not here."""
    told = {
        "type": "about:blank",
        "title": "The pipeline failed",
        "status": FAILED_STATUS,
        "detail": f"The run of {submission.pipeline} failed; its page says why.",
        "run_id": submission.run_id,
        "url": url,
    }
    return Reply(FAILED_STATUS, {"Content-Type": "application/problem+json"}, json.dumps(told).encode())
