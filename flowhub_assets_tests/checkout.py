"""A copy of the checkout, as a clone would be, that borrows this environment instead of installing one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from flowhub_assets import ml

ROOT = Path(__file__).resolve().parent.parent


def tracked() -> list[Path]:
    """The files that git has or would take, relative to the checkout."""
    asked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        timeout=60,
        check=True,
    )
    return [Path(name) for name in asked.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def copy_checkout(folder: Path) -> Path:
    """Copies the files of this checkout, with their times, into ``folder`` and returns it."""
    for name in tracked():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    return folder


@contextlib.contextmanager
def serving_checkout(folder: Path) -> Iterator[Path]:
    """A copy whose demo may serve its model; what is served ends with the block.

    It does so on the port of the shipped profiles, of which a machine has one: other tests that do so wait meanwhile.
    """
    with open(Path(tempfile.gettempdir()) / f"flowhub-tests-{os.getuid()}-serving.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield copy_checkout(folder)
        finally:
            ml.stop_serving("iris", {"WORKSPACE": str(folder / "tmp")})


def installed_environment(folder: Path) -> Path:
    """A .venv that is this one by links, its stamps newer than all they depend on: make installs nothing anew."""
    folder.mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (folder / name).symlink_to(Path(sys.prefix) / name)
    for stamp in (".python", ".demo", ".dev"):
        (folder / stamp).touch()
    return folder
