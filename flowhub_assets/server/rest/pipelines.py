"""GET /api/v1/pipelines: what can be started, and with which params."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from flowhub_assets.server.catalogue import Entry
from flowhub_assets.server.pipeline_views import view_pipeline
from flowhub_assets.server.rest.callers import TheBackend, TheCaller

router = APIRouter(prefix="/api/v1", tags=["pipelines"])


class PipelineBody(BaseModel):
    """One pipeline."""

    name: str
    job: str = Field(description="The name of its job in Dagster.")
    description: str
    tags: list[str]
    owners: list[str]
    params: dict[str, Any] = Field(description="A JSON Schema of what a run is given.")
    profiles: list[str]
    triggers: list[str] = Field(description="When it starts by itself.")
    tasks: list[str]
    queue: str | None
    priority: int
    partitions: dict[str, Any] | None = Field(description="What each run is about one of, as a file has them.")


class PipelinesBody(BaseModel):
    """All pipelines by name, and why files did not load."""

    pipelines: list[PipelineBody]
    invalid: list[str]


@router.get("/pipelines")
def list_pipelines(backend: TheBackend, caller: TheCaller) -> PipelinesBody:
    """Every pipeline that can be started."""
    caller.require("viewer", "list pipelines")
    invalid = [str(error) for error in backend.catalogue.invalid()] if caller.may("editor") else []
    return PipelinesBody(pipelines=[_body(entry) for entry in backend.catalogue.all()], invalid=invalid)


@router.get("/pipelines/{pipeline}")
def get_pipeline(pipeline: str, backend: TheBackend, caller: TheCaller) -> PipelineBody:
    """One pipeline, with the JSON Schema of its params."""
    caller.require("viewer", f"look at {pipeline}")
    return _body(backend.catalogue.get(pipeline))


def _body(entry: Entry) -> PipelineBody:
    return PipelineBody.model_validate(asdict(view_pipeline(entry)))
