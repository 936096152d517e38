"""``flowhub demo``: the shipped pipelines through Dagster, one table, and an exit code that can be trusted."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import flowhub_assets
from flowhub_assets import ml
from flowhub_assets_tests.loopback_server import free_port

ROOT = Path(flowhub_assets.__path__[0]).parent
#: Pipelines that choose between ways: their tasks as the table tells them.
SKIPPED = {"webhook-reply": "4/5, 1 skipped", "inbox-report": "3/6, 3 skipped", "retraining-due": "1/2, 1 skipped"}
ON_DEMAND = {"promote-model", "retraining", "rollback-model", "search", "stop-serving"}


def run_demo(folder: Path, package: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command as a newcomer types it in ``folder``, with the package that lies in ``package``."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("FLOWHUB_", "DAGSTER_"))}
    env = {
        **kept,
        "DAGSTER_DISABLE_TELEMETRY": "yes",
        "COLUMNS": "160",
        "PYTHONPATH": os.pathsep.join([str(package), str(package / "flowhub_assets/from_python/import_name")]),
        **variables,
    }
    command = [sys.executable, "-m", "flowhub_assets.cli", "demo"]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=500)


def rows(printed: str) -> dict[str, list[str]]:
    """The table's lines by their first cell."""
    cells = [[cell.strip() for cell in re.split("[│┃|]", line)[1:-1]] for line in printed.splitlines()]
    return {row[0]: row for row in cells if len(row) == 5 and row[0]}


def package_with(target: Path, *pipelines: str) -> Path:
    """A copy of the package, in ``target``, that ships these pipelines alone."""
    folders = {path.name for path in (ROOT / "flowhub_assets/pipelines").iterdir() if path.is_dir()}
    left_out = shutil.ignore_patterns("__pycache__", *(folders - set(pipelines)))
    shutil.copytree(ROOT / "flowhub_assets", target / "flowhub_assets", ignore=left_out)
    return target


def whole_package(target: Path, port: int) -> Path:
    """A copy with all pipelines, whose model is served on a port of its own."""
    shutil.copytree(ROOT / "flowhub_assets", target / "flowhub_assets", ignore=shutil.ignore_patterns("__pycache__"))
    for workflow in (target / "flowhub_assets/pipelines").glob("*/workflow.py"):
        workflow.write_text(workflow.read_text("utf-8").replace("8081", str(port)), "utf-8")
    return target


@pytest.fixture
def copied_package(tmp_path: Path) -> Path:
    """A copy of the package with two small pipelines, which a test may break."""
    return package_with(tmp_path / "package", "quick_start", "failing")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[int]:
    """The port of the model that the demo leaves; its processes end with the test."""
    port = free_port()
    yield port
    ml.stop_serving("iris", {"WORKSPACE": str(tmp_path / "tmp"), "SERVING_PORT": port})


