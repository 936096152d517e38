"""The run log: whole at every moment, what was in it comes back, what is damaged is refused and kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowhub_assets.errors import InputError
from flowhub_assets.ir.pipeline import FLOW_INPUT, Source, Task
from flowhub_assets.runtime.run_log import RunLog, read_run_log, write_whole

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.dictionaries(text, st.integers() | text | st.none() | st.lists(st.booleans()), max_size=3)


def task_named(name: str, merge: bool = True) -> Task:
    return Task(name, (FLOW_INPUT,), Source("f.py", 1), name, merge=merge)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(text, st.tuples(values, values, st.booleans(), st.booleans()), max_size=5))
def test_what_is_logged_comes_back(tmp_path_factory: pytest.TempPathFactory, tasks: dict[str, Any]) -> None:
    path = str(tmp_path_factory.mktemp("log") / "run.json")
    log = RunLog(path)
    expected: dict[str, Any] = {}
    for name, (given_, returned, merge, ends) in tasks.items():
        log.started(task_named(name, merge), [given_])
        expected[name] = {"input": given_ if merge else [given_]}
        if ends:
            log.succeeded(name, returned)
            expected[name]["output"] = returned
    log.flush()
    again = read_run_log(path)
    assert again.entries == expected
    assert again.outputs() == {name: entry["output"] for name, entry in expected.items() if "output" in entry}
    if expected:
        assert json.loads(Path(path).read_text(encoding="utf-8")) == expected


def test_a_new_start_drops_the_old_output(tmp_path: Path) -> None:
    log = RunLog(str(tmp_path / "run.json"), {"load": {"input": {}, "output": {"n": 1}}})
    log.started(task_named("load"), [{"x": 1}])
    assert log.entries == {"load": {"input": {"x": 1}}}


def test_nothing_is_written_without_a_change(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text('{"load":   {"input": {}}}')
    read_run_log(str(path)).flush()
    assert path.read_text() == '{"load":   {"input": {}}}'


def test_a_missing_log_is_empty(tmp_path: Path) -> None:
    assert read_run_log(str(tmp_path / "run.json")).entries == {}


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text("{}")
    (tmp_path / "run.json").symlink_to("real.json")
    log = read_run_log(str(tmp_path / "run.json"))
    log.started(task_named("load"), [{}])
    log.flush()
    assert (tmp_path / "run.json").is_symlink()
    assert json.loads((tmp_path / "real.json").read_text()) == {"load": {"input": {}}}


def test_a_pipe_or_a_device_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE)
    write_whole(str(pipe), b"all of it", "the output")
    assert reader.communicate(timeout=30)[0] == b"all of it"
    assert pipe.is_fifo()
    assert os.listdir(tmp_path) == ["pipe"]


def test_a_written_file_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    write_whole(str(tmp_path / "link"), b"data", "the output")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"data"


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.json"
    path.write_text("old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="the run log cannot be written: No space left on device"):
        write_whole(str(path), b"new", "the run log")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["run.json"]


def test_what_a_killed_writer_left_is_removed_and_a_living_ones_stays(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait(30)
    (tmp_path / f"run.json.{ended.pid}.part").write_text("{")
    (tmp_path / f"run.json.{os.getppid()}.part").write_text("{")
    (tmp_path / "run.json.mine.part").write_text("{")
    log = RunLog(str(tmp_path / "run.json"))
    log.started(task_named("load"), [{}])
    log.flush()
    assert sorted(os.listdir(tmp_path)) == sorted(["run.json", f"run.json.{os.getppid()}.part", "run.json.mine.part"])
