"""Errors as gRPC statuses. Details travel as google.rpc.Status in the trailing metadata, which any library reads."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message

from flowhub_assets import errors
from flowhub_assets.errors import FlowhubError
from flowhub_assets.server.rpc.flowhub.v1 import error_details_pb2 as details
from flowhub_assets.server.rpc.structs import utf8

logger = logging.getLogger("flowhub.server")

DETAILS_KEY = "grpc-status-details-bin"
#: Of ErrorInfo: whose reasons these are.
DOMAIN = "flowhub"
_INTERNAL = "The server could not do this; its log says why."
#: Bytes. A client may refuse trailers over 8 KiB, and there bytes are four for three, those of a message three for one.
_LONGEST_TEXT, _LONGEST_FIELDS = 500, 2_500

_CODES = {
    errors.WorkflowRefused: grpc.StatusCode.INVALID_ARGUMENT,
    errors.ParamsRefused: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.Conflict: grpc.StatusCode.FAILED_PRECONDITION,
    errors.NotAuthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.NotAllowed: grpc.StatusCode.PERMISSION_DENIED,
    errors.TooMuch: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.InputError: grpc.StatusCode.INVALID_ARGUMENT,
}


class KeyTaken(errors.Conflict):
    """An idempotency key that was used for another request: ALREADY_EXISTS, unlike other conflicts."""


@dataclass(frozen=True)
class Refusal:
    """How a call ends that is not done."""

    code: grpc.StatusCode
    message: str
    metadata: tuple[tuple[str, bytes], ...] = ()


def code_of(error: FlowhubError) -> grpc.StatusCode:
    """The status code of an error of ours; INTERNAL for one that no caller can mend."""
    if isinstance(error, KeyTaken):
        return grpc.StatusCode.ALREADY_EXISTS
    return next((code for kind, code in _CODES.items() if isinstance(error, kind)), grpc.StatusCode.INTERNAL)


def refusal_of(error: Exception) -> Refusal:
    """What a caller is told; what only the server's people should see goes to the log."""
    code = code_of(error) if isinstance(error, FlowhubError) else grpc.StatusCode.INTERNAL
    if code is grpc.StatusCode.INTERNAL or not isinstance(error, FlowhubError):
        logger.error("a gRPC call failed", exc_info=error)
        return Refusal(grpc.StatusCode.INTERNAL, _INTERNAL)
    message = _short(error.what)
    status = details.Status(code=code.value[0], message=message)
    for name, detail in _details(error, code):
        packed = Any(type_url=f"type.googleapis.com/google.rpc.{name}", value=detail.SerializeToString())
        status.details.append(packed)
    return Refusal(code, message, ((DETAILS_KEY, status.SerializeToString()),))


def _details(error: FlowhubError, code: grpc.StatusCode) -> list[tuple[str, Message]]:
    told = {"effect": _short(error.effect), "remedy": _short(error.remedy)}
    metadata = {key: value for key, value in told.items() if value}
    found: list[tuple[str, Message]] = [
        ("ErrorInfo", details.ErrorInfo(reason=_reason(error), domain=DOMAIN, metadata=metadata))
    ]
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED):
        retry = details.RetryInfo()
        retry.retry_delay.FromMilliseconds(round(1_000 * (getattr(error, "seconds", 0.0) or 2.0)))
        found.append(("RetryInfo", retry))
    if isinstance(error, errors.ParamsRefused):
        found.append(("BadRequest", _bad_request(error)))
    return found


def _bad_request(error: errors.ParamsRefused) -> details.BadRequest:
    bad = details.BadRequest()
    for field, what, remedy in error.fields:
        description = f"{what}: {remedy}" if remedy else what
        violation = details.BadRequest.FieldViolation(field=_short(field), description=_short(description))
        if bad.ByteSize() + violation.ByteSize() > _LONGEST_FIELDS:
            # Whoever sends ten thousand wrong fields is told of the first ones.
            break
        bad.field_violations.append(violation)
    return bad


def _reason(error: FlowhubError) -> str:
    """PARAMS_REFUSED and the like: the kind's name, as ErrorInfo wants it."""
    name = type(error).__name__
    return "".join(f"_{letter}" if letter.isupper() and n else letter for n, letter in enumerate(name)).upper()


def _short(text: str) -> str:
    """Bounded, and of what UTF-8 can hold."""
    whole = utf8(text)
    if len(whole.encode()) <= _LONGEST_TEXT:
        return whole
    return whole.encode()[:_LONGEST_TEXT].decode("utf-8", "ignore") + "..."
