"""Runs workflow scripts as their users do: a file, a shell's command, two streams and an exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

_SECONDS = 60


def write(folder: Path, code: str, name: str = "workflow.py") -> Path:
    """The script ``code`` in ``folder``."""
    path = folder / name
    path.write_text(textwrap.dedent(code), encoding="utf-8")
    return path


def run(script: Path, *arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """``python script arguments`` in the script's folder."""
    return subprocess.run(
        [sys.executable, script.name, *arguments],
        cwd=script.parent,
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        timeout=_SECONDS,
        check=False,
        env={**os.environ, "COLUMNS": "200", **environment},
    )


def begin(script: Path, *arguments: str) -> subprocess.Popen[str]:
    """The same, not waited for, at the head of its own process group."""
    return subprocess.Popen(
        [sys.executable, script.name, *arguments],
        cwd=script.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    )


def log(script: Path, name: str = "run.json") -> dict[str, Any]:
    """The run log that the script left."""
    value: dict[str, Any] = json.loads((script.parent / name).read_text(encoding="utf-8"))
    return value


def appears(path: Path) -> str:
    """The text of a file as soon as it ends with a line feed."""
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until:
        if path.exists() and path.read_text().endswith("\n"):
            return path.read_text()
        time.sleep(0.02)
    raise AssertionError(f"{path} was never written")


def is_gone(pid: int) -> bool:
    """Whether the process ends within some seconds."""
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False
