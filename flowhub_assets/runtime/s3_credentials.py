"""The credentials of a bucket: the profile's pair, or what AWS gives to a machine, a pod or a process.

Where AWS's own clients look, in their order: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; the web identity of a
service account (AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN); a container's address (AWS_CONTAINER_CREDENTIALS_...);
the metadata of an EC2 machine (IMDSv2).
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from calendar import timegm
from html import unescape
from typing import Any, Optional
from urllib.parse import urlencode

from flowhub_assets.runtime.s3_config import S3Config
from flowhub_assets.runtime.s3_http import Http, Refused
from flowhub_assets.runtime.s3_signing import Credentials

#: Seconds before their end in which credentials are fetched anew, as boto3 does.
_EARLY = 600.0
_TIMEOUT, _CONNECT_TIMEOUT = 5.0, 1.0
_CONTAINER = "http://169.254.170.2"
_METADATA = "http://169.254.169.254"
_ROLES = "/latest/meta-data/iam/security-credentials/"


class NoCredentials(Exception):
    """There are none, or whoever gives them out refuses."""


class CredentialSource:
    """The credentials of one process, fetched when they are first needed, and again before they end."""

    def __init__(self, config: S3Config, region: str) -> None:
        self._region = region
        self._lock = threading.Lock()
        self._known: Optional[Credentials] = None
        if config.access_key:
            self._known = Credentials(config.access_key, config.secret_key, config.session_token)

    def get(self) -> Credentials:
        """Credentials that still hold. Raises NoCredentials."""
        with self._lock:
            known = self._known
            if known is None or (known.expires and known.expires - _EARLY < time.time()):
                self._known = known = self._found()
            return known

    def _found(self) -> Credentials:
        say = os.environ.get
        try:
            if say("AWS_ACCESS_KEY_ID") and say("AWS_SECRET_ACCESS_KEY"):
                pair = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
                return Credentials(*pair, say("AWS_SESSION_TOKEN", ""))
            if say("AWS_WEB_IDENTITY_TOKEN_FILE") and say("AWS_ROLE_ARN"):
                return _of_web_identity(self._region)
            if say("AWS_CONTAINER_CREDENTIALS_FULL_URI") or say("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
                return _of_container()
            if say("AWS_EC2_METADATA_DISABLED", "").lower() != "true":
                return _of_machine()
        except (Refused, OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
            # What they say may hold tokens; that there are no credentials is what is to be known.
            pass
        raise NoCredentials


def _of_web_identity(region: str) -> Credentials:
    """STS takes the token of a Kubernetes service account (IRSA)."""
    with open(os.environ["AWS_WEB_IDENTITY_TOKEN_FILE"], encoding="utf-8") as file:
        token = file.read().strip()
    asked = {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "RoleArn": os.environ["AWS_ROLE_ARN"],
        "RoleSessionName": os.environ.get("AWS_ROLE_SESSION_NAME", "flowhub"),
        "WebIdentityToken": token,
    }
    url = os.environ.get("AWS_ENDPOINT_URL_STS") or f"https://sts.{region}.amazonaws.com/"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    text = Http(_TIMEOUT * 2, _TIMEOUT).text("POST", url, kind, urlencode(asked).encode()).decode("utf-8")
    names = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
    found = {name: re.search(rf"<{name}>\s*([^<]+?)\s*</{name}>", text) for name in names}
    return _credentials({name: unescape(match.group(1)) for name, match in found.items() if match})


def _of_container() -> Credentials:
    """ECS, and EKS' pod identity."""
    url = os.environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI", "")
    url = url or _CONTAINER + os.environ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]
    token = os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
    if os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
        with open(os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"], encoding="utf-8") as file:
            token = file.read().strip()
    return _credentials(json.loads(_direct().text("GET", url, {"Authorization": token} if token else {})))


def _of_machine() -> Credentials:
    """EC2's metadata service, version 2."""
    base = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "").rstrip("/") or _METADATA
    http, seconds = _direct(), {"X-aws-ec2-metadata-token-ttl-seconds": "21600"}
    token = {"X-aws-ec2-metadata-token": http.text("PUT", f"{base}/latest/api/token", seconds).decode("ascii")}
    role = http.text("GET", base + _ROLES, token).decode("utf-8").split()[0]
    return _credentials(json.loads(http.text("GET", base + _ROLES + role, token)))


def _direct() -> Http:
    return Http(_TIMEOUT, _CONNECT_TIMEOUT, direct=True)


def _credentials(told: dict[str, Any]) -> Credentials:
    token = told.get("SessionToken") or told.get("Token") or ""
    ends = timegm(time.strptime(told["Expiration"][:19], "%Y-%m-%dT%H:%M:%S")) if told.get("Expiration") else 0
    return Credentials(told["AccessKeyId"], told["SecretAccessKey"], token, float(ends))
