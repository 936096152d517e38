from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowhub_assets.errors import ObjectMissing, OutsideStorage, StorageError
from flowhub_assets.runtime.folder_storage import FolderStorage

HARD_NAMES = ["보고서 1.csv", "a%20b", "a#b?c&d=e+f", "100%", "é", "é", "-x", "~"]


@pytest.fixture
def storage(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path / "work", {"project": "p", "run_id": "r", "task": "t"})


@pytest.mark.parametrize("name", HARD_NAMES)
def test_up_and_down(storage: FolderStorage, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"content")
    url = storage.upload(tmp_path / name)
    assert url == storage.url(f"p/r/t/{name}")
    assert urllib.request.urlopen(storage.presign(url), timeout=5).read() == b"content"
    path = storage.download(url, tmp_path / "new" / "folder")
    assert path == str(tmp_path / "new" / "folder" / name)
    assert Path(path).read_bytes() == b"content"
    assert storage.download(f"p/r/t/{name}", tmp_path / "again").endswith(name)
    assert storage.list() == [f"p/r/t/{name}"]
    assert storage.exists(url)
    storage.delete(url)
    storage.delete(url)
    assert not storage.exists(url)


def test_open(storage: FolderStorage) -> None:
    with storage.open("a/글.txt", "w") as file:
        file.write("안녕\n")
    with storage.open("a/글.txt", "r") as file:
        assert file.read() == "안녕\n"
    with storage.open("b", "wb") as file:
        file.write(b"\0")
    with storage.open(storage.url("b")) as file:
        assert file.read() == b"\0"
    with pytest.raises(StorageError, match="mode 'a'"), storage.open("b", "a"):
        pass


