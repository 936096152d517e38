"""What the client of the standard library does where a server is slow, wrong or somewhere else.

What it shares with the other clients, the storage's whole contract, is tested beside S3Storage.
"""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flowhub_assets.errors import AccessRefused, StorageError, TransferFailed
from flowhub_assets.runtime.bare_s3 import BareClient, BareS3Storage
from flowhub_assets.runtime.s3_client import S3Limits
from flowhub_assets.runtime.s3_config import S3Config
from flowhub_assets.runtime.s3_transfer import LARGE
from flowhub_assets_tests.broken_network import relay
from flowhub_assets_tests.http_server import Answer, HttpServer, Request, http_server
from flowhub_assets_tests.s3_server import S3Server, put_by_boto3, s3, shared_s3
from flowhub_assets_tests.tls_files import tls_files

__all__ = ["s3", "shared_s3"]

QUICK = S3Limits(retries=3, timeout=2, connect_timeout=1, first_backoff=0.01, longest_backoff=0.02)


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with http_server() as running:
        yield running


def storage_at(endpoint: str) -> BareS3Storage:
    env = {"BUCKET": "bucket", "ENDPOINT": endpoint, "ACCESS_KEY": "id", "SECRET_KEY": "very-secret"}
    return BareS3Storage.from_env(env, QUICK)


def error(code: str) -> bytes:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>id very-secret</Message></Error>".encode()


def etag(request: Request) -> Answer:
    """What S3 answers to a PUT."""
    return Answer(headers={"ETag": f'"{hashlib.md5(request.body).hexdigest()}"'})


def in_turn(*answers: Answer | Callable[[Request], Answer]) -> Callable[[Request], Answer]:
    left = list(answers)

    def answer(request: Request) -> Answer:
        now = left.pop(0)
        return now if isinstance(now, Answer) else now(request)

    return answer


@pytest.mark.parametrize(
    "trouble",
    [
        Answer(503, error("SlowDown")),
        Answer(500, error("InternalError")),
        Answer(400, error("RequestTimeout")),
        Answer(429),
    ],
)
def test_a_server_in_trouble_is_asked_again(server: HttpServer, trouble: Answer) -> None:
    server.on("/bucket/k", in_turn(trouble, trouble, etag))
    storage_at(server.url).write("k", b"content")
    assert [request.body for request in server.requests] == [b"content"] * 3
    # Each try is signed for itself.
    assert all("Signature=" in request.headers["authorization"] for request in server.requests)


def test_a_connection_that_is_cut_is_made_again(shared_s3: S3Server) -> None:
    cuts = iter([True, True])

    def cut_twice(data: bytes) -> bytes:
        if next(cuts, False):
            raise OSError("cut")
        return data

    with relay(shared_s3.endpoint, up=cut_twice) as endpoint:
        storage = BareS3Storage.from_env({**shared_s3.env(), "ENDPOINT": endpoint}, QUICK)
        storage.write("cut", b"content")
        assert storage.read("cut") == b"content"
    assert list(cuts) == []


def test_a_server_that_stays_in_trouble_is_given_up(server: HttpServer) -> None:
    server.on("/bucket/k", Answer(503, error("SlowDown")))
    with pytest.raises(TransferFailed, match="the server answers 503 SlowDown, also after retries") as caught:
        storage_at(server.url).write("k", b"content")
    assert len(server.requests) == 1 + QUICK.retries
    assert "very-secret" not in str(caught.value)


def test_a_refusal_is_not_asked_again(server: HttpServer) -> None:
    server.on("/bucket/k", Answer(403, error("AccessDenied")))
    with pytest.raises(AccessRefused, match="AccessDenied"):
        storage_at(server.url).write("k", b"content")
    assert len(server.requests) == 1


def test_content_that_breaks_off_is_fetched_again(server: HttpServer) -> None:
    server.on(
        "/bucket/k",
        in_turn(
            Answer(200, b"cont", headers={"Content-Length": "7"}, cut=True),
            Answer(200, b"content", headers={"ETag": '"9a0364b9e99bb480dd25e1f0284c8555"'}),
            Answer(200, b"content", headers={"ETag": '"9a0364b9e99bb480dd25e1f0284c8555"'}),
        ),
    )
    assert storage_at(server.url).read("k") == b"content"


@pytest.mark.parametrize("status", [301, 307])
def test_another_region_is_told_and_not_followed(server: HttpServer, status: int) -> None:
    server.on("/bucket/k", Answer(status, error("PermanentRedirect"), {"Location": f"{server.url}/elsewhere"}))
    with pytest.raises(StorageError, match="another region"):
        storage_at(server.url).read("k")
    assert [request.path for request in server.requests if request.path == "/elsewhere"] == []


