"""Dagster's own commands on a code location with a pipeline file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from flowhub_assets_tests.to_dagster.dagster_stack import ROOT, stack_environment

GREETING = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: greeting}
params: {names: {type: array, items: {type: string}}}
profiles: {default: {WORKSPACE: BASE/files}}
nodes:
  - id: each
    type: loop
    config: {items: "{{params.names}}"}
    nodes:
      - {id: greet, type: python, inputs: {args: {name: "{{item}}"}}, config: {script: "result = f\\"Hello, {args['name']}\\""}}
  - {id: last, type: template, runOn: cpu, inputs: {template: "{{each.output}}"}}
"""  # noqa: E501 - as a user may write it


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """The folder of an instance and its pipelines."""
    for name in ("home", "workflows"):
        (tmp_path / name).mkdir()
    (tmp_path / "home" / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    (tmp_path / "workflows" / "greeting.yaml").write_text(GREETING.replace("BASE", str(tmp_path)))
    return tmp_path


def told_by(base: Path, command: str, *more: str) -> str:
    """What the command writes, run at the checkout as its user would; it must succeed."""
    program, *words = command.split()
    path = Path(sys.executable).parent / program
    done = subprocess.run(
        [str(path), *words, *more], env=stack_environment(base), cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_dagster_job_execute(base: Path) -> None:
    config = base / "config.yaml"
    config.write_text(json.dumps({"resources": {"params": {"config": {"names": ["Ann", "Bo"]}}}}))
    told_by(base, "dagster job execute -m flowhub_assets.definitions -j greeting -c", str(config))
    (last,) = (base / "files").rglob("last.json")
    assert json.loads(last.read_text()) == {"result": ["Hello, Ann", "Hello, Bo"]}


@pytest.mark.parametrize("command", ["dagster definitions validate -w workspace.yaml", "dg check defs"])
def test_definitions_are_valid(base: Path, command: str) -> None:
    told_by(base, command)


def test_dg_list_defs(base: Path) -> None:
    told = json.loads(told_by(base, "dg list defs --json"))
    assert "greeting" in {job["name"] for job in told["jobs"]}
    assert not (base / "files").exists()