def test_a_write_that_raises_leaves_the_old_content(storage: FolderStorage) -> None:
    storage.write("a", b"old")
    with pytest.raises(ZeroDivisionError), storage.open("a", "wb") as file:
        file.write(b"new" * (1 // file.write(b"n" * 0)))
    assert storage.read("a") == b"old"
    assert os.listdir(storage.name) == ["a"]


def test_an_error_of_the_users_own_file_stays_theirs(storage: FolderStorage, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), storage.open("a", "wb"):
        (tmp_path / "absent").read_bytes()


@pytest.mark.parametrize(
    "url",
    ["../x", "a/../../x", "/etc/passwd", "file:///etc/passwd", "s3://bucket/x", "file:///../x", "https://h/x?sig=1"],
)
def test_nothing_outside_is_touched(storage: FolderStorage, tmp_path: Path, url: str) -> None:
    for verb in (storage.read, storage.exists, storage.delete, storage.presign, storage.url):
        with pytest.raises(OutsideStorage):
            verb(url)
    with pytest.raises(OutsideStorage):
        storage.download(url, tmp_path)
    with pytest.raises(OutsideStorage):
        storage.write(url, b"x")
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutsideStorage):
        storage.upload(tmp_path / "file", url if "://" not in url else "../x")


def test_links_that_lead_out_are_refused_and_not_listed(storage: FolderStorage, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("x")
    storage.write("a", b"1")
    root = Path(storage.name)
    (root / "folder").symlink_to(tmp_path / "outside")
    (root / "link").symlink_to(tmp_path / "outside" / "secret")
    (root / "inside").symlink_to(root / "a")
    for key in ("folder/secret", "link", "folder/new"):
        with pytest.raises(OutsideStorage, match="lies outside"):
            storage.read(key)
        with pytest.raises(OutsideStorage):
            storage.write(key, b"y")
        with pytest.raises(OutsideStorage):
            storage.delete(key)
    assert storage.list() == ["a", "inside"]
    assert storage.read("inside") == b"1"
    assert (tmp_path / "outside" / "secret").read_text() == "x"
    assert os.listdir(tmp_path / "outside") == ["secret"]


def test_a_workspace_behind_a_link_works(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    storage = FolderStorage(tmp_path / "link")
    assert storage.read(storage.write("a", b"1")) == b"1"
    assert storage.read(f"file://{tmp_path}/real/a") == b"1"


def test_a_missing_object_names_its_neighbours(storage: FolderStorage, tmp_path: Path) -> None:
    storage.write("day/report.csv", b"1")
    with pytest.raises(ObjectMissing, match=r"Did you mean 'day/report.csv'"):
        storage.read("day/reprot.csv")
    with pytest.raises(ObjectMissing, match=r"It is a folder"):
        storage.download("day", tmp_path)
    with pytest.raises(ObjectMissing, match="nothing lies below"):
        storage.download_folder("night", tmp_path)
    (tmp_path / "data.csv").write_text("1")
    with pytest.raises(ObjectMissing, match=r"Did you mean 'data.csv'"):
        storage.upload(tmp_path / "dta.csv")
    with pytest.raises(StorageError, match="upload_folder"):
        storage.upload(tmp_path)


def test_folders(storage: FolderStorage, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / "in" / f"{number}").mkdir(parents=True)
        (tmp_path / "in" / f"{number}" / "글 %.txt").write_text(str(number))
    (tmp_path / "in" / ".part-00").write_text("unfinished")
    urls = storage.upload_folder(tmp_path / "in", "pre")
    assert [storage.read(url) for url in urls] == [b"0", b"1", b"2"]
    assert storage.list("pre/1") == ["pre/1/글 %.txt"]
    paths = storage.download_folder("pre", tmp_path / "out")
    assert paths == [str(tmp_path / "out" / str(number) / "글 %.txt") for number in range(3)]


def test_a_file_onto_itself_stays(storage: FolderStorage) -> None:
    path = storage.download(storage.write("a/b", b"1"), Path(storage.name) / "a")
    storage.upload(path, "a/b")
    assert storage.read("a/b") == b"1"


def test_a_file_where_a_folder_is_needed_is_one_clear_error(storage: FolderStorage, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="A file stands where a folder is needed"):
        FolderStorage(tmp_path / "file").write("a", b"1")
    storage.write("a", b"1")
    with pytest.raises(StorageError, match="A file stands where a folder is needed"):
        storage.write("a/b", b"1")
    with pytest.raises(StorageError, match="A file stands where a folder is needed"):
        storage.download("a", tmp_path / "file")
    with pytest.raises(StorageError, match="Shorten the name"):
        storage.write("한" * 100, b"1")
    (Path(storage.name) / "d").mkdir()
    with pytest.raises(StorageError, match="A folder stands where the file would be"):
        storage.write("d", b"1")


def test_a_full_disk_leaves_nothing_half_written(storage: FolderStorage, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 300_000)
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, old[1]))
        with pytest.raises(StorageError, match="larger than this process may write"):
            storage.upload(tmp_path / "big", "a/big")
        with pytest.raises(StorageError, match="larger than this process may write"):
            storage.write("a/big", b"x" * 300_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)
    assert os.listdir(Path(storage.name) / "a") == []


def test_a_process_killed_in_the_middle_of_a_write_leaves_no_half_file(storage: FolderStorage) -> None:
    storage.write("a", b"old")
    code = (
        "import sys, time\nfrom flowhub_assets.runtime.folder_storage import FolderStorage\n"
        "with FolderStorage(sys.argv[1]).open('a', 'wb') as file:\n"
        "    file.write(b'half'); file.flush(); print('written', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, storage.name], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        process.kill()
    assert storage.read("a") == b"old"
    assert storage.list() == ["a"]


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=30), st.binary()
    )
)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, values: dict[str, bytes]) -> None:
    storage = FolderStorage(tmp_path_factory.mktemp("w"))
    kept = {}
    for name, data in values.items():
        try:
            storage.write(name, data)
        except StorageError:
            continue
        kept[name] = data
    assert {key: storage.read(storage.url(key)) for key in storage.list()} == kept


def test_a_concurrent_reader_never_sees_half(storage: FolderStorage) -> None:
    one, two = b"1" * 200_000, b"2" * 200_000
    storage.write("a", one)
    pid = os.fork()
    if pid == 0:
        try:
            for _ in range(200):
                storage.write("a", two)
                storage.write("a", one)
        finally:
            os._exit(0)
    last = time.monotonic() + 30
    seen = set()
    while os.waitpid(pid, os.WNOHANG) == (0, 0) and time.monotonic() < last:
        seen.add(storage.read("a"))
    assert seen <= {one, two}
