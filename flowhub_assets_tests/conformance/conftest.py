"""Each shape's workflow file, and how the local runtime, the oracle, ran it: made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flowhub_assets_tests.conformance.runners import Local, Ran, Runner, nodes_folder
from flowhub_assets_tests.conformance.shapes import Shape
from flowhub_assets_tests.conformance.yaml_shapes import NODES

RunShape = Callable[[Shape, Runner], Ran]


@pytest.fixture(scope="session")
def write_shape(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Shape], Path]:
    """Writes the file of a shape, at the same place for all who run it."""
    files: dict[str, Path] = {}

    def write(shape: Shape) -> Path:
        if shape.name not in files:
            files[shape.name] = tmp_path_factory.mktemp("flow") / shape.file
            files[shape.name].write_text(shape.text, "utf-8")
            if not shape.file.endswith(".py"):
                _write_nodes(nodes_folder(files[shape.name]))
        return files[shape.name]

    return write


@pytest.fixture(scope="session")
def run_shape(write_shape: Callable[[Shape], Path], tmp_path_factory: pytest.TempPathFactory) -> RunShape:
    """Runs the shape with a runner, each run in a workspace of its own."""

    def run(shape: Shape, runner: Runner) -> Ran:
        return runner.run(write_shape(shape), shape.given, tmp_path_factory.mktemp("workspace"))

    return run


@pytest.fixture(scope="session")
def oracle(run_shape: RunShape) -> Callable[[Shape], Ran]:
    """What the local runtime gives, each task in a process of its own."""
    ran: dict[str, Ran] = {}

    def told(shape: Shape) -> Ran:
        if shape.name not in ran:
            ran[shape.name] = run_shape(shape, Local(in_process=False))
        return ran[shape.name]

    return told


def _write_nodes(folder: Path) -> None:
    """The kinds of node that all pipeline files share: a kind has one home."""
    folder.mkdir(exist_ok=True)
    if not (folder / "my_nodes.py").exists():
        (folder / "my_nodes.py").write_text(NODES, "utf-8")
