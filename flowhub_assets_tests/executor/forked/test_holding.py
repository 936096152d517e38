"""Who works on a run is known as long as that process lives, and not one moment longer."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

from flowhub_assets.executor.forked.holding import forget, holder, holding


def test_nobody_holds_what_nobody_has_taken(tmp_path: Path) -> None:
    assert holder(tmp_path / "not there", "run") is None


def test_a_run_has_one_holder_until_its_block_ends(tmp_path: Path) -> None:
    with holding(tmp_path, "run") as mine:
        assert mine
        assert holder(tmp_path, "run") == os.getpid()
        with holding(tmp_path, "run") as again:
            assert not again
        assert holder(tmp_path, "run") == os.getpid()
        assert holder(tmp_path, "other") is None
    assert holder(tmp_path, "run") is None
    assert list(tmp_path.iterdir()) == []


def test_a_run_of_any_name_has_its_file_in_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "run_workers"
    for run_id in ("../outside", "/etc/run", "한글"):
        with holding(folder, run_id) as mine:
            assert mine
            assert holder(folder, run_id) == os.getpid()
            assert len(list(folder.iterdir())) == 1
    assert list(tmp_path.iterdir()) == [folder]


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    ready, begun = os.pipe()
    pid = os.fork()
    if pid == 0:
        with holding(tmp_path, "run"):
            os.write(begun, b".")
            signal.pause()
    os.read(ready, 1)
    assert holder(tmp_path, "run") == pid
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert holder(tmp_path, "run") is None
    assert [file.name for file in tmp_path.iterdir()] == ["run"]
    forget(tmp_path, "run")
    assert list(tmp_path.iterdir()) == []
    os.close(ready)
    os.close(begun)


def test_a_process_that_the_holder_forks_does_not_hold_it(tmp_path: Path) -> None:
    with holding(tmp_path, "run"):
        pid = os.fork()
        if pid == 0:
            signal.pause()
    assert holder(tmp_path, "run") is None
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_who_asks_keeps_nobody_from_it(tmp_path: Path) -> None:
    stopped = threading.Event()

    def ask() -> None:
        while not stopped.is_set():
            holder(tmp_path, "run")

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(50):
            with holding(tmp_path, "run") as mine:
                assert mine
    finally:
        stopped.set()
        asking.join(10)
