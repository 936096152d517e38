"""One folder at a time stands first on sys.path, and leaves no trace."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from flowhub_assets.runtime.imports import forget, importable


def _import(name: str) -> object:
    return __import__(name)


def test_the_same_folder_gives_the_same_module_again(tmp_path: Path) -> None:
    (tmp_path / "once_only.py").write_text("x = 1\n")
    with importable(str(tmp_path)):
        first = _import("once_only")
    assert "once_only" not in sys.modules
    with importable(str(tmp_path)):
        assert _import("once_only") is first
    forget(str(tmp_path))
    with importable(str(tmp_path)):
        assert _import("once_only") is not first


def test_folders_nest(tmp_path: Path) -> None:
    for name in ("outer", "inner"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "nested_name.py").write_text(f"x = {name!r}\n")
    before = list(sys.path)
    with importable(str(tmp_path / "outer")):
        outer = _import("nested_name")
        with importable(str(tmp_path / "inner")):
            assert _import("nested_name").x == "inner"  # type: ignore[attr-defined]
        assert sys.modules["nested_name"] is outer
        with importable(str(tmp_path / "outer")):
            assert _import("nested_name") is outer
        assert sys.modules["nested_name"] is outer
    assert "nested_name" not in sys.modules
    assert sys.path == before


def test_an_error_inside_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "left_over.py").write_text("x = 1\n")
    before = list(sys.path)
    with pytest.raises(ZeroDivisionError), importable(str(tmp_path)):
        _import("left_over").x / 0  # type: ignore[attr-defined]
    assert "left_over" not in sys.modules
    assert sys.path == before


def test_a_missing_folder_is_no_error(tmp_path: Path) -> None:
    with importable(str(tmp_path / "nowhere")):
        assert sys.path[0] == str(tmp_path / "nowhere")


def test_other_threads_wait_for_their_turn(tmp_path: Path) -> None:
    seen = []

    def look(name: str) -> None:
        for _ in range(20):
            with importable(str(tmp_path / name)):
                seen.append(_import("mine_alone").x == name)  # type: ignore[attr-defined]

    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine_alone.py").write_text(f"x = {name!r}\n")
    threads = [threading.Thread(target=look, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert seen == [True] * 40


def test_a_child_can_import_while_a_thread_of_its_parent_did(tmp_path: Path) -> None:
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with importable(str(tmp_path)):
            held.set()
            done.wait(timeout=30)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(timeout=10)
    child = os.fork()
    if child == 0:
        with importable(str(tmp_path / "other")):
            os._exit(7)
    try:
        waited = [0, 0]
        for _ in range(200):
            waited = list(os.waitpid(child, os.WNOHANG))
            if waited[0]:
                break
            done.wait(timeout=0.05)
        else:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(waited[1]) == 7
    finally:
        done.set()
        thread.join(timeout=10)
