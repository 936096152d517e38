"""Kinds in a user's folders: found by what a file imports, loaded one by one, read again when they change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flowhub_assets.errors import DefinitionError
from flowhub_assets.nodes import registry, run
from flowhub_assets.nodes.finding import find_node_files, load_nodes

KIND = '''
from flowhub.nodes import Node, NodeInput, NodeOutput, registry

class Mine(Node):
    """하나."""
    name = "{name}"
    class Output(NodeOutput):
        value: int
    async def execute(self, input: NodeInput) -> Output:
        return self.Output(value={value})

registry.register(Mine)
'''


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Sizes and times may agree by chance in a test; a file's age makes its version another one.
    age = path.stat().st_mtime_ns + 1_000_000_000 if path.exists() else None
    path.write_text(text, "utf-8")
    if age is not None:
        os.utime(path, ns=(age, age))
    return path


@pytest.mark.parametrize(
    "text",
    [
        KIND,
        "import flowhub.nodes\nflowhub.nodes.registry.register(3)",
        "from flowhub import nodes\nnodes.registry.register(3)",
        "from flowhub_assets.nodes.registry import register",
        "from flowhub.nodes import registry\nregistry.register(",
    ],
)
def test_a_file_that_registers_kinds_is_found(text: str, tmp_path: Path) -> None:
    path = write(tmp_path / "deep" / "하나.py", text)
    assert find_node_files(str(tmp_path)) == [str(path)]


@pytest.mark.parametrize(
    "text",
    [
        "from flowhub.nodes import run\nfrom mine import Mine",
        '"""Say `from flowhub.nodes import registry` and registry.register(Mine)."""',
        "from flowhub import flow, task\n# register",
        "import nodes\nnodes.register()",
        "",
    ],
)
def test_other_files_are_left_alone(text: str, tmp_path: Path) -> None:
    write(tmp_path / "other.py", text)
    assert find_node_files(str(tmp_path)) == []


def test_caches_and_environments_are_passed_over(tmp_path: Path) -> None:
    for place in ("__pycache__/a.py", ".hidden/a.py", "venv/a.py", "_private.py", "notes.txt"):
        write(tmp_path / place, KIND)
    assert find_node_files(str(tmp_path)) == []


def test_kinds_of_a_folder_can_be_used(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.py", KIND.format(name="mine", value=1))
    (loaded,) = load_nodes(str(tmp_path))
    assert (loaded.path, loaded.kinds, loaded.error) == (str(path), ("mine",), None)
    assert run(registry.get("mine")).value == 1


def test_a_bad_file_says_where_and_hurts_no_other(tmp_path: Path) -> None:
    bad = write(tmp_path / "bad.py", KIND.format(name="half", value=1) + "\nregistry.register(3)\n")
    syntax = write(tmp_path / "bad2.py", "from flowhub.nodes import registry\nregistry.register(\n")
    write(tmp_path / "mine.py", KIND.format(name="mine", value=1))
    first, second, third = load_nodes(str(tmp_path))
    assert isinstance(first.error, DefinitionError)
    assert (first.path, first.kinds) == (str(bad), ())
    assert "3 is not a subclass of Node" in str(first.error)
    assert first.error.where == str(bad)
    assert isinstance(second.error, DefinitionError)
    assert second.error.where.startswith(f"{syntax}:2")
    assert second.error.effect == "none of its kinds of node can be used"
    assert third.kinds == ("mine",)
    with pytest.raises(DefinitionError, match="no kind of node 'half'"):
        registry.get("half")


def test_two_files_with_one_name_are_told(tmp_path: Path) -> None:
    first = write(tmp_path / "a.py", KIND.format(name="mine", value=1))
    write(tmp_path / "b.py", KIND.format(name="mine", value=2).replace("Mine", "Other"))
    _, second = load_nodes(str(tmp_path))
    assert f"Other has the name 'mine' of Mine at {first}:4" in str(second.error)


def test_a_changed_file_is_read_again_and_others_are_not(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.py", KIND.format(name="mine", value=1))
    load_nodes(str(tmp_path))
    before = registry.get("mine")
    load_nodes(str(tmp_path))
    assert registry.get("mine") is before
    write(path, KIND.format(name="renamed", value=2))
    load_nodes(str(tmp_path))
    assert run(registry.get("renamed")).value == 2
    with pytest.raises(DefinitionError, match="no kind of node 'mine'"):
        registry.get("mine")


def test_helper_modules_beside_the_file_are_importable(tmp_path: Path) -> None:
    write(tmp_path / "my_words.py", "WORD = 5\n")
    text = KIND.format(name="mine", value="WORD").replace("\nclass", "from my_words import WORD\n\nclass", 1)
    write(tmp_path / "mine.py", text)
    (loaded,) = load_nodes(str(tmp_path))
    assert loaded.error is None
    assert run(registry.get("mine")).value == 5


def test_a_kind_of_a_loaded_file_runs_in_its_own_process(tmp_path: Path) -> None:
    text = KIND.format(name="mine", value=1).replace('name = "mine"', 'name = "mine"; own_process = True')
    write(tmp_path / "mine.py", text)
    load_nodes(str(tmp_path))
    assert run(registry.get("mine")).value == 1
