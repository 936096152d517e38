"""What an env profile says about S3 or MinIO, checked and brought into one form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from flowhub_assets.errors import ProfileError

#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")

_KEY_NAMES = (("ACCESS_KEY", "SECRET_KEY"), ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"))


@dataclass(frozen=True)
class S3Config:
    """One bucket and how to reach it. Without a key pair the environment's own credentials are used."""

    bucket: str
    region: str = ""
    endpoint: str = ""
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)


def s3_config(env: Mapping[str, Any]) -> S3Config:
    """Reads BUCKET, REGION_NAME, ENDPOINT and a key pair; raises ProfileError for what cannot be used."""
    bucket = _text(env, "BUCKET")
    if not _BUCKET.fullmatch(bucket):
        raise ProfileError(
            f"BUCKET {bucket!r} is no legal bucket name",
            remedy="Use 3 to 63 small letters, digits, dots and hyphens; folders belong into the key, not here.",
        )
    access_key, secret_key = _key_pair(env)
    return S3Config(
        bucket=bucket,
        region=_text(env, "REGION_NAME"),
        endpoint=_endpoint(_text(env, "ENDPOINT")),
        access_key=access_key,
        secret_key=secret_key,
        session_token=_text(env, "SESSION_TOKEN") if access_key else "",
    )


def _text(env: Mapping[str, Any], name: str) -> str:
    value: object | None = env.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ProfileError(f"{name} is {type(value).__name__}, not text", remedy=f"Write {name} as a string.")
    return value.strip()


def _key_pair(env: Mapping[str, Any]) -> tuple[str, str]:
    """The first pair that is there; half a pair would quietly use somebody else's credentials, so it is refused."""
    for id_name, secret_name in _KEY_NAMES:
        key_id, secret = _text(env, id_name), _text(env, secret_name)
        if key_id and secret:
            return key_id, secret
    for id_name, secret_name in _KEY_NAMES:
        key_id, secret = _text(env, id_name), _text(env, secret_name)
        if key_id or secret:
            there, missing = (id_name, secret_name) if key_id else (secret_name, id_name)
            raise ProfileError(
                f"the profile has {there} but no {missing}",
                effect="Half a pair of credentials opens nothing.",
                remedy=f"Add {missing}, or remove {there} to use the environment's own credentials.",
            )
    return "", ""


def _endpoint(endpoint: str) -> str:
    if not endpoint:
        return ""
    if "@" in endpoint:
        raise ProfileError(
            "ENDPOINT holds a user name or password", remedy="Put them into ACCESS_KEY and SECRET_KEY instead."
        )
    try:
        parts = urlsplit(endpoint)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    # Behind ? and # may stand a token.
    shown = re.split("[?#]", endpoint)[0]
    if not is_address:
        host = shown.rpartition("/")[2] or "minio.example.com"
        raise ProfileError(
            f"ENDPOINT {shown!r} is no http or https address",
            remedy=f"Write it with its scheme, for example 'https://{host}'.",
        )
    if shown != endpoint:
        raise ProfileError(
            f"ENDPOINT is no plain address: more stands behind {shown!r}",
            remedy="Write scheme, host and port, nothing else.",
        )
    return endpoint.rstrip("/")
