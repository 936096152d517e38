"""Archives: the same bytes for the same files, whatever the clock and the machine say."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.pods.archive import pack, unpack

NAMES = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\"), min_size=1, max_size=150
).filter(lambda name: name not in (".", "..") and not name.isspace())


@given(st.dictionaries(NAMES, st.binary(max_size=2000), max_size=5))
def test_what_is_packed_is_unpacked(files: dict[str, bytes]) -> None:
    assert unpack(pack(files)) == files


def test_the_bytes_depend_on_names_and_contents_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"b.py": b"2", "a/long" + "g" * 200 + ".py": b"1", "한글.txt": b"3"}
    packed = pack(files)
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    monkeypatch.setattr(os, "getuid", lambda: 1234)
    assert pack(dict(reversed(files.items()))) == packed


def test_members_are_plain_files_of_nobody(tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(pack({"b": b"", "a/c": b"x"})), mode="r:xz") as archive:
        told = [(one.name, one.mode, one.mtime, one.uid, one.gid, one.uname, one.isfile()) for one in archive]
    assert told == [("a/c", 0o644, 0, 0, 0, "", True), ("b", 0o644, 0, 0, 0, "", True)]


@pytest.mark.parametrize("content", [b"", b"no archive", pack({"a": b"x" * 1000})[:-20]])
def test_what_is_no_archive_is_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError, match="no archive"):
        unpack(content)
