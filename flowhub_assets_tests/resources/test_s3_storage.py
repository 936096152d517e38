from __future__ import annotations

import asyncio
import os
import pickle
import time
import urllib.request
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowhub_assets.errors import AccessRefused, ObjectMissing, OutsideStorage, StorageError, TransferFailed
from flowhub_assets.resources.s3_storage import S3Storage
from flowhub_assets.runtime.bare_s3 import BareS3Storage
from flowhub_assets.runtime.bucket import BucketStorage
from flowhub_assets.runtime.s3_client import S3Limits
from flowhub_assets.runtime.s3_transfer import LARGE
from flowhub_assets.runtime.storage_keys import checked_key
from flowhub_assets_tests.s3_server import S3Server, put_by_boto3, shared_s3

__all__ = ["shared_s3"]

QUICK = S3Limits(retries=2, timeout=5, connect_timeout=2, first_backoff=0.05, longest_backoff=0.1)
HARD_NAMES = ["보고서 1.csv", "a%20b", "a#b?c&d=e+f", "100%", "~", "a;b,c", "'\"<>"]


@pytest.fixture(params=[S3Storage, BareS3Storage])
def kind(request: pytest.FixtureRequest) -> type[BucketStorage]:
    """The same contract, whichever client sends the requests."""
    found: type[BucketStorage] = request.param
    return found


@pytest.fixture
def storage(shared_s3: S3Server, kind: type[BucketStorage]) -> BucketStorage:
    run = {"project": "p", "run_id": os.urandom(4).hex(), "task": "t"}
    return kind.from_env({**shared_s3.env(), **run}, QUICK)


@pytest.mark.parametrize("name", HARD_NAMES)
def test_up_and_down(storage: BucketStorage, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes("내용".encode())
    url = storage.upload(tmp_path / name)
    key = url.removeprefix("s3://bucket/")
    assert key.startswith("p/")
    assert key.endswith(f"/t/{name}")
    assert storage.list(key) == [key]
    assert urllib.request.urlopen(storage.presign(url), timeout=5).read() == "내용".encode()
    path = storage.download(url, tmp_path / "new" / "folder")
    assert path == str(tmp_path / "new" / "folder" / name)
    assert Path(path).read_bytes() == Path(storage.download(key, tmp_path / "again")).read_bytes() == "내용".encode()
    assert storage.exists(url)
    storage.delete(url)
    storage.delete(url)
    assert not storage.exists(key)


SEGMENTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="/"), min_size=1)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(SEGMENTS.map(lambda text: text[:20]), min_size=1, max_size=3).map("/".join), st.binary(max_size=50))
def test_any_key_is_kept_as_written(storage: BucketStorage, key: str, data: bytes) -> None:
    key = f"any-{os.urandom(4).hex()}/{key}"
    try:
        checked_key(key, "here")
    except StorageError:
        return
    url = storage.write(key, data)
    assert storage.list(key.partition("/")[0] + "/") == [key]
    assert storage.read(url) == storage.read(key) == data


