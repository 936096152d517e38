"""Senders of webhooks for tests: what each of them puts into its headers, written from their own documents."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time

#: What the environment variables of the tests' hooks hold.
KEY, OLD_KEY = "correct-horse-battery-staple", "the-key-before-that-one"
STANDARD_KEY = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()

Headers = dict[str, str]


def _hmac(key: bytes, signed: bytes) -> bytes:
    return hmac.new(key, signed, hashlib.sha256).digest()


def standard(body: bytes, number: str = "msg_1", at: float | None = None, key: str = STANDARD_KEY) -> Headers:
    stamp = str(int(time.time() if at is None else at))
    raw = base64.b64decode(key.removeprefix("whsec_"))
    mac = base64.b64encode(_hmac(raw, f"{number}.{stamp}.".encode() + body)).decode()
    return {"webhook-id": number, "webhook-timestamp": stamp, "webhook-signature": f"v1,{mac}"}


def github(body: bytes, number: str = "0b989ba4-242f", key: str = KEY) -> Headers:
    return {
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": number,
        "X-Hub-Signature-256": f"sha256={_hmac(key.encode(), body).hex()}",
    }


def stripe(body: bytes, at: float | None = None, key: str = KEY, header: str = "Stripe-Signature") -> Headers:
    stamp = str(int(time.time() if at is None else at))
    return {header: f"t={stamp},v1={_hmac(key.encode(), stamp.encode() + b'.' + body).hex()}"}


def minio(_body: bytes, key: str = KEY) -> Headers:
    return {"Authorization": f"Bearer {key}"}


def mlflow(body: bytes, number: str = "5f7a", at: float | None = None, key: str = KEY) -> Headers:
    stamp = str(int(time.time() if at is None else at))
    mac = base64.b64encode(_hmac(key.encode(), f"{number}.{stamp}.".encode() + body)).decode()
    return {
        "X-MLflow-Signature": f"v1,{mac}",
        "X-MLflow-Delivery-Id": number,
        "X-MLflow-Timestamp": stamp,
    }
