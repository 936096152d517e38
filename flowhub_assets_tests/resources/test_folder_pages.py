"""The files of a folder as objects: in the order of their keys, from any key on, and nothing from outside."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowhub_assets.errors import OutsideStorage, StorageError
from flowhub_assets.resources import folder_pages
from flowhub_assets.resources.object_pages import ObjectPages, object_pages
from flowhub_assets.runtime.part_file import part_file
from flowhub_assets.runtime.storage import get_storage


def of(folder: Path) -> ObjectPages:
    return object_pages({"WORKSPACE": str(folder)})


def keys(folder: Path, prefix: str = "", after: str = "", since: int | None = None) -> list[str]:
    pages = of(folder).pages(prefix, after) if since is None else of(folder).pages(prefix, after, since)
    return [one.key for page in pages for one in page.objects]


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


NAMES = st.sampled_from(["a", "b", "ab", "a.b", "한", "a b", "%41"])
NUMBER = iter(range(10_000))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(st.lists(NAMES, min_size=1, max_size=3).map("/".join), unique=True, max_size=20),
    prefix=st.sampled_from(["", "a", "a/", "ab/", "a/b", "한"]),
    after=st.sampled_from(["", "a", "a/b.csv", "ab", "b/", "z"]),
    page=st.integers(1, 5),
)
def test_it_lists_what_the_storage_lists(tmp_path: Path, names: list[str], prefix: str, after: str, page: int) -> None:
    folder = tmp_path / str(next(NUMBER))
    put(folder, *(f"{name}.csv" for name in names))
    wanted = [key for key in get_storage({"WORKSPACE": str(folder)}).list(prefix) if key > after]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folder_pages, "_PAGE", page)
        assert keys(folder, prefix, after) == wanted
        pages = list(of(folder).pages(prefix, after))
    assert (sum(one.seen for one in pages), pages[-1].last) == (len(wanted), wanted[-1] if wanted else "")


def test_what_is_not_whole_or_hidden_is_no_object(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", ".b.csv.x7", ".git/c.csv")
    with part_file(str(tmp_path / "d.csv")) as part:
        Path(part).write_text("half")
        assert keys(tmp_path) == ["a.csv"]
    assert keys(tmp_path) == ["a.csv", "d.csv"]


def test_links_do_not_leave_the_folder(tmp_path: Path) -> None:
    folder, outside = tmp_path / "in", tmp_path / "out"
    put(folder, "a.csv", "sub/b.csv")
    put(outside, "secret.csv")
    (folder / "inside.csv").symlink_to(folder / "a.csv")
    (folder / "secret.csv").symlink_to(outside / "secret.csv")
    (folder / "broken.csv").symlink_to(folder / "nothing")
    (folder / "loop").symlink_to(folder)
    (folder / "out").symlink_to(outside)
    os.mkfifo(folder / "pipe.csv")
    assert keys(folder) == ["a.csv", "inside.csv", "sub/b.csv"]
    by_link = tmp_path / "link"
    by_link.symlink_to(folder)
    assert keys(by_link) == ["a.csv", "inside.csv", "sub/b.csv"]


@pytest.mark.parametrize("prefix", ["../", "/etc", "a/../.."])
def test_a_prefix_that_leads_out_is_refused(tmp_path: Path, prefix: str) -> None:
    with pytest.raises(OutsideStorage):
        keys(tmp_path, prefix)


def test_its_time_is_that_of_its_last_change(tmp_path: Path) -> None:
    begun = time.time_ns() // 1000 - 1_000_000
    put(tmp_path, "a.csv", "b.csv")
    os.utime(tmp_path / "a.csv", (1, 1))
    (page,) = of(tmp_path).pages("")
    assert all(begun < one.modified <= page.clock + 1_000_000 for one in page.objects)
    assert [one.size for one in page.objects] == [5, 5]
    (before,) = (one for one in page.objects if one.key == "b.csv")
    put(tmp_path, "new")
    (tmp_path / "new").rename(tmp_path / "b.csv")
    (after,) = (one for page in of(tmp_path).pages("") for one in page.objects if one.key == "b.csv")
    assert after.etag != before.etag
    assert keys(tmp_path, since=page.objects[-1].modified + 3_600_000_000) == []


def test_a_folder_that_is_not_there_is_empty(tmp_path: Path) -> None:
    (page,) = of(tmp_path / "none").pages("in/")
    assert (page.objects, page.seen, page.last) == ([], 0, "")


def test_a_file_in_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot list"):
        keys(tmp_path / "file")


def test_its_urls_are_those_of_the_storage(tmp_path: Path) -> None:
    put(tmp_path, "a b/한.csv")
    storage = get_storage({"WORKSPACE": str(tmp_path)})
    assert of(tmp_path).url("a b/한.csv") == storage.url("a b/한.csv")
    assert (of(tmp_path).name, of(tmp_path).bucket) == (storage.name, None)
