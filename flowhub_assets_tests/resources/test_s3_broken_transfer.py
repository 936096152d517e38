"""What is left when a transfer breaks: nothing half written, one clear error."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from flowhub_assets.errors import TransferFailed
from flowhub_assets.resources.s3_storage import S3Storage
from flowhub_assets.runtime.bare_s3 import BareS3Storage
from flowhub_assets.runtime.bucket import BucketStorage
from flowhub_assets.runtime.s3_client import S3Limits
from flowhub_assets.runtime.s3_transfer import LARGE
from flowhub_assets_tests.broken_network import relay
from flowhub_assets_tests.s3_server import S3Server, put_by_boto3, s3

__all__ = ["s3"]

QUICK = S3Limits(retries=2, timeout=3, connect_timeout=2, first_backoff=0.05, longest_backoff=0.1)
SOUND, DAMAGED = b"SOUND-CONTENT", b"OTHER-CONTENT"
BIG = 96 * 1024 * 1024


@pytest.fixture(params=[S3Storage, BareS3Storage])
def kind(request: pytest.FixtureRequest) -> type[BucketStorage]:
    """The same contract, whichever client sends the requests."""
    found: type[BucketStorage] = request.param
    return found


def through(kind: type[BucketStorage], server: S3Server, endpoint: str) -> BucketStorage:
    return kind.from_env({**server.env(), "ENDPOINT": endpoint}, QUICK)


def after_bytes(count: int, act: Callable[[], None]) -> Callable[[bytes], bytes]:
    """Passes everything on, and acts once when ``count`` bytes have passed."""
    lock, passed = threading.Lock(), [0]

    def damage(data: bytes) -> bytes:
        with lock:
            before, passed[0] = passed[0], passed[0] + len(data)
            reached = before < count <= passed[0]
        if reached:
            act()
        return data

    return damage


@pytest.fixture
def big_file(tmp_path: Path) -> Path:
    (tmp_path / "big").write_bytes(os.urandom(1 << 20) * (BIG >> 20))
    return tmp_path / "big"


def test_server_killed_in_the_middle_of_a_download(
    s3: S3Server, kind: type[BucketStorage], big_file: Path, tmp_path: Path
) -> None:
    kind.from_env(s3.env(), QUICK).upload(big_file, "big")
    with (
        relay(s3.endpoint, down=after_bytes(BIG // 3, s3.process.kill)) as endpoint,
        pytest.raises(TransferFailed, match="cannot download 'big'") as caught,
    ):
        through(kind, s3, endpoint).download("big", tmp_path / "out")
    assert s3.process.wait(timeout=10) == -9
    assert os.listdir(tmp_path / "out") == []
    assert s3.secret_key not in str(caught.value)
    assert "Signature" not in str(caught.value)


def test_a_broken_download_leaves_the_file_that_was_there(
    s3: S3Server, kind: type[BucketStorage], big_file: Path, tmp_path: Path
) -> None:
    kind.from_env(s3.env(), QUICK).upload(big_file, "big")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "big").write_bytes(b"old")
    with relay(s3.endpoint, down=after_bytes(BIG // 3, s3.process.kill)) as endpoint, pytest.raises(TransferFailed):
        through(kind, s3, endpoint).download("big", tmp_path / "out")
    assert os.listdir(tmp_path / "out") == ["big"]
    assert (tmp_path / "out" / "big").read_bytes() == b"old"


def test_server_killed_in_the_middle_of_an_upload(s3: S3Server, kind: type[BucketStorage], big_file: Path) -> None:
    with (
        relay(s3.endpoint, up=after_bytes(BIG // 3, s3.process.kill)) as endpoint,
        pytest.raises(TransferFailed, match="cannot upload") as caught,
    ):
        through(kind, s3, endpoint).upload(big_file, "big")
    assert s3.process.wait(timeout=10) == -9
    assert not (s3.folder / "bucket" / "big").exists()
    assert s3.secret_key not in str(caught.value)


def test_server_killed_among_many_small_files(s3: S3Server, kind: type[BucketStorage], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(200):
        (tmp_path / "in" / str(number)).write_bytes(os.urandom(10_000))
    with relay(s3.endpoint, up=after_bytes(500_000, s3.process.kill)) as endpoint, pytest.raises(TransferFailed):
        through(kind, s3, endpoint).upload_folder(tmp_path / "in", "pre")


def test_a_server_that_stands_still_ends_in_an_error(
    s3: S3Server, kind: type[BucketStorage], big_file: Path, tmp_path: Path
) -> None:
    kind.from_env(s3.env(), QUICK).upload(big_file, "big")
    stopped = after_bytes(BIG // 3, lambda: os.kill(s3.process.pid, 19))
    with relay(s3.endpoint, down=stopped) as endpoint, pytest.raises(TransferFailed):
        through(kind, s3, endpoint).download("big", tmp_path / "out")
    assert os.listdir(tmp_path / "out") == []


def test_a_cut_connection_goes_on_where_it_stopped(
    s3: S3Server, kind: type[BucketStorage], big_file: Path, tmp_path: Path
) -> None:
    kind.from_env(s3.env(), QUICK).upload(big_file, "big")
    cut = threading.Event()

    def cut_once(data: bytes) -> bytes:
        if len(data) > 10_000 and not cut.is_set():
            cut.set()
            raise OSError("cut")
        return data

    with relay(s3.endpoint, down=cut_once) as endpoint:
        path = through(kind, s3, endpoint).download("big", tmp_path / "out")
    assert cut.is_set()
    assert Path(path).read_bytes() == big_file.read_bytes()


@pytest.mark.parametrize("size", [1_000, LARGE + 1_000_000])
def test_content_damaged_on_its_way_down(s3: S3Server, kind: type[BucketStorage], tmp_path: Path, size: int) -> None:
    (tmp_path / "file").write_bytes(SOUND + b"." * size)
    kind.from_env(s3.env(), QUICK).upload(tmp_path / "file", "k")
    with (
        relay(s3.endpoint, down=lambda data: data.replace(SOUND, DAMAGED)) as endpoint,
        pytest.raises(TransferFailed, match="arrives with other bytes"),
    ):
        through(kind, s3, endpoint).download("k", tmp_path / "out")
    assert os.listdir(tmp_path / "out") == []


def test_a_small_object_damaged_on_its_way_up(s3: S3Server, kind: type[BucketStorage]) -> None:
    with (
        relay(s3.endpoint, up=lambda data: data.replace(SOUND, DAMAGED)) as endpoint,
        pytest.raises(TransferFailed, match="arrives with other bytes"),
    ):
        through(kind, s3, endpoint).write("k", SOUND)


def test_a_large_object_damaged_on_its_way_up_is_never_taken(
    s3: S3Server, kind: type[BucketStorage], tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(SOUND + b"." * (LARGE + 1_000_000))
    with relay(s3.endpoint, up=lambda data: data.replace(SOUND, DAMAGED)) as endpoint:
        # This server does not compare the signed SHA-256 of the parts, as S3 and MinIO do.
        through(kind, s3, endpoint).upload(tmp_path / "file", "k")
    with pytest.raises(TransferFailed, match="arrives with other bytes"):
        kind.from_env(s3.env(), QUICK).download("k", tmp_path / "out")


def test_content_damaged_once_is_fetched_again(s3: S3Server, kind: type[BucketStorage]) -> None:
    storage = kind.from_env(s3.env(), QUICK)
    storage.write("k", SOUND)
    damaged = threading.Event()

    def damage_once(data: bytes) -> bytes:
        if SOUND in data and not damaged.is_set():
            damaged.set()
            return data.replace(SOUND, DAMAGED)
        return data

    with relay(s3.endpoint, down=damage_once) as endpoint:
        assert through(kind, s3, endpoint).read("k") == SOUND
    assert damaged.is_set()


def test_a_server_whose_etags_are_no_md5_is_believed_after_reading_back(
    s3: S3Server, kind: type[BucketStorage]
) -> None:
    md5 = hashlib.md5(SOUND).hexdigest().encode()
    with relay(s3.endpoint, down=lambda data: data.replace(md5, b"0" * 32)) as endpoint:
        storage = through(kind, s3, endpoint)
        storage.write("k", SOUND)
        storage.write("k", SOUND)
        assert storage.read("k") == SOUND


def test_an_object_of_others_with_another_etag_is_taken_when_it_arrives_twice_alike(
    s3: S3Server, kind: type[BucketStorage], tmp_path: Path
) -> None:
    for name, content in (("small", SOUND), ("large", SOUND + b"." * LARGE)):
        put_by_boto3(s3, name, content)
        md5 = hashlib.md5(content).hexdigest().encode()
        with relay(s3.endpoint, down=lambda data, md5=md5: data.replace(md5, b"0" * 32)) as endpoint:  # type: ignore[misc]
            assert Path(through(kind, s3, endpoint).download(name, tmp_path)).read_bytes() == content


def test_a_file_that_changes_while_it_is_uploaded(s3: S3Server, kind: type[BucketStorage], big_file: Path) -> None:
    def touch() -> None:
        os.utime(big_file, ns=(time.time_ns(), time.time_ns()))

    with (
        relay(s3.endpoint, up=after_bytes(BIG // 3, touch)) as endpoint,
        pytest.raises(TransferFailed, match="changed while it was uploaded"),
    ):
        through(kind, s3, endpoint).upload(big_file, "big")
