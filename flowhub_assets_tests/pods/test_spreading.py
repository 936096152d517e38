"""Files over several archives: each small enough, all of them there, the same on every machine."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowhub_assets.errors import DefinitionError
from flowhub_assets.pods.archive import unpack
from flowhub_assets.pods.spreading import spread

SMALL = 2000


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def together(archives: list[bytes]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for archive in archives:
        for name, content in (unpack(archive) if archive else {}).items():
            assert name not in found
            found[name] = content
    return found


def test_what_fits_into_one_archive_is_one() -> None:
    files = {f"{number}.py": b"x = 1\n" * 100 for number in range(30)}
    (archive,) = spread(files, SMALL, {}, SMALL)
    assert unpack(archive) == files
    assert spread({}, SMALL, {}, SMALL) == []


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 1500), max_size=12), st.integers(0, SMALL))
def test_every_file_is_in_one_archive_and_no_archive_is_too_large(sizes: list[int], room: int) -> None:
    files = {f"file{number:02}": noise(size, number) for number, size in enumerate(sizes)}
    archives = spread(files, room, {}, SMALL)
    assert together(archives) == files
    assert all(len(archive) <= (SMALL if number else room) for number, archive in enumerate(archives))
    assert spread(dict(reversed(files.items())), room, {}, SMALL) == archives


def test_no_archive_could_have_been_left_out() -> None:
    files = {f"file{number:02}": noise(600, number) for number in range(9)}
    assert len(spread(files, SMALL, {}, SMALL)) == 5  # two of more than 600 bytes each fit into 2,000


def test_a_first_one_that_has_no_room_is_empty() -> None:
    archives = spread({"file": noise(1000)}, 500, {}, SMALL)
    assert archives[0] == b""
    assert len(archives) == 2


@pytest.mark.parametrize("content", [noise(3000), b"x" * 300_000])
def test_a_file_that_is_too_large_alone_is_refused_with_the_git_way(content: bytes) -> None:
    with pytest.raises(DefinitionError) as told:
        spread({"small": b"1", "model.bin": content}, SMALL, {"model.bin": "/home/me/model.bin"}, SMALL)
    assert told.value.where == "/home/me/model.bin"
    assert told.value.what.startswith(f"model.bin has {len(content):,} bytes")
    assert "2,000 bytes at most" in told.value.effect
    assert "repo=" in told.value.remedy
