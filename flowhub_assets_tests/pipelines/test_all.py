"""What holds for every shipped pipeline: a newcomer reads them first."""

from __future__ import annotations

import ast
import configparser
import subprocess
import sys
from pathlib import Path

import pytest

import flowhub_assets
import flowhub_assets.pipelines
from flowhub_assets import definitions
from flowhub_assets.from_python.finding import find_files
from flowhub_assets.from_python.loading import load_file
from flowhub_assets.from_yaml.check import problems_in
from flowhub_assets.ir.task_tree import all_tasks

ROOT = Path(flowhub_assets.pipelines.__path__[0])
FOLDERS = sorted(path.parent for path in ROOT.glob("*/workflow.py"))
EVERY = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
OF_NODES = sorted(path.parent for path in ROOT.glob("*/pipeline.yaml"))
EVERY_OF_NODES = pytest.mark.parametrize("folder", OF_NODES, ids=lambda folder: folder.name)


def test_there_are_pipelines_and_each_is_found() -> None:
    assert {"quick_start", "iris_report", "failing", "voice_report"} <= {folder.name for folder in FOLDERS}
    assert [Path(file).parent for file in find_files(str(ROOT))] == FOLDERS


@EVERY
def test_it_imports_public_names_and_the_standard_library_only(folder: Path) -> None:
    tree = ast.parse((folder / "workflow.py").read_text("utf-8"))
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            assert node.module == "flowhub" or str(node.module).partition(".")[0] in sys.stdlib_module_names
        elif isinstance(node, ast.Import):
            assert {name.name.partition(".")[0] for name in node.names} <= sys.stdlib_module_names
    inner = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not [module for module in inner if str(module).startswith("flowhub_assets")]


@EVERY
def test_importing_it_needs_no_library_and_runs_nothing(folder: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from flowhub_assets.from_python.loading import load_file\n"
        f"load_file({str(folder / 'workflow.py')!r})\n"
        "print(sorted({'numpy', 'scipy', 'sklearn', 'matplotlib', 'dagster', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    # A flow whose params are of a class asks pydantic for their schemas.
    text = (folder / "workflow.py").read_text("utf-8")
    typed = "params=Server" in text or "params=ml." in text
    assert done.stdout.strip() == ("['pydantic']" if typed else "[]")
    assert list(tmp_path.iterdir()) == []


@EVERY
def test_it_says_what_it_is(folder: Path) -> None:
    (runnable,) = load_file(str(folder / "workflow.py"))
    pipeline = runnable.pipeline
    assert pipeline.name.replace("-", "_") == folder.name
    assert pipeline.description
    assert pipeline.owners
    assert {"default"} <= set(pipeline.profiles)
    assert all(task.description for task in pipeline.tasks)
    assert all(task.placement.cpu and task.placement.memory for task in pipeline.tasks)


@EVERY
def test_its_readme_says_how_to_run_it_and_what_to_see(folder: Path) -> None:
    text = (folder / "README.md").read_text("utf-8")
    (runnable,) = load_file(str(folder / "workflow.py"))
    assert 15 <= len(text.splitlines()) <= 40
    assert text.startswith(f"# {runnable.pipeline.name}\n")
    assert "python workflow.py --env default" in text
    assert "## What to see in the UI" in text
    assert all(f"`{task.name}`" in text for task in runnable.pipeline.tasks)


def test_those_of_nodes_are_there_and_each_is_found() -> None:
    names = {folder.name for folder in OF_NODES}
    assert {"article_generator", "webhook_reply", "speech_rhythm", "wine_warehouse"} <= names
    found = {Path(file).parent for file in definitions.find_files(str(ROOT))}
    assert found == {*FOLDERS, *OF_NODES}


@EVERY_OF_NODES
def test_a_pipeline_of_nodes_says_what_it_is_and_has_no_problems(folder: Path) -> None:
    (runnable,) = definitions.load(folder / "pipeline.yaml").runnables
    pipeline = runnable.pipeline
    assert problems_in(str(folder / "pipeline.yaml")) == []
    assert pipeline.name.replace("-", "_") == folder.name
    assert pipeline.description
    assert pipeline.owners
    assert {"default"} <= set(pipeline.profiles)
    assert all(task.description for task in all_tasks(pipeline))


@EVERY_OF_NODES
def test_the_readme_of_a_pipeline_of_nodes_says_how_to_run_it_and_what_to_see(folder: Path) -> None:
    text = (folder / "README.md").read_text("utf-8")
    (runnable,) = definitions.load(folder / "pipeline.yaml").runnables
    assert 15 <= len(text.splitlines()) <= 40
    assert text.startswith(f"# {runnable.pipeline.name}\n")
    assert "flowhub run pipeline.yaml" in text
    assert "## What to see in the UI" in text
    assert all(f"`{task.name}`" in text for task in all_tasks(runnable.pipeline))


def test_their_files_ship() -> None:
    settings = configparser.ConfigParser()
    settings.read(ROOT.parent.parent / "setup.cfg", encoding="utf-8")
    patterns = settings["options.package_data"]["flowhub_assets.pipelines"].split(", ")
    files = [path for folder in (*FOLDERS, *OF_NODES) for path in folder.iterdir() if path.is_file()]
    assert [str(path) for path in files if not any(path.relative_to(ROOT).match(one) for one in patterns)] == []


def test_all_of_them_make_one_code_location() -> None:
    jobs = {job.name for job in definitions.defs.get_all_jobs()}
    assert {folder.name for folder in (*FOLDERS, *OF_NODES)} <= jobs
