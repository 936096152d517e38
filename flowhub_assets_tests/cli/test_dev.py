"""``flowhub dev``: all of it answers, and nothing of it is left, however it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from flowhub_assets_tests.checkout import ROOT
from flowhub_assets_tests.loopback_server import free_port

pytestmark = pytest.mark.timeout(300)
_NO_EXAMPLES = "[tool.flowhub]\nshipped = false\n"


@dataclass
class Dev:
    """One ``flowhub dev`` in ``folder``; ``ports`` are those of the UI, HTTP and gRPC."""

    process: subprocess.Popen[str]
    folder: Path
    ports: tuple[int, int, int]

    def said(self) -> str:
        """All that it has said."""
        return (self.folder / "said").read_text("utf-8")

    def wait(self, until: Callable[[], object], seconds: float = 200) -> None:
        """Bounded."""
        last = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < last, self.said()
            time.sleep(0.1)

    def wait_for(self, words: str) -> None:
        """Until it has said so."""
        self.wait(lambda: words in self.said() or self.process.poll() is not None)
        assert words in self.said(), self.said()

    def left(self) -> list[str]:
        """The commands of the processes that have this DAGSTER_HOME."""
        return [" ".join(command) for command in processes(self.folder / ".dagster").values()]

    def answers(self, port: int, path: str) -> bool:
        """Whether something is there."""
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            return bool(answer.status == 200)


def processes(home: Path) -> dict[int, list[str]]:
    """The processes whose environment names that DAGSTER_HOME, but for those that have ended."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"DAGSTER_HOME={home}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "cmdline").read_text().split("\0")
        except OSError:
            continue
    return found


@contextmanager
def dev(folder: Path, *more: str) -> Iterator[Dev]:
    (folder / "pyproject.toml").write_text(_NO_EXAMPLES)
    ports = (free_port(), free_port(), free_port())
    env = {name: text for name, text in os.environ.items() if not name.startswith(("DAGSTER_", "FLOWHUB_", "DEMO_"))}
    env |= {"DAGSTER_HOME": str(folder / ".dagster"), "PYTHONPATH": str(ROOT)}
    options = ["--port", str(ports[0]), "--http-port", str(ports[1]), "--grpc-port", str(ports[2])]
    with (folder / "said").open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "flowhub_assets.cli", "dev", "--no-demo", *options, *more],
            cwd=folder,
            env=env,
            stdout=said,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    one = Dev(process, folder, ports)
    try:
        yield one
    finally:
        process.kill()
        process.wait()
        for pid in processes(folder / ".dagster"):
            os.kill(pid, signal.SIGKILL)


def test_all_of_it_answers_and_one_ctrl_c_ends_it(tmp_path: Path) -> None:
    with dev(tmp_path) as one:
        one.wait_for("Everything runs; Ctrl-C ends it.")
        ui, http, grpc = one.ports
        said = one.said()
        for address in (f"http://localhost:{ui}", f"http://localhost:{http}/docs", f"localhost:{grpc}"):
            assert address in said
        assert one.answers(ui, "/server_info")
        assert one.answers(http, "/healthz")
        socket.create_connection(("127.0.0.1", grpc), timeout=30).close()
        assert (tmp_path / ".dagster" / "dagster.yaml").exists()
        one.process.send_signal(signal.SIGINT)
        assert one.process.wait(120) == 128 + signal.SIGINT
        assert one.left() == []
        assert "Traceback" not in one.said().partition("Ending…")[0]


def test_when_a_part_dies_all_end_and_its_last_words_are_told(tmp_path: Path) -> None:
    with dev(tmp_path) as one:
        one.wait_for("Everything runs")
        (server,) = (pid for pid, command in processes(tmp_path / ".dagster").items() if "serve" in command)
        os.kill(server, signal.SIGKILL)
        assert one.process.wait(120) == 1
        assert re.search(r"Error: flowhub serve has ended with exit code -9\n.*\n  It said last:\n", one.said())
        assert one.left() == []


def test_sigterm_ends_it_while_it_starts(tmp_path: Path) -> None:
    with dev(tmp_path) as one:
        one.wait(lambda: any("dagster" in command for command in one.left()))
        one.process.terminate()
        assert one.process.wait(120) == 128 + signal.SIGTERM
        assert one.left() == []


@pytest.mark.parametrize("option", ["--port", "--http-port", "--grpc-port"])
def test_a_port_that_is_taken_is_told_before_anything_starts(tmp_path: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, dev(tmp_path, option, str(taken.getsockname()[1])) as one:
        assert one.process.wait(120) == 1
        assert f"{option}: port {taken.getsockname()[1]} is taken by another process" in one.said()
        assert "Nothing was started." in one.said()
        assert not (tmp_path / ".dagster").exists()


def test_two_parts_cannot_have_one_port(tmp_path: Path) -> None:
    port = str(free_port())
    with dev(tmp_path, "--port", port, "--http-port", port) as one:
        assert one.process.wait(120) == 1
        assert f"port {port} is that of --http-port, too" in one.said()
