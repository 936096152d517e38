"""Errors as RFC 9457 problems: application/problem+json, without a traceback or anything of the insides."""

from __future__ import annotations

import json
import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from flowhub_assets import errors
from flowhub_assets.errors import FlowhubError
from flowhub_assets.server.audit import note

logger = logging.getLogger("flowhub.server")

_STATUS = {
    errors.ParamsRefused: 422,
    errors.WorkflowRefused: 422,
    errors.NotFound: 404,
    errors.Outdated: 412,
    errors.Conflict: 409,
    errors.NotAuthenticated: 401,
    errors.NotAllowed: 403,
    errors.TooMuch: 429,
    errors.Unavailable: 503,
    errors.InputError: 422,
}
_TITLES = {
    400: "Cannot be read",
    401: "Who asks is not known",
    403: "Not allowed",
    404: "Not found",
    405: "Not this method",
    408: "Too slow",
    409: "Conflict",
    412: "Changed meanwhile",
    413: "Too large",
    415: "Not this kind of content",
    422: "Not what is taken",
    429: "Too many requests",
    500: "Failed here",
    503: "Not available now",
}


class FieldBody(BaseModel):
    """One field that is wrong; ``pointer`` leads to it, as ``cities[0].name``. In a workflow's text, its place."""

    pointer: str
    detail: str
    remedy: str = ""
    line: int = Field(0, description="In a workflow's text, counted from 1; 0 where it is the text as a whole.")
    column: int = 0


class ProblemBody(BaseModel):
    """What is wrong, what follows, what to do."""

    type: str
    title: str
    status: int
    detail: str
    effect: str = ""
    remedy: str = ""
    errors: list[FieldBody] = []


def _inline(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without references: what FastAPI takes as a response's content is not resolved."""
    definitions = schema.pop("$defs", {})
    schema["properties"]["errors"]["items"] = definitions.get("FieldBody", {})
    return schema


#: For OpenAPI: what any path may answer instead.
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": _TITLES[status],
        "content": {"application/problem+json": {"schema": _inline(ProblemBody.model_json_schema())}},
    }
    for status in (400, 401, 403, 404, 408, 409, 412, 413, 415, 422, 429, 503)
}


def status_of(error: FlowhubError) -> int:
    """The HTTP status of an error of ours; 500 for one that no caller can mend."""
    return next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)


class _Problem(JSONResponse):
    media_type = "application/problem+json"

    def render(self, content: Any) -> bytes:
        # What was refused is quoted, half a character too: JSON writes it as \\udXXX.
        return json.dumps(content, ensure_ascii=False).encode("utf-8", "backslashreplace")


def problem(status: int, detail: str, **more: Any) -> JSONResponse:
    """One problem. ``more`` are its further members."""
    body = {"type": "about:blank", "title": _TITLES.get(status, "Refused"), "status": status, "detail": detail, **more}
    return _Problem(body, status)


def problem_of(error: FlowhubError) -> JSONResponse:
    """An error of ours as a problem; what only its server's people should see stays in the log."""
    status = status_of(error)
    if status == 500:
        logger.error("%s", error)
        return problem(500, "The server could not do this; its log says why.")
    more: dict[str, Any] = {"effect": error.effect, "remedy": error.remedy}
    if isinstance(error, errors.ParamsRefused):
        more["errors"] = [{"pointer": field, "detail": what, "remedy": remedy} for field, what, remedy in error.fields]
    if isinstance(error, errors.WorkflowRefused):
        more["errors"] = [_mistake(*mistake) for mistake in error.mistakes]
    answer = problem(status, error.what, **{key: value for key, value in more.items() if value})
    if status in (429, 503):
        answer.headers["Retry-After"] = str(max(1, round(getattr(error, "seconds", 0.0) or 2)))
    if status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def _mistake(line: int, column: int, what: str, remedy: str) -> dict[str, Any]:
    pointer = f"line {line}, column {column}" if line else ""
    return {"pointer": pointer, "detail": what, "remedy": remedy, "line": line, "column": column}


def add_problems(app: FastAPI) -> None:
    """All errors of the app become problems."""

    @app.exception_handler(FlowhubError)
    def ours(request: Request, error: FlowhubError) -> JSONResponse:
        if isinstance(error, errors.NotAllowed) and hasattr(request.state, "caller"):
            asked = f"{request.method} {request.url.path}"
            note(request.app.state.backend.database, request.state.caller, "http", "ask", asked, result="refused")
        return problem_of(error)

    @app.exception_handler(HTTPException)
    async def http(_request: Request, error: HTTPException) -> JSONResponse:
        answer = problem(error.status_code, str(error.detail))
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        told = [{"pointer": _path(one["loc"]), "detail": str(one["msg"])} for one in error.errors()]
        return problem(422, "; ".join(f"{one['pointer']}: {one['detail']}" for one in told), errors=told)

    @app.exception_handler(Exception)
    async def unexpected(_request: Request, error: Exception) -> JSONResponse:
        logger.error("a request failed", exc_info=error)
        return problem(500, "The server could not do this; its log says why.")


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location))