def test_open(storage: BucketStorage) -> None:
    with storage.open("open/글.txt", "w") as file:
        file.write("안녕\n")
    with storage.open("s3://bucket/open/글.txt", "r") as file:
        assert file.read() == "안녕\n"
    with pytest.raises(ZeroDivisionError), storage.open("open/글.txt", "wb") as file:
        file.write(b"half" * (1 // len("")))
    assert storage.read("open/글.txt") == "안녕\n".encode()
    with pytest.raises(StorageError, match="mode 'r\\+'"), storage.open("open/글.txt", "r+"):
        pass


def test_a_large_object_travels_in_parts(storage: BucketStorage, shared_s3: S3Server, tmp_path: Path) -> None:
    content = os.urandom(1 << 20) * 80 + b"rest"
    (tmp_path / "large").write_bytes(content)
    url = storage.upload(tmp_path / "large", "large")
    assert (shared_s3.folder / "bucket" / "large").read_bytes() == content
    assert Path(storage.download(url, tmp_path / "out")).read_bytes() == content
    assert os.listdir(tmp_path / "out") == ["large"]


def test_large_and_small_objects_of_others_are_compared_with_their_etag(
    storage: BucketStorage, shared_s3: S3Server, tmp_path: Path
) -> None:
    for name, size in (("others-small", 10), ("others-large", LARGE + 5), ("others-empty", 0)):
        content = os.urandom(size)
        put_by_boto3(shared_s3, name, content)
        assert Path(storage.download(name, tmp_path)).read_bytes() == content


def test_folders(storage: BucketStorage, tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / "in" / f"{number:02}").mkdir(parents=True)
        (tmp_path / "in" / f"{number:02}" / "글 %.txt").write_text(str(number))
    urls = storage.upload_folder(tmp_path / "in", "pre")
    assert [storage.read(url) for url in urls] == [str(number).encode() for number in range(30)]
    paths = storage.download_folder("pre", tmp_path / "out")
    assert [Path(path).read_text() for path in paths] == [str(number) for number in range(30)]
    assert paths[3] == str(tmp_path / "out" / "03" / "글 %.txt")
    assert storage.list("pre/1") == [f"pre/1{number}/글 %.txt" for number in range(10)]


def test_folders_inside_a_running_event_loop(storage: BucketStorage, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_bytes(b"1")

    async def main() -> list[str]:
        storage.upload_folder(tmp_path / "in", "loop")
        return storage.download_folder("loop", tmp_path / "out")

    assert asyncio.run(main()) == [str(tmp_path / "out" / "a")]


@pytest.mark.parametrize(
    "url",
    ["s3://other/k", "gs://bucket/k", "file:///etc/passwd", "../k", "/k", "a/../../k", "https://h/k?X-Amz-Signature=1"],
)
def test_another_bucket_or_a_key_that_climbs_out_is_refused(storage: BucketStorage, tmp_path: Path, url: str) -> None:
    for verb in (storage.read, storage.exists, storage.delete, storage.presign, storage.url):
        with pytest.raises(OutsideStorage):
            verb(url)
    with pytest.raises(OutsideStorage):
        storage.write(url, b"")
    with pytest.raises(OutsideStorage):
        storage.download(url, tmp_path)


def test_a_missing_object_names_its_neighbours(storage: BucketStorage, tmp_path: Path) -> None:
    storage.write("day/report.csv", b"1")
    with pytest.raises(ObjectMissing, match=r"Did you mean 'day/report.csv'"):
        storage.read("day/reprot.csv")
    with pytest.raises(ObjectMissing, match="It is a folder"):
        storage.download("day", tmp_path / "out")
    with pytest.raises(ObjectMissing, match="nothing lies below"):
        storage.download_folder("night", tmp_path / "out")
    with pytest.raises(ObjectMissing, match="cannot download 'x'"), storage.open("x", "rb"):
        pass
    assert not (tmp_path / "out").exists()
    with pytest.raises(StorageError, match="upload_folder"):
        storage.upload(tmp_path)


def every_verb_fails(storage: BucketStorage, tmp_path: Path, error: type[StorageError], *secrets: str) -> None:
    (tmp_path / "file").write_bytes(b"1")
    with open(tmp_path / "large", "wb") as file:
        file.truncate(LARGE + 1)
    for verb in (
        lambda: storage.read("k"),
        lambda: storage.write("k", b"1"),
        lambda: storage.list(),
        lambda: storage.upload(tmp_path / "file"),
        lambda: storage.upload(tmp_path / "large"),
        lambda: storage.upload_folder(tmp_path),
        lambda: storage.download("k", tmp_path / "out"),
        lambda: storage.download_folder("k", tmp_path / "out"),
    ):
        with pytest.raises(error) as caught:
            verb()
        assert type(caught.value) is error
        assert caught.value.remedy
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__
        assert not any(secret in str(caught.value) for secret in secrets)
    assert not (tmp_path / "out").exists()


def test_a_wrong_secret(shared_s3: S3Server, kind: type[BucketStorage], tmp_path: Path) -> None:
    storage = kind.from_env({**shared_s3.env(), "SECRET_KEY": "wrong-secret-of-mine"}, QUICK)
    every_verb_fails(storage, tmp_path, AccessRefused, "wrong-secret-of-mine", shared_s3.secret_key, "Signature=")
    with pytest.raises(AccessRefused, match="Check SECRET_KEY"):
        storage.read("k")
    with pytest.raises(AccessRefused):
        storage.exists("k")


def test_an_unknown_key_id(shared_s3: S3Server, kind: type[BucketStorage]) -> None:
    with pytest.raises(AccessRefused, match="Check ACCESS_KEY"):
        kind.from_env({**shared_s3.env(), "ACCESS_KEY": "AKUNKNOWNUNKNOWN"}, QUICK).read("k")


def test_a_bucket_that_does_not_exist(shared_s3: S3Server, kind: type[BucketStorage], tmp_path: Path) -> None:
    every_verb_fails(kind.from_env(shared_s3.env("no-such-bucket"), QUICK), tmp_path, StorageError)


def test_an_endpoint_where_nobody_listens(shared_s3: S3Server, kind: type[BucketStorage], tmp_path: Path) -> None:
    env = {**shared_s3.env(), "ENDPOINT": "http://127.0.0.1:9"}
    every_verb_fails(kind.from_env(env, QUICK), tmp_path, TransferFailed, shared_s3.secret_key)


def test_other_spellings_of_the_key_pair(
    shared_s3: S3Server, kind: type[BucketStorage], monkeypatch: pytest.MonkeyPatch
) -> None:
    env = shared_s3.env()
    access_key, secret_key = env.pop("ACCESS_KEY"), env.pop("SECRET_KEY")
    kind.from_env({**env, "ACCESS_KEY_ID": access_key, "SECRET_ACCESS_KEY": secret_key}).write("k", b"1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret_key)
    assert kind.from_env(env).read("k") == b"1"
    # What the environment holds beside the profile's own pair must not be mixed with it.
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of-somebody-else")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-somebody-else")
    assert kind.from_env(shared_s3.env()).read("k") == b"1"


def test_presign_takes_seconds_up_to_a_week(storage: BucketStorage) -> None:
    for seconds in (0, -1, 7 * 24 * 3600 + 1):
        with pytest.raises(StorageError, match="7 days"):
            storage.presign("k", seconds)
    assert "X-Amz-Expires=60" in storage.presign("k", 60)


def test_no_secret_is_shown(storage: BucketStorage, shared_s3: S3Server) -> None:
    storage.list()
    assert shared_s3.secret_key not in repr(storage) + repr(vars(storage))


def test_a_storage_travels_to_another_process(storage: BucketStorage) -> None:
    storage.write("travel", b"1")
    assert pickle.loads(pickle.dumps(storage)).read("travel") == b"1"


def test_a_forked_child_goes_on(storage: BucketStorage, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(os.urandom(1 << 20) * 20)
    storage.write("parent", b"1")
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            storage.upload(tmp_path / "large", "child/large")
            storage.write("child/small", storage.read("parent"))
            storage.download("child/large", tmp_path / "out")
            try:
                storage.read("child/smal")
            except ObjectMissing as error:
                code = 0 if "child/small" in str(error) and len(storage.list("child/")) == 2 else 2
        finally:
            os._exit(code)
    last = time.monotonic() + 30
    while (ended := os.waitpid(pid, os.WNOHANG)) == (0, 0) and time.monotonic() < last:
        time.sleep(0.05)
    if ended == (0, 0):
        os.kill(pid, 9)
        ended = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(ended[1]) == 0
    assert (tmp_path / "out" / "large").read_bytes() == (tmp_path / "large").read_bytes()
    assert Path(storage.download("child/large", tmp_path / "mine")).read_bytes() == (tmp_path / "large").read_bytes()
    assert storage.read("child/small") == b"1"


def test_a_full_disk_or_no_folder_is_the_files_error(storage: BucketStorage, tmp_path: Path) -> None:
    storage.write("k", b"1")
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="A file stands where a folder is needed"):
        storage.download("k", tmp_path / "file")
    with pytest.raises(StorageError, match="No space left on device"):
        _download_to_full_disk(storage)


def _download_to_full_disk(storage: BucketStorage) -> None:
    with storage.open("full", "wb") as file, open("/dev/full", "wb") as full:
        os.dup2(full.fileno(), file.fileno())
        file.write(b"x" * 100_000)
        file.flush()