@pytest.mark.timeout(900)
def test_each_shipped_pipeline_is_a_line_and_the_second_call_works_too(tmp_path: Path, served: int) -> None:
    home = tmp_path / "home" / "not there yet"
    whole = whole_package(tmp_path / "whole", served)
    again = package_with(tmp_path / "package", "quick_start", "failing", "article_generator", "wine_warehouse")
    calls: list[tuple[Path, dict[str, str]]] = [(whole, {"DAGSTER_HOME": str(home)}), (again, {})]
    for package, variables in calls:
        done = run_demo(tmp_path, package, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        table = rows(done.stdout)
        pipelines = package / "flowhub_assets/pipelines"
        shipped = [*pipelines.glob("*/workflow.py"), *pipelines.glob("*/pipeline.yaml")]
        assert len(table) == len(shipped) + 1, done.stdout
        assert table["pipeline"] == ["pipeline", "tasks", "result", "seconds", "values"]
        for name, (_, tasks, result, seconds, values) in table.items():
            if name == "pipeline":
                continue
            finished, _, of = tasks.partition("/")
            assert int(of.partition(",")[0]) >= 1
            assert float(seconds) >= 0
            if name in ON_DEMAND:
                assert (finished, result, values) == ("0", "is run on demand", "")
                continue
            if name in SKIPPED:
                assert (tasks, result) == (SKIPPED[name], "succeeded")
            elif result == "succeeded":
                assert finished == of
            else:
                assert result == "failed, as it should; on_failure ran"
            if values:
                assert list((tmp_path / values).rglob("*.json")), f"the values of {name} are where the table says"
        assert "make dev" in done.stdout
        if package is whole:
            _answers_as_printed(done.stdout)
        assert "Traceback" not in done.stderr
    assert home.is_dir(), "DAGSTER_HOME is made where it is missing"
    assert (tmp_path / ".dagster").is_dir(), "and without the variable it is here"


def _answers_as_printed(printed: str) -> None:
    """The model that was left answers the curl line that stands there."""
    (line,) = (line.strip() for line in printed.splitlines() if line.strip().startswith("curl "))
    answer = subprocess.run(shlex.split(line), capture_output=True, text=True, timeout=60, check=True)
    told = json.loads(answer.stdout)
    assert told["predictions"] == ["setosa"]
    assert (told["model"], told["version"]) == ("iris", "1")
    assert "flowhub run " in printed


def test_a_run_that_fails_is_exit_code_1(tmp_path: Path, copied_package: Path) -> None:
    workflow = copied_package / "flowhub_assets/pipelines/quick_start/workflow.py"
    text = workflow.read_text("utf-8")
    assert "    return " in text
    workflow.write_text(text.replace("    return ", "    raise RuntimeError('broken here')\n    return ", 1), "utf-8")
    done = run_demo(tmp_path, copied_package)
    assert done.returncode == 1, done.stdout
    results = [row[2] for row in rows(done.stdout).values()]
    assert "FAILED" in results
    assert "failed, as it should; on_failure ran" in results, "the others run all the same"


def test_a_flow_that_should_fail_and_does_not_is_exit_code_1(tmp_path: Path, copied_package: Path) -> None:
    workflow = copied_package / "flowhub_assets/pipelines/quick_start/workflow.py"
    text = workflow.read_text("utf-8")
    changed = re.sub(r"@flow\(", "@flow(\n    tags=['fails-on-purpose'],", re.sub(r"\n *tags=.*", "", text), count=1)
    workflow.write_text(changed, "utf-8")
    done = run_demo(tmp_path, copied_package)
    assert done.returncode == 1, done.stdout + done.stderr


def test_an_unknown_profile_is_exit_code_1_without_a_traceback(tmp_path: Path, copied_package: Path) -> None:
    done = run_demo(tmp_path, copied_package, FLOWHUB_ENV="no-such-profile")
    assert done.returncode == 1
    assert rows(done.stdout)["quick-start"][2] == "FAILED"
    assert "Traceback" not in done.stdout + done.stderr


def test_a_file_that_does_not_load_is_told_in_its_own_words(tmp_path: Path, copied_package: Path) -> None:
    workflow = copied_package / "flowhub_assets/pipelines/quick_start/workflow.py"
    workflow.write_text(workflow.read_text("utf-8") + "\ndef (\n", "utf-8")
    done = run_demo(tmp_path, copied_package)
    assert done.returncode == 1
    assert f"{workflow}:" in done.stderr
    assert "Traceback" not in done.stderr


def test_pyproject_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.flowhub]\npipelines = 3\n")
    done = run_demo(tmp_path)
    assert done.returncode == 1
    assert "pipelines is 3" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_cannot_be_had_is_told_in_its_row(tmp_path: Path) -> None:
    package = package_with(tmp_path / "package", "article_generator", "wine_warehouse")
    starting = package / "flowhub_assets/cli/demo_postgres.py"
    starting.write_text(starting.read_text("utf-8").replace('"bin/postgres"\n', '"bin/no-such-program"\n'), "utf-8")
    done = run_demo(tmp_path, package)
    assert done.returncode == 1, done.stdout
    table = rows(done.stdout)
    assert table["wine-warehouse"][1:3] == ["3/5", "FAILED: PostgreSQL is not installed"]
    assert table["article-generator"][2] == "succeeded", "the others run all the same"
    assert "pip install pgserver" in done.stderr
    assert "Traceback" not in done.stderr
