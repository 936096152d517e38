"""A bucket's objects with their times, against boto3's list of a real server: any tree, from any key on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowhub_assets.errors import AccessRefused, ProfileError, StorageError, TransferFailed
from flowhub_assets.resources import s3_pages
from flowhub_assets.resources.object_pages import EVER, ObjectPage, ObjectPages, StoredObject, object_pages
from flowhub_assets.runtime.s3_client import S3Limits
from flowhub_assets_tests.http_server import Answer, http_server
from flowhub_assets_tests.s3_server import S3Server, boto3_client, put_by_boto3, running_s3_server

ONCE = S3Limits(retries=0, timeout=5, connect_timeout=2)
OLD, NEW = 1_577_836_800, 1_893_456_000


def of(server: S3Server, bucket: str = "bucket") -> ObjectPages:
    return object_pages(server.env(bucket), ONCE)


def keys_of(pages: Sequence[ObjectPage]) -> list[str]:
    return [one.key for page in pages for one in page.objects]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A server over a folder in which each example has a bucket of its own."""
    folder = tmp_path_factory.mktemp("s3")
    (folder / "bucket").mkdir()
    with running_s3_server(folder) as running:
        yield running


NAMES = st.sampled_from(["a", "b", "ab", "한", "a b", "1+1", "%41", "a.b"])
KEYS = st.lists(st.lists(NAMES, min_size=1, max_size=3).map("/".join), unique=True, max_size=25)
NUMBER = iter(range(10_000))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    keys=KEYS,
    prefix=st.sampled_from(["", "a", "a/", "ab/", "a/b"]),
    page=st.integers(1, 6),
    new=st.sets(st.integers(0, 24)),
    data=st.data(),
)
def test_it_lists_as_boto3_does(
    server: S3Server, keys: list[str], prefix: str, page: int, new: set[int], data: st.DataObject
) -> None:
    bucket = f"bucket-{next(NUMBER)}"
    # By the server, which remembers for a while what lies in a folder.
    boto3_client(server).create_bucket(Bucket=bucket)
    for number, key in enumerate(keys):
        path = server.folder / bucket / f"{key}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x" * number)
        os.utime(path, (NEW, NEW) if number in new else (OLD, OLD))
    wanted = boto3_client(server).list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    after = data.draw(st.sampled_from(["", "a", "b/", *(one["Key"] for one in wanted)]))
    rest = [one for one in wanted if one["Key"] > after]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(s3_pages, "_PAGE", page)
        patch.setattr(s3_pages, "_FULL_FOLDER", 2)
        patch.setattr(s3_pages, "_JUDGED_AFTER", data.draw(st.integers(1, 4)))
        patch.setattr(s3_pages, "_WORTH_A_REQUEST", data.draw(st.integers(1, 4)))
        listing = of(server, bucket)
        pages = list(listing.pages(prefix, after))
        late = list(listing.pages(prefix, after, (OLD + 1) * 1_000_000))
    told = [(one["Key"], round(one["LastModified"].timestamp() * 1_000_000), one["Size"]) for one in rest]
    assert [one[:3] for page in pages for one in page.objects] == told
    assert [one.etag for page in pages for one in page.objects] == [one["ETag"].strip('"') for one in rest]
    assert keys_of(late) == [key for key, modified, _ in told if modified > OLD * 1_000_000]
    for found in (pages, late):
        assert sum(one.seen for one in found) == len(rest)
        assert [one.last for one in found if one.seen][-1:] == [key for key, *_ in told][-1:]


def test_full_folders_are_listed_one_by_one(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_pages, "_PAGE", 3)
    monkeypatch.setattr(s3_pages, "_FULL_FOLDER", 2)
    monkeypatch.setattr(s3_pages, "_WORTH_A_REQUEST", 0)
    boto3_client(server).create_bucket(Bucket="days")
    keys = sorted([f"{day}/{number}" for day in ("a", "b", "c") for number in range(7)] + ["ab", "bb"])
    for key in keys:
        (server.folder / "days" / key).parent.mkdir(exist_ok=True)
        (server.folder / "days" / key).touch()
    for after in ["", *keys]:
        assert keys_of(list(of(server, "days").pages("", after))) == [key for key in keys if key > after], after


