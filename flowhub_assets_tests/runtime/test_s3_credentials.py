"""Credentials that a machine, a pod or a process is given, from doubles that answer as AWS does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from flowhub_assets.errors import AccessRefused
from flowhub_assets.runtime.bare_s3 import BareS3Storage
from flowhub_assets.runtime.s3_client import S3Limits
from flowhub_assets.runtime.s3_config import S3Config
from flowhub_assets.runtime.s3_credentials import CredentialSource, NoCredentials
from flowhub_assets.runtime.s3_signing import Credentials
from flowhub_assets_tests.http_server import Answer, HttpServer, Request, http_server

NAMES = (
    "ACCESS_KEY_ID SECRET_ACCESS_KEY SESSION_TOKEN WEB_IDENTITY_TOKEN_FILE ROLE_ARN ENDPOINT_URL_STS"
    " CONTAINER_CREDENTIALS_FULL_URI CONTAINER_CREDENTIALS_RELATIVE_URI CONTAINER_AUTHORIZATION_TOKEN_FILE"
    " EC2_METADATA_DISABLED EC2_METADATA_SERVICE_ENDPOINT"
).split()


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with http_server() as running:
        yield running


def found() -> Credentials:
    return CredentialSource(S3Config("bucket"), "eu-west-1").get()


def in_seconds(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


def test_the_profile_comes_first_then_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "env-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "env-secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "env-token")
    config = S3Config("bucket", access_key="id", secret_key="secret")
    assert CredentialSource(config, "eu-west-1").get() == Credentials("id", "secret")
    assert found() == Credentials("env-id", "env-secret", "env-token")


def test_the_web_identity_of_a_service_account(
    server: HttpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("web-token\n")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/my")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"{server.url}/sts")
    ends = in_seconds(3600)
    server.on(
        "/sts",
        Answer.text(
            '<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Credentials>'
            f"<SessionToken>a&amp;b=</SessionToken><SecretAccessKey>s</SecretAccessKey><Expiration>{ends}</Expiration>"
            "<AccessKeyId>ASIA</AccessKeyId></Credentials></AssumeRoleWithWebIdentityResponse>"
        ),
    )
    key = found()
    assert (key.access_key, key.secret_key, key.token) == ("ASIA", "s", "a&b=")
    assert abs(key.expires - time.time() - 3600) < 60
    asked = parse_qs(server.requests[0].body.decode())
    assert asked["WebIdentityToken"] == ["web-token"]
    assert asked["RoleArn"] == ["arn:aws:iam::1:role/my"]
    assert server.requests[0].query == ""


def test_a_containers_address_with_its_token(
    server: HttpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("pod-token")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server.url}/v1/credentials")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "token"))
    told = {"AccessKeyId": "ASIA", "SecretAccessKey": "s", "Token": "t", "Expiration": in_seconds(3600)}
    server.on("/v1/credentials", Answer.json(told))
    assert found().token == "t"
    assert server.requests[0].headers["authorization"] == "pod-token"


def machine(server: HttpServer, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"{server.url}/")

    def guarded(answer: Answer) -> object:
        return lambda request: answer if request.headers.get("x-aws-ec2-metadata-token") == "v2" else Answer(401)

    def token(request: Request) -> Answer:
        return Answer.text("v2") if request.method == "PUT" else Answer(405)

    told = {"AccessKeyId": "ASIA", "SecretAccessKey": "s", "Token": "t", "Expiration": in_seconds(seconds)}
    roles = "/latest/meta-data/iam/security-credentials/"
    server.on("/latest/api/token", token)
    server.on(roles, guarded(Answer.text("my-role\n")))  # type: ignore[arg-type]
    server.on(f"{roles}my-role", guarded(Answer.json(told)))  # type: ignore[arg-type]


def test_the_metadata_of_a_machine(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(server, monkeypatch, 3600)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    source = CredentialSource(S3Config("bucket"), "eu-west-1")
    assert source.get().access_key == source.get().access_key == "ASIA"
    assert len(server.requests) == 3


def test_credentials_are_fetched_again_before_they_end(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(server, monkeypatch, 60)
    source = CredentialSource(S3Config("bucket"), "eu-west-1")
    source.get()
    source.get()
    assert len(server.requests) == 6


@pytest.mark.parametrize(
    "answer", [Answer(403), Answer.text("no json"), Answer.json({"Code": "Failed"}), Answer.json([])]
)
def test_whoever_gives_none_is_one_clear_error(
    server: HttpServer, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server.url}/v1/credentials")
    server.on("/v1/credentials", answer)
    with pytest.raises(NoCredentials):
        found()
    storage = BareS3Storage.from_env({"BUCKET": "bucket", "ENDPOINT": server.url}, S3Limits(retries=0))
    with pytest.raises(AccessRefused, match="no credentials for S3 were found"):
        storage.read("k")
    with pytest.raises(AccessRefused, match="no credentials for S3 were found"):
        storage.presign("k")
