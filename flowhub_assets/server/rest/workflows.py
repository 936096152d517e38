"""/api/v1/workflows: pipelines that are written over the API, as YAML."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from flowhub_assets.errors import WorkflowRefused
from flowhub_assets.from_yaml.read import Refused, decoded
from flowhub_assets.server import workflows
from flowhub_assets.server.rest.callers import TheBackend, TheCaller
from flowhub_assets.store.opened import file_of
from flowhub_assets.store.workflows import Workflow

router = APIRouter(prefix="/api/v1/workflows", tags=["workflows"])

#: What YAML is called: RFC 9512's name first.
YAML = ("application/yaml", "text/yaml", "application/x-yaml", "text/x-yaml")
_BODY_SECONDS = 30.0
_TEXT: dict[str, Any] = {"schema": {"type": "string"}}
_ETAG: dict[str, Any] = {"ETag": {"description": "Its version, in quotes.", "schema": {"type": "string"}}}

Name = Annotated[str, Path(max_length=255)]
IfMatch = Annotated[str | None, Header(max_length=1_000, description="ETag: 412 unless it still has this version.")]
IfNoneMatch = Annotated[str | None, Header(max_length=1_000, description="*: 412 if there is one already.")]


class WorkflowBody(BaseModel):
    """One workflow; times are seconds since 1970, of its first version and of this one."""

    name: str
    version: int
    created: float
    changed: float
    changed_by: str


class WorkflowsBody(BaseModel):
    """All workflows, by name."""

    workflows: list[WorkflowBody]


@router.get("")
def list_workflows(backend: TheBackend, caller: TheCaller) -> WorkflowsBody:
    """All that are stored; GET /api/v1/pipelines has those of files, too."""
    caller.require("viewer", "list workflows")
    return WorkflowsBody(workflows=[_body(one) for one in workflows.list_workflows(backend)])


@router.get(
    "/{name}", response_class=Response, responses={200: {"content": {"application/yaml": _TEXT}, "headers": _ETAG}}
)
def get_workflow(
    name: Name,
    backend: TheBackend,
    caller: TheCaller,
    version: Annotated[int | None, Query(ge=1, lt=2**31, description="An earlier one, also of what is gone.")] = None,
) -> Response:
    """Its text as it was sent."""
    caller.require("viewer", f"read {name}")
    found = workflows.get_workflow(backend, name, version)
    headers = {"ETag": _etag(found), "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    return Response(found.text, media_type="application/yaml; charset=utf-8", headers=headers)


@router.put(
    "/{name}",
    responses={200: {"headers": _ETAG}, 201: {"model": WorkflowBody, "description": "It is new.", "headers": _ETAG}},
    openapi_extra={"requestBody": {"required": True, "content": dict.fromkeys(YAML[:2], _TEXT)}},
)
async def put_workflow(
    name: Name,
    request: Request,
    response: Response,
    backend: TheBackend,
    caller: TheCaller,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> WorkflowBody:
    """Stores a new version, once it was checked as a file is. 422 tells all mistakes, each with its line."""
    caller.require("editor", f"write {name}")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in YAML:
        raise HTTPException(415, f"send the workflow as {YAML[0]}")
    try:
        sent = await asyncio.wait_for(request.body(), _BODY_SECONDS)
    except TimeoutError:
        raise HTTPException(408, f"the body did not come within {_BODY_SECONDS:g} seconds") from None
    may_change = _condition(if_match, if_none_match)
    stored, is_new = await run_in_threadpool(
        lambda: workflows.put_workflow(backend, name, _text(sent, name), caller, may_change)
    )
    response.status_code = 201 if is_new else 200
    response.headers["ETag"] = _etag(stored)
    return _body(stored)


@router.delete("/{name}", status_code=204)
def delete_workflow(name: Name, backend: TheBackend, caller: TheCaller, if_match: IfMatch = None) -> None:
    """It starts no more; its runs stay, and its versions can still be read."""
    caller.require("editor", f"delete {name}")
    workflows.delete_workflow(backend, name, caller, _condition(if_match, None))


def _text(sent: bytes, name: str) -> str:
    try:
        return decoded(sent, file_of(name))
    except Refused as refused:
        wrong = refused.problem
        mistake = (wrong.line, wrong.column, wrong.what, wrong.remedy)
        raise WorkflowRefused(wrong.what, effect="Nothing was stored.", mistakes=(mistake,)) from None


def _etag(workflow: Workflow) -> str:
    return f'"{workflow.version}"'


def _condition(if_match: str | None, if_none_match: str | None) -> Callable[[int], bool]:
    """RFC 9110, 13.1: whether a version fits the headers; 0 is that there is none. A weak ETag fits nothing."""
    wanted, unwanted = _tags(if_match), _tags(if_none_match)

    def may_change(version: int) -> bool:
        tags = {f'"{version}"', "*"} if version else set()
        return (if_match is None or bool(tags & wanted)) and not tags & unwanted

    return may_change


def _tags(header: str | None) -> set[str]:
    return {tag.strip() for tag in (header or "").split(",")}


def _body(workflow: Workflow) -> WorkflowBody:
    return WorkflowBody(
        name=workflow.name,
        version=workflow.version,
        created=workflow.created,
        changed=workflow.changed,
        changed_by=workflow.changed_by,
    )
