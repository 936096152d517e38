"""A workflow file to begin with: a flow whose second task stands below it."""

from __future__ import annotations

from pathlib import Path

FLOW = """\
from flowhub import flow, task

@task
def work(args):
    return args

@flow
def main(args):
    return below(work(args))

@task
def below(args):
    return args
"""


def write_file(path: Path, text: str) -> str:
    """Writes the file, with the folders above it; its path as text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return str(path)