def test_it_tells_the_clock_of_the_server(server: S3Server) -> None:
    put_by_boto3(server, "clock/a", b"")
    (page,) = of(server).pages("clock/")
    (one,) = page.objects
    assert abs(page.clock - one.modified) < 60 * 1_000_000
    assert of(server).url(one.key) == "s3://bucket/clock/a"
    assert (of(server).name, of(server).bucket) == ("s3://bucket", "bucket")


ANSWER = """<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{}</ListBucketResult>"""
ENTRY = "<Contents><Key>{}</Key><LastModified>{}</LastModified><ETag>&quot;e&quot;</ETag><Size>1</Size></Contents>"


def told_by(answer: Answer) -> list[ObjectPage]:
    """What is listed of a server that answers this."""
    with http_server() as server:
        server.on("/bucket/", lambda _: answer)
        env = {"BUCKET": "bucket", "ENDPOINT": server.url, "ACCESS_KEY": "a", "SECRET_KEY": "b"}
        return list(object_pages(env, ONCE).pages("in/"))


@pytest.mark.parametrize("text", ["<html>hello", "<html/>", ANSWER.format(ENTRY.format("in/a", "yesterday"))])
def test_what_does_not_speak_s3(text: str) -> None:
    with pytest.raises(StorageError, match="cannot list 'in/': what answers does not speak S3"):
        told_by(Answer.text(text))


def test_a_list_out_of_order_is_refused() -> None:
    entries = "".join(ENTRY.format(key, "2020-01-01T00:00:00Z") for key in ("in/b", "in/a"))
    with pytest.raises(StorageError, match="it lists 'in/a' behind 'in/b'"):
        told_by(Answer.text(ANSWER.format(entries)))


def test_keys_that_a_storage_would_refuse_are_listed(server: S3Server) -> None:
    text = ANSWER.format("".join(ENTRY.format(key, "2020-01-01T00:00:00Z") for key in ("a//b", "folder/", "x&amp;y")))
    for since in (EVER, NEW * 1_000_000):
        old = s3_pages._old(text.encode(), 0, since, is_first=True)
        answer = old or s3_pages._answer(text.encode(), 0)
        assert (answer.seen, answer.last, old is None) == (3, "x&y", since == EVER)


@pytest.mark.parametrize("modified", ["2020-01-01T00:00:00Z", "2020-01-01T00:00:00.000Z", "2020-01-01T09:00:00+09:00"])
def test_times_as_servers_write_them(modified: str) -> None:
    (one,) = s3_pages._answer(ANSWER.format(ENTRY.format("a", modified)).encode(), 0).objects
    assert one == StoredObject("a", OLD * 1_000_000, 1, "e")


def test_one_new_object_among_old_ones_is_seen() -> None:
    entries = [ENTRY.format(f"{number:03}", "2020-01-01T00:00:00Z") for number in range(100)]
    entries[50] = ENTRY.format("050", "2030-01-01T00:00:00.5Z")
    since = int(datetime.fromisoformat("2030-01-01T00:00:00Z").timestamp() * 1_000_000)
    assert s3_pages._old(ANSWER.format("".join(entries)).encode(), 0, since, is_first=True) is None
    assert s3_pages._old(ANSWER.format("".join(entries)).encode(), 0, since + 500_000, is_first=True) is not None


def test_another_key_is_refused(server: S3Server) -> None:
    env = {**server.env(), "SECRET_KEY": "another"}
    with pytest.raises(AccessRefused) as error:
        list(object_pages(env, ONCE).pages(""))
    assert server.secret_key not in str(error.value)


def test_a_bucket_that_is_not_there(server: S3Server) -> None:
    with pytest.raises(StorageError, match="the bucket does not exist"):
        list(of(server, "nowhere").pages(""))


def test_a_server_that_is_away(tmp_path: Path) -> None:
    (tmp_path / "bucket").mkdir()
    with running_s3_server(tmp_path) as gone:
        pass
    with pytest.raises(TransferFailed, match="cannot list 'in/': the server does not answer"):
        list(of(gone).pages("in/"))


def test_a_profile_without_storage() -> None:
    with pytest.raises(ProfileError):
        object_pages({})
