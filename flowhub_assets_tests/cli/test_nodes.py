"""``flowhub nodes``: the list, a page, JSON, and pages written into a folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import flowhub_assets

ROOT = Path(flowhub_assets.__path__[0]).parent
KIND = '''
from flowhub.nodes import Node, NodeInput, NodeOutput, registry

class Shout(Node):
    """Says it louder. And not only that."""
    name = "shout"
    class Input(NodeInput):
        max_words: int = 3
    async def execute(self, input: Input) -> NodeOutput:
        return NodeOutput()

registry.register(Shout)
'''


def flowhub(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("FLOWHUB_", "DAGSTER_"))}
    paths = [str(ROOT), str(ROOT / "flowhub_assets/from_python/import_name")]
    env = {**kept, "PYTHONPATH": os.pathsep.join(paths), "FLOWHUB_PIPELINES": "mine"}
    command = [sys.executable, "-m", "flowhub_assets.cli", "nodes", *arguments]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "shout.py").write_text(KIND, "utf-8")
    return tmp_path


def test_the_list_has_every_kind_and_its_first_sentence(folder: Path) -> None:
    done = flowhub(folder)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert "shout custom engine Says it louder.".split() in lines
    names = {line[0] for line in lines if line}
    assert {"http-request", "condition", "llm-generate", "python"} <= names


def test_one_kind_is_shown_as_its_page(folder: Path) -> None:
    done = flowhub(folder, "shout")
    assert done.returncode == 0
    assert done.stdout.startswith("# shout\n\nSays it louder. And not only that.\n")
    assert "| `maxWords` | whole number | `3` |" in done.stdout


def test_json_holds_the_schemas(folder: Path) -> None:
    one = json.loads(flowhub(folder, "shout", "--format", "json").stdout)
    assert one["inputs"]["properties"]["maxWords"]["type"] == "integer"
    every = json.loads(flowhub(folder, "--format", "json").stdout)
    assert one in every


def test_pages_are_written(folder: Path) -> None:
    done = flowhub(folder, "--write", "pages")
    assert done.returncode == 0, done.stderr
    assert (folder / "pages" / "shout.md").read_text("utf-8").startswith("# shout\n")
    assert "[http-request](http-request.md)" in (folder / "pages" / "README.md").read_text("utf-8")


def test_a_misspelt_kind_is_told_with_exit_code_1(folder: Path) -> None:
    done = flowhub(folder, "shoot")
    assert done.returncode == 1
    assert "Error: there is no kind of node 'shoot'" in done.stderr
    assert "Did you mean 'shout'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bad_file_is_told_and_the_others_are_listed(folder: Path) -> None:
    (folder / "mine" / "bad.py").write_text("from flowhub.nodes import registry\nregistry.register(1 / 0)\n", "utf-8")
    done = flowhub(folder, "shout")
    assert done.returncode == 0
    assert "bad.py:2: ZeroDivisionError: division by zero" in done.stderr
    assert done.stdout.startswith("# shout\n")