def test_what_does_not_speak_s3_is_told(server: HttpServer) -> None:
    server.on("/bucket/", Answer.text("<html>hello</html>"))
    with pytest.raises(StorageError, match="does not speak S3"):
        storage_at(server.url).list()
    server.on("/bucket/", Answer.text("hello"))
    with pytest.raises(StorageError, match="does not speak S3"):
        storage_at(server.url).list()


def test_an_upload_that_fails_at_its_last_word_is_taken_back(server: HttpServer, tmp_path: Path) -> None:
    with open(tmp_path / "large", "wb") as file:
        file.truncate(LARGE + 1)

    def answer(request: Request) -> Answer:
        if request.query == "uploads=":
            return Answer(200, b"<Result><UploadId>a&amp;b</UploadId></Result>")
        if request.method == "POST":
            assert b"<PartNumber>2</PartNumber>" in request.body
            return Answer(200, error("EntityTooSmall"))
        return Answer(204) if request.method == "DELETE" else etag(request)

    server.on("/bucket/large", answer)
    with pytest.raises(StorageError, match="EntityTooSmall"):
        storage_at(server.url).upload(tmp_path / "large", "large")
    assert (server.requests[-1].method, server.requests[-1].query) == ("DELETE", "uploadId=a%26b")


def test_a_long_listing_comes_page_by_page(s3: S3Server) -> None:
    folder = s3.folder / "bucket" / "many"
    folder.mkdir()
    names = [f"{number:04} 글+%&.txt" for number in range(1_050)]
    for name in names:
        (folder / name).write_bytes(b"")
    storage = BareS3Storage.from_env(s3.env(), QUICK)
    assert storage.list("many/") == [f"many/{name}" for name in names]
    client = storage._client
    assert len(list(client.list("many/", pages=1))) == 1_000


def test_a_large_object_needs_little_memory(shared_s3: S3Server, tmp_path: Path) -> None:
    with open(tmp_path / "large", "wb") as file:
        file.truncate(8 * LARGE)
    storage = BareS3Storage.from_env(shared_s3.env(), QUICK)
    tracemalloc.start()
    try:
        url = storage.upload(tmp_path / "large", "large")
        storage.download(url, tmp_path / "out")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 4 * LARGE


def test_a_key_of_others_that_xml_cannot_hold_is_listed(shared_s3: S3Server) -> None:
    put_by_boto3(shared_s3, "odd/a\x01b", b"")
    assert BareS3Storage.from_env(shared_s3.env(), QUICK).list("odd/") == ["odd/a\x01b"]


@pytest.mark.parametrize(
    ("config", "environment", "url"),
    [
        (S3Config("my-bucket"), {}, "https://my-bucket.s3.us-east-1.amazonaws.com/a%20b/%EA%B0%80"),
        (
            S3Config("my-bucket", "ap-northeast-2"),
            {},
            "https://my-bucket.s3.ap-northeast-2.amazonaws.com/a%20b/%EA%B0%80",
        ),
        (S3Config("my.bucket", "cn-north-1"), {}, "https://s3.cn-north-1.amazonaws.com.cn/my.bucket/a%20b/%EA%B0%80"),
        (S3Config("b-b", endpoint="http://minio:9000"), {}, "http://minio:9000/b-b/a%20b/%EA%B0%80"),
        (S3Config("b-b", endpoint="https://gate/s3"), {}, "https://gate/s3/b-b/a%20b/%EA%B0%80"),
        (S3Config("b-b"), {"AWS_REGION": "eu-west-1"}, "https://b-b.s3.eu-west-1.amazonaws.com/a%20b/%EA%B0%80"),
        (
            S3Config("b-b"),
            {"AWS_DEFAULT_REGION": "eu-west-1"},
            "https://b-b.s3.eu-west-1.amazonaws.com/a%20b/%EA%B0%80",
        ),
        (
            S3Config("b-b"),
            {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9000/"},
            "http://127.0.0.1:9000/b-b/a%20b/%EA%B0%80",
        ),
    ],
)
def test_where_a_bucket_is(
    config: S3Config, environment: dict[str, str], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert BareClient(config, QUICK).sign("a b/가", 60).partition("?")[0] == url


def test_a_server_is_believed_only_with_a_certificate_that_is_known(
    server: HttpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = tls_files(tmp_path, "127.0.0.1")
    server.wrap(files.server_context())
    server.on("/bucket/k", etag)
    endpoint = server.url.replace("http:", "https:")
    with pytest.raises(TransferFailed, match="the server does not answer"):
        storage_at(endpoint).write("k", b"content")
    assert server.requests == []
    monkeypatch.setenv("SSL_CERT_FILE", str(files.certificate))
    assert storage_at(endpoint).write("k", b"content") == "s3://bucket/k"
