from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowhub_assets_tests.checkout import ROOT
from flowhub_assets_tests.executor.kubernetes.chaos.fork_server import write_image
from flowhub_assets_tests.kubernetes.fixtures import until


@pytest.fixture(scope="module")
def dagster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The program of an image whose server runs."""
    folder = tmp_path_factory.mktemp("fork")
    words = [sys.executable, "-m", "flowhub_assets_tests.executor.kubernetes.chaos.fork_server", str(folder / "door")]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        yield write_image(folder / "image", folder / "door").parent / "dagster"
        server.terminate()


def test_it_is_a_process_with_words_streams_and_an_end_of_its_own(dagster: Path) -> None:
    told = subprocess.run([dagster, "--version"], capture_output=True, text=True, timeout=60, check=True)
    assert told.stdout.startswith("dagster, version 1.13")
    told = subprocess.run([dagster, "dance"], capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 2
    assert "No such command 'dance'" in told.stderr


def test_variables_and_folder_are_those_of_who_asks(dagster: Path, tmp_path: Path) -> None:
    told = subprocess.run(
        [dagster, "instance", "info"],
        cwd=tmp_path,
        env={"DAGSTER_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert str(tmp_path) in told.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_whoever_has_asked_for_it(dagster: Path, tmp_path: Path, number: int) -> None:
    (tmp_path / "jobs.py").write_text("import dagster\n\n@dagster.job\ndef empty():\n    pass\n")
    path = tmp_path / "socket"
    words = [str(dagster), "api", "grpc", "-f", str(tmp_path / "jobs.py"), "--socket", str(path)]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as asked:
        try:
            until(lambda: _connects(path), 60)
            asked.send_signal(number)
            # A code server that is asked to end does so in order.
            assert asked.wait(60) == (0 if number == signal.SIGTERM else -signal.SIGKILL)
        finally:
            asked.kill()
    until(lambda: not _connects(path), 30)


def _connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as door:
        try:
            door.connect(str(path))
        except OSError:
            return False
    return True
