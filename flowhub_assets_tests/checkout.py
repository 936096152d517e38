"""A copy of the checkout, as a clone would be, that borrows this environment instead of installing one."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from flowhub_assets import ml
from flowhub_assets_tests.loopback_server import free_port

ROOT = Path(__file__).resolve().parent.parent
#: Where the shipped profiles serve a model.
SERVING_PORT = 8081


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
def serving_checkout(folder: Path) -> Iterator[tuple[Path, int]]:
    """A copy whose demo serves its model on a free port, and that port; what is served ends with the block.

    Two tests that each serve on the port of the profile would take it from each other.
    """
    port = free_port()
    copy_checkout(folder)
    for workflow in (folder / "flowhub_assets" / "pipelines").glob("*/workflow.py"):
        text = workflow.read_text("utf-8")
        if str(SERVING_PORT) in text:
            workflow.write_text(text.replace(str(SERVING_PORT), str(port)), "utf-8")
    try:
        yield folder, port
    finally:
        ml.stop_serving("iris", {"WORKSPACE": str(folder / "tmp"), "SERVING_PORT": port})


def installed_environment(folder: Path) -> Path:
    """A .venv that is this one by links, its stamps newer than all they depend on: make installs nothing anew."""
    folder.mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (folder / name).symlink_to(Path(sys.prefix) / name)
    for stamp in (".python", ".demo", ".dev"):
        (folder / stamp).touch()
    return folder
