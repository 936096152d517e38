"""Signatures of senders: their own published examples hold, and nothing that differs from them in one byte does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.errors import NotAuthenticated
from flowhub_assets.server.hooks.signatures import Request, bounded_id, usable_keys, verify
from flowhub_assets_tests.server.hooks import senders
from flowhub_assets_tests.server.hooks.senders import Headers

NOW = 1_700_000_000.0
Sign = Callable[[bytes], Headers]

#: preset → how it is signed at NOW, with which key, and the headers that are part of it.
SENDERS: dict[str, tuple[Sign, str]] = {
    "standard-webhooks": (lambda body: senders.standard(body, at=NOW), senders.STANDARD_KEY),
    "github": (senders.github, senders.KEY),
    "stripe": (lambda body: senders.stripe(body, at=NOW), senders.KEY),
    "minio": (senders.minio, senders.KEY),
    "mlflow": (lambda body: senders.mlflow(body, at=NOW), senders.KEY),
}
#: What no signature covers: it may change.
UNSIGNED = ("x-github-event", "x-github-delivery")


def request_of(headers: Headers, body: bytes) -> Request:
    return Request([(name.lower().encode(), value.encode()) for name, value in headers.items()], body)


def holds(preset: str, request: Request, keys: list[str], now: float = NOW, tolerance: float = 300) -> bool:
    try:
        verify(preset, request, keys, now, tolerance)
    except NotAuthenticated as error:
        told = f"{error} {error.__cause__}"
    else:
        return True
    assert not any(key in told for key in keys if key)
    return False


def test_the_example_of_standard_webhooks_holds() -> None:
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    request = request_of(headers, b'{"test": 2432232314}')
    for key in ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"):
        assert verify("standard-webhooks", request, [key], 1614265330, 300) == "msg_p5jXN8AQM9LWM0D4loKWxJek"


def test_the_example_of_github_holds() -> None:
    headers = {
        "X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
    }
    request = request_of(headers, b"Hello, World!")
    delivery = verify("github", request, ["It's a Secret to Everybody"], NOW, 300)
    assert delivery == "72d3162e-cc78-11e3-81ab-4c9367dc0958"


@pytest.mark.parametrize("preset", SENDERS)
@given(body=st.binary(max_size=200))
def test_what_was_signed_holds_with_any_of_the_keys(preset: str, body: bytes) -> None:
    sign, key = SENDERS[preset]
    request = request_of(sign(body), body)
    other = "whsec_AAAA" if preset == "standard-webhooks" else "another"
    assert holds(preset, request, [key])
    assert holds(preset, request, [other, key])
    assert not holds(preset, request, [other])
    assert not holds(preset, request, [])


@pytest.mark.parametrize("preset", SENDERS)
@given(data=st.data(), body=st.binary(min_size=1, max_size=60))
def test_no_byte_can_be_changed(preset: str, data: st.DataObject, body: bytes) -> None:
    sign, key = SENDERS[preset]
    request = request_of(sign(body), body)
    parts = [index for index, (name, _) in enumerate(request.headers) if name.decode() not in UNSIGNED]
    chosen = data.draw(st.sampled_from([*parts, *([] if preset == "minio" else [None])]))
    if chosen is None:
        changed = replace(request, body=_changed(data, body))
    else:
        headers = list(request.headers)
        name, value = headers[chosen]
        headers[chosen] = (name, _changed(data, value))
        changed = replace(request, headers=headers)
    assert not holds(preset, changed, [key])


def _changed(data: st.DataObject, text: bytes) -> bytes:
    at = data.draw(st.integers(0, len(text) - 1))
    byte = data.draw(st.integers(33, 126).filter(lambda one: one != text[at]))
    return text[:at] + bytes([byte]) + text[at + 1 :]


@pytest.mark.parametrize("preset", SENDERS)
def test_a_header_that_is_missing_empty_or_there_twice_is_refused(preset: str) -> None:
    sign, key = SENDERS[preset]
    request = request_of(sign(b"{}"), b"{}")
    for index, (name, value) in enumerate(request.headers):
        others = [*request.headers[:index], *request.headers[index + 1 :]]
        if name.decode() not in UNSIGNED:
            assert not holds(preset, replace(request, headers=others), [key])
        if name != b"x-github-event":
            for more in (value, b"", b"x"):
                assert not holds(preset, replace(request, headers=[*request.headers, (name, more)]), [key])
            assert not holds(preset, replace(request, headers=[*others, (name, b" ")]), [key])


@pytest.mark.parametrize("preset", ["standard-webhooks", "stripe", "mlflow"])
def test_what_was_signed_at_another_time_is_refused(preset: str) -> None:
    sign, key = SENDERS[preset]
    request = request_of(sign(b"{}"), b"{}")
    for seconds, is_good in ((-301, False), (-300, True), (300, True), (301, False)):
        assert holds(preset, request, [key], NOW + seconds) is is_good
    assert not holds(preset, request, [key], NOW + 11, tolerance=10)
    assert not holds(preset, request, [key], float("nan"))


def test_one_of_several_signatures_is_enough() -> None:
    good = senders.standard(b"{}", at=NOW)
    mac = good["webhook-signature"]
    for written, is_good in (
        (f"v1,AAAA {mac} v1a,BBBB", True),
        ("v1,AAAA", False),
        (mac.replace("v1,", "v2,"), False),
        (mac.removeprefix("v1,"), False),
    ):
        request = request_of({**good, "webhook-signature": written}, b"{}")
        assert holds("standard-webhooks", request, [senders.STANDARD_KEY]) is is_good
    written = senders.stripe(b"{}", at=NOW)["Stripe-Signature"]
    stamp, mac = written.split(",")
    for written, is_good in (
        (f"{stamp},v1=00,{mac},v0=11", True),
        (f"{stamp},{stamp},{mac}", False),
        (mac, False),
        (stamp, False),
        (f"{stamp},{mac.replace('v1', 'v0')}", False),
    ):
        assert holds("stripe", request_of({"Stripe-Signature": written}, b"{}"), [senders.KEY]) is is_good


def test_signed_bytes_cannot_be_cut_in_another_place() -> None:
    """``id.time.body`` with dots in the id would be the same bytes for another id, time and body."""
    body = b"1700000000.{}"
    for preset, sign in (("standard-webhooks", senders.standard), ("mlflow", senders.mlflow)):
        headers = sign(body, "msg", NOW)
        key = SENDERS[preset][1]
        assert holds(preset, request_of(headers, body), [key])
        number, stamp = [name for name in headers if name.lower().endswith(("-id", "-timestamp"))]
        if stamp.lower().endswith("-id"):
            number, stamp = stamp, number
        moved = {**headers, number: f"msg.{int(NOW)}", stamp: "1700000000"}
        assert not holds(preset, request_of(moved, b"{}"), [key])


def test_a_delivery_is_known_by_its_id() -> None:
    def delivery(preset: str, headers: Headers, body: bytes) -> str:
        return verify(preset, request_of(headers, body), [SENDERS[preset][1]], NOW, 300)

    assert delivery("stripe", senders.stripe(b'{"id": "evt_1"}', NOW), b'{"id": "evt_1"}') == "evt_1"
    without = [delivery("stripe", senders.stripe(body, NOW), body) for body in (b"[]", b'{"id": 3}', b"[]", b"\xff")]
    assert without[0] == without[2]
    assert len(set(without)) == 3
    assert delivery("mlflow", senders.mlflow(b"{}", "m-1", NOW), b"{}") == "m-1"
    assert delivery("minio", senders.minio(b""), b"a") != delivery("minio", senders.minio(b""), b"b")
    bare = {"X-Hub-Signature-256": senders.github(b"{}")["X-Hub-Signature-256"]}
    assert delivery("github", bare, b"{}").startswith("sha256:")


def test_minio_writes_its_token_in_two_ways() -> None:
    for key, header, is_good in (
        ("abc", "Bearer abc", True),
        ("abc", "abc", True),
        ("abc", "bearer abc", False),
        ("Custom abc", "Custom abc", True),
        ("Custom abc", "Bearer abc", False),
        ("키", "Bearer 키", True),
    ):
        assert holds("minio", request_of({"Authorization": header}, b"{}"), [key]) is is_good, (key, header)


@given(st.binary(max_size=300))
def test_any_id_can_be_kept(text: bytes) -> None:
    found = bounded_id(text)
    assert len(found) <= 100
    assert found.isascii()
    assert found.isprintable()
    assert bounded_id(text) == found
    assert bounded_id(text + b"x") != found


def test_keys_that_sign_nothing_are_none() -> None:
    assert usable_keys("standard-webhooks", ["whsec_", "whsec_%", "not base64!", "QUJD", ""]) == ["QUJD"]
    assert usable_keys("github", ["", "a"]) == ["a"]
