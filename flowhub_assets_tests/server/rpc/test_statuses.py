"""Every error of ours has its status, and its details fit into a trailer; nothing of the insides is told."""

from __future__ import annotations

import logging
from urllib.parse import quote

import grpc
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowhub_assets import errors
from flowhub_assets.server.rpc.flowhub.v1 import error_details_pb2 as details
from flowhub_assets.server.rpc.statuses import KeyTaken, Refusal, refusal_of


def told(refusal: Refusal) -> dict[str, bytes]:
    ((key, text),) = refusal.metadata
    assert key == "grpc-status-details-bin"
    status = details.Status.FromString(text)
    assert (status.code, status.message) == (refusal.code.value[0], refusal.message)
    assert all(one.type_url.startswith("type.googleapis.com/google.rpc.") for one in status.details)
    return {one.type_url.rpartition(".")[2]: one.value for one in status.details}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ParamsRefused("what"), grpc.StatusCode.INVALID_ARGUMENT),
        (errors.InputError("what"), grpc.StatusCode.INVALID_ARGUMENT),
        (errors.NotFound("what"), grpc.StatusCode.NOT_FOUND),
        (errors.Conflict("what"), grpc.StatusCode.FAILED_PRECONDITION),
        (KeyTaken("what"), grpc.StatusCode.ALREADY_EXISTS),
        (errors.NotAuthenticated("what"), grpc.StatusCode.UNAUTHENTICATED),
        (errors.NotAllowed("what"), grpc.StatusCode.PERMISSION_DENIED),
        (errors.TooMuch("what"), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (errors.Unavailable("what"), grpc.StatusCode.UNAVAILABLE),
    ],
)
def test_each_kind_has_its_code(error: errors.FlowhubError, code: grpc.StatusCode) -> None:
    refusal = refusal_of(error)
    assert (refusal.code, refusal.message) == (code, "what")
    assert "ErrorInfo" in told(refusal)


def test_every_refusal_has_a_code_of_its_own() -> None:
    for kind in errors.RequestRefused.__subclasses__():
        assert refusal_of(kind("what")).code is not grpc.StatusCode.INTERNAL, kind


@pytest.mark.parametrize("error", [ValueError("secret"), errors.StorageError("secret"), errors.FlowhubError("secret")])
def test_what_no_caller_can_mend_is_logged_and_not_told(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "flowhub.server"):
        refusal = refusal_of(error)
    assert refusal.code is grpc.StatusCode.INTERNAL
    assert "secret" not in refusal.message
    assert refusal.metadata == ()
    assert "secret" in caplog.text


def test_who_asks_too_often_is_told_when_to_come_again() -> None:
    retry = details.RetryInfo.FromString(told(refusal_of(errors.TooMuch("what", seconds=1.5)))["RetryInfo"])
    assert retry.retry_delay.ToMilliseconds() == 1_500
    assert "RetryInfo" in told(refusal_of(errors.Unavailable("what")))


def test_what_follows_and_what_to_do_is_told() -> None:
    error = errors.NotFound("what", effect="Nothing was started.", remedy="Look.")
    info = details.ErrorInfo.FromString(told(refusal_of(error))["ErrorInfo"])
    assert (info.reason, info.domain) == ("NOT_FOUND", "flowhub")
    assert dict(info.metadata) == {"effect": "Nothing was started.", "remedy": "Look."}


@given(st.lists(st.tuples(*[st.text(st.characters())] * 3), max_size=20), st.text(st.characters()))
@example([("city", "is wrong", "mend it")], "\U0001f600" * 20)
def test_any_words_fit_into_a_trailer(fields: list[tuple[str, str, str]], what: str) -> None:
    refusal = refusal_of(errors.ParamsRefused(what * 50, effect=what * 60, remedy=what * 70, fields=tuple(fields * 50)))
    assert len(refusal.metadata[0][1]) * 4 / 3 + len(quote(refusal.message)) < 8_000
    if fields:
        assert details.BadRequest.FromString(told(refusal)["BadRequest"]).field_violations
