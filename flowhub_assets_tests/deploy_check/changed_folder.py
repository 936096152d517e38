"""A copy of deploy/ in which a text of one file is another."""

from __future__ import annotations

import shutil
from pathlib import Path

from flowhub_assets_tests.checkout import ROOT

DEPLOY = ROOT / "deploy"


def changed(tmp_path: Path, *changes: tuple[str, str, str]) -> Path:
    """deploy/, copied; each of ``changes`` is a file of it, a text that stands there, and what stands there instead."""
    folder = tmp_path / "deploy"
    if not folder.exists():
        shutil.copytree(DEPLOY, folder)
    for name, old, new in changes:
        file = folder / name
        text = file.read_text("utf-8")
        assert old in text, (name, old)
        file.write_text(text.replace(old, new, 1), "utf-8")
    return folder


def line_of(folder: Path, name: str, text: str) -> int:
    """The line of a file, counted from 1, on which ``text`` stands first; it may hold the line's end."""
    lines = (folder / name).read_text("utf-8").splitlines(keepends=True)
    return next(number for number, line in enumerate(lines, 1) if text in line)
