"""A child process answers, crashes, hangs, is killed: its parent always knows, and nothing stays behind."""

from __future__ import annotations

import faulthandler
import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from flowhub_assets.errors import RunError, TaskCancelled, TaskKilled, TaskTimedOut, ValueRefused
from flowhub_assets.runtime import child as child_module
from flowhub_assets.runtime.child import run_in_child, stop_all
from flowhub_assets.runtime.step_context import StepContext, step_context


def ends(pid: int, seconds: float = 60) -> bool:
    """Whether the process is gone, or a zombie that nobody has reaped, within ``seconds``."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def read_pid(path: Path) -> int:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if path.exists() and path.read_text().endswith("\n"):
            return int(path.read_text())
        time.sleep(0.02)
    raise AssertionError(f"{path} was never written")


def start_sleeper(pid_file: Path) -> None:
    sleeper = subprocess.Popen(["sleep", "300"])
    pid_file.write_text(f"{sleeper.pid}\n")


@pytest.mark.parametrize("size", [0, 1, 70_000, 20_000_000])
def test_a_result_of_any_size_comes_back(size: int) -> None:
    assert run_in_child(lambda: {"x": "한" * size}) == {"x": "한" * size}


def test_it_runs_in_another_process() -> None:
    assert run_in_child(os.getpid) != os.getpid()


def test_an_error_comes_back_whole() -> None:
    def refuse() -> None:
        raise ValueRefused("what", where="f.py:1", effect="effect", remedy="remedy")

    with pytest.raises(ValueRefused) as refused:
        run_in_child(refuse)
    assert str(refused.value) == "f.py:1: what\n  Effect.\n  Remedy."


def test_an_error_that_cannot_be_pickled_is_told_as_text() -> None:
    class Odd(Exception):
        def __init__(self, one: int, two: int) -> None:
            super().__init__(f"{one} and {two}")

    def fail() -> None:
        raise Odd(1, 2)

    with pytest.raises(RunError, match="task 'load' ended with Odd: 1 and 2"):
        run_in_child(fail, name="load")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_named(number: signal.Signals) -> None:
    def die() -> None:
        faulthandler.disable()
        os.kill(os.getpid(), number)
        time.sleep(30)

    with pytest.raises(TaskKilled, match=f"task 'load' was killed by {number.name}") as killed:
        run_in_child(die, name="load")
    assert killed.value.signal == number
    assert ("memory" in str(killed.value)) == (number == signal.SIGKILL)


def test_os_exit_is_told() -> None:
    with pytest.raises(TaskKilled, match=r"(?s)exit status 7 .*  Return from it instead: os\._exit"):
        run_in_child(lambda: os._exit(7))


def test_a_timeout_ends_the_child_and_its_grandchild(tmp_path: Path) -> None:
    def hang() -> None:
        start_sleeper(tmp_path / "pid")
        time.sleep(300)

    with pytest.raises(TaskTimedOut, match=r"task 'slow' ran longer than its timeout of 0.5 s"):
        run_in_child(hang, timeout=0.5, name="slow")
    assert ends(read_pid(tmp_path / "pid"))


def test_a_timeout_lets_finally_blocks_run_and_then_kills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_module, "GRACE", 0.5)

    def stubborn() -> None:
        try:
            time.sleep(300)
        finally:
            (tmp_path / "finally").write_text("seen")
            time.sleep(300)

    with pytest.raises(TaskTimedOut):
        run_in_child(stubborn, timeout=0.3)
    assert (tmp_path / "finally").read_text() == "seen"


def test_what_a_child_started_ends_with_it(tmp_path: Path) -> None:
    run_in_child(lambda: start_sleeper(tmp_path / "pid"))
    assert ends(read_pid(tmp_path / "pid"))


def test_output_is_captured_line_by_line() -> None:
    lines: list[tuple[int, str]] = []

    def speak() -> None:
        print("하나")
        sys.stderr.write("two\n")
        sys.stderr.flush()
        os.write(1, b"three\r\n")
        subprocess.run(["echo", "four"], check=True)
        print("last", end="")

    run_in_child(speak, on_line=lambda stream, line: lines.append((stream, line)))
    assert sorted(lines) == [(1, "four"), (1, "last"), (1, "three"), (1, "하나"), (2, "two")]


def test_much_output_does_not_block() -> None:
    lines: list[str] = []

    def speak() -> None:
        print("x" * 300_000)
        for number in range(20_000):
            print(number)

    run_in_child(speak, on_line=lambda stream, line: lines.append(line))
    assert "".join(lines) == "x" * 300_000 + "".join(map(str, range(20_000)))


def test_output_reaches_the_parents_descriptors(capfd: pytest.CaptureFixture[str]) -> None:
    def speak() -> None:
        print("out")
        print("err", file=sys.stderr)

    run_in_child(speak)
    assert capfd.readouterr() == ("out\n", "err\n")


def test_standard_input_is_empty() -> None:
    assert run_in_child(lambda: sys.stdin.read()) == ""


def test_it_works_beside_busy_threads_and_from_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    import logging

    logger = logging.getLogger("busy")
    monkeypatch.setattr(logger, "propagate", False)
    logger.addHandler(logging.NullHandler())
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            logger.warning("x")

    threads = [threading.Thread(target=busy, daemon=True) for _ in range(3)]
    results: list[Any] = []

    def in_child(number: int) -> int:
        logger.warning("child")
        return number

    def in_thread() -> None:
        for number in range(20):
            results.append(run_in_child(partial(in_child, number), timeout=20))

    for thread in threads:
        thread.start()
    worker = threading.Thread(target=in_thread)
    worker.start()
    worker.join(60)
    stop.set()
    assert results == list(range(20))


def test_the_file_descriptors_are_given_back() -> None:
    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))

    run_in_child(lambda: 1, on_line=lambda stream, line: None)
    before = open_files()
    for _ in range(5):
        run_in_child(lambda: 1, on_line=lambda stream, line: None)
    assert open_files() == before


def test_a_child_whose_parent_dies_ends_itself_and_its_grandchild(tmp_path: Path) -> None:
    script = textwrap.dedent(
        """
        import os, pathlib, subprocess, sys, time
        from flowhub_assets.runtime.child import run_in_child
        folder = pathlib.Path(sys.argv[1])

        def hang():
            sleeper = subprocess.Popen(["sleep", "300"])
            (folder / "grandchild").write_text(f"{sleeper.pid}\\n")
            (folder / "child").write_text(f"{os.getpid()}\\n")
            time.sleep(300)

        run_in_child(hang)
        """
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)])
    child, grandchild = read_pid(tmp_path / "child"), read_pid(tmp_path / "grandchild")
    parent.kill()
    parent.wait(10)
    assert ends(child)
    assert ends(grandchild)


def test_an_interrupt_stops_the_child(tmp_path: Path) -> None:
    def hang() -> None:
        (tmp_path / "child").write_text(f"{os.getpid()}\n")
        time.sleep(300)

    def interrupt() -> None:
        read_pid(tmp_path / "child")
        os.kill(os.getpid(), signal.SIGINT)

    helper = threading.Thread(target=interrupt)
    helper.start()
    with pytest.raises(KeyboardInterrupt):
        run_in_child(hang)
    helper.join(10)
    assert ends(read_pid(tmp_path / "child"))


def test_a_listener_that_fails_leaves_no_child_behind(tmp_path: Path) -> None:
    def talk(name: str) -> None:
        (tmp_path / name).write_text(f"{os.getpid()}\n")
        while True:
            print("again", flush=True)
            time.sleep(0.01)

    def fail(stream: int, line: str) -> None:
        raise BrokenPipeError

    children = [child_module.Child(partial(talk, name), name, on_line=fail) for name in ("one", "two")]
    pids = [read_pid(tmp_path / name) for name in ("one", "two")]
    with pytest.raises(BrokenPipeError):
        stop_all(children)
    assert all(child.finished for child in children)
    assert all(ends(pid) for pid in pids)


def test_a_parent_that_ignores_sigchld_still_gets_the_answer() -> None:
    usual = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert run_in_child(lambda: 7, timeout=20) == 7
    finally:
        signal.signal(signal.SIGCHLD, usual)


def test_an_ended_childs_number_gets_no_more_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    signalled: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, _number: signalled.append(pid))
    assert run_in_child(lambda: 1) == 1
    assert signalled == [], "another process may have the number by now"


def test_a_fork_that_the_system_refuses_leaves_no_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(child_module, "fork", refused)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(BlockingIOError):
        run_in_child(lambda: 1, on_line=lambda _stream, _line: None)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_cancelled_steps_child_is_stopped_with_all_that_it_started(tmp_path: Path) -> None:
    sleeper, told = tmp_path / "sleeper", tmp_path / "told"
    context = StepContext()

    def work() -> None:
        try:
            start_sleeper(sleeper)
            time.sleep(60)
        finally:
            told.write_text("cleaned up")

    def cancel() -> None:
        read_pid(sleeper)
        context.cancellation.set()

    threading.Thread(target=cancel, daemon=True).start()
    with step_context(context), pytest.raises(TaskCancelled, match="its run was"):
        run_in_child(work, timeout=30, name="work")
    assert told.read_text() == "cleaned up"
    assert ends(read_pid(sleeper))


def test_a_step_that_was_cancelled_before_starts_nothing_that_lasts() -> None:
    context = StepContext()
    context.cancellation.set()
    with step_context(context), pytest.raises(TaskCancelled):
        run_in_child(partial(time.sleep, 60), timeout=30)


def test_a_child_never_collects_what_its_parent_has_made(tmp_path: Path) -> None:
    collected = tmp_path / "collected"

    class OfTheParent:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            collected.write_text(f"{collected.read_text() if collected.exists() else ''}{os.getpid()} ")

    gc.disable()
    try:
        OfTheParent()
        assert run_in_child(gc.collect, name="collecting") is not None
    finally:
        gc.enable()
    assert not collected.exists()
    gc.collect()
    assert collected.read_text() == f"{os.getpid()} "
