from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.errors import OutsideStorage, StorageError
from flowhub_assets.runtime.storage_keys import (
    check_prefix,
    checked_key,
    file_path,
    file_url,
    near,
    place_of_run,
    s3_key,
    s3_url,
    url_without_query,
)


def is_legal(key: str) -> bool:
    try:
        checked_key(key, "here")
    except StorageError:
        return False
    return True


LETTERS = st.characters(exclude_categories=("Cs", "Cc"))
SEGMENTS = st.text(st.one_of(LETTERS, st.sampled_from("한글 %#?+&=~*")), min_size=1, max_size=20)
KEYS = st.lists(SEGMENTS, min_size=1, max_size=5).map("/".join).filter(is_legal)


@given(KEYS)
def test_a_key_survives_its_s3_url(key: str) -> None:
    assert s3_key(s3_url("bucket", key), "bucket") == key
    assert s3_key(key, "bucket") == key


@given(KEYS)
def test_a_path_survives_its_file_url(key: str) -> None:
    url = file_url("/workspace/" + key)
    assert url.isascii()
    assert " " not in url
    assert file_path(url) == "/workspace/" + key


@given(st.text(max_size=40))
def test_no_legal_key_leaves_a_folder(key: str) -> None:
    if is_legal(key):
        assert os.path.normpath(os.path.join("/workspace", key)) == "/workspace/" + key


@pytest.mark.parametrize("key", ["../x", "a/../../x", "/etc/passwd", "..", "a/.."])
def test_a_key_that_climbs_out_is_refused(key: str) -> None:
    with pytest.raises(OutsideStorage) as caught:
        checked_key(key, "s3://bucket")
    assert repr(key) in str(caught.value)
    assert "s3://bucket" in str(caught.value)
    with pytest.raises(OutsideStorage):
        check_prefix(key, "s3://bucket")


@pytest.mark.parametrize(
    "key",
    [
        "",
        "a//b",
        "a/./b",
        "a/",
        "a\x00b",
        "a\nb",
        "x" * 1025,
        "한" * 342,
        "\ud800",
        ".part-1",
        "a/.part-0/b",
        "s3://b/k",
        None,
        3,
    ],
)
def test_a_key_that_no_server_keeps_as_written_is_refused(key: object) -> None:
    with pytest.raises(StorageError) as caught:
        checked_key(key, "here")
    assert not isinstance(caught.value, OutsideStorage)
    assert caught.value.remedy


@pytest.mark.parametrize("url", ["s3://other/k", "gs://bucket/k", "https://bucket/k", "file:///k", "s3://bucket.x/k"])
def test_a_url_of_another_bucket_or_scheme_is_refused(url: str) -> None:
    with pytest.raises(OutsideStorage, match="is not in the bucket of this profile"):
        s3_key(url, "bucket")


def test_a_signature_or_password_of_a_url_is_not_repeated() -> None:
    with pytest.raises(OutsideStorage) as caught:
        s3_key("https://user:pass@host/k?X-Amz-Signature=abcdef", "bucket")
    assert "abcdef" not in str(caught.value)
    assert "pass" not in str(caught.value)
    assert url_without_query("s3://bucket/a?b") == "s3://bucket/a?b"


def test_the_place_of_a_run_keeps_runs_apart() -> None:
    env = {"project": "p", "run_id": "r1", "task": "t", "WORKSPACE": "w"}
    assert place_of_run(env) == "p/r1/t/"
    assert place_of_run({"run_id": "r1"}) == "r1/"
    assert place_of_run({}) == ""


def test_only_urls_of_this_machine_are_paths() -> None:
    assert file_path("file://localhost/a%20b") == "/a b"
    assert file_path("file:///a#b?c") == "/a#b?c"
    assert file_path("file://server/share") is None
    assert file_path("s3://bucket/k") is None


def test_near_keys() -> None:
    assert near("a/reprot.csv", ["a/report.csv", "b"]) == "did you mean 'a/report.csv'?"
    assert "is a folder" in near("a", ["a/1", "a/2"])
    assert near("x", ["completely-other"]) == ""
