"""A copy of the checkout, as a clone would be, that borrows this environment instead of installing one."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

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


def installed_environment(folder: Path) -> Path:
    """A .venv that is this one by links, its stamps newer than all they depend on: make installs nothing anew."""
    folder.mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (folder / name).symlink_to(Path(sys.prefix) / name)
    for stamp in (".python", ".demo", ".dev"):
        (folder / stamp).touch()
    return folder
