"""``flowhub deploy check`` as a shell sees it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flowhub_assets.cli.__main__ import flowhub
from flowhub_assets_tests.checkout import ROOT
from flowhub_assets_tests.deploy_check.changed_folder import DEPLOY, changed, line_of


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(flowhub, ["deploy", "check", *arguments])


def test_ours_is_fine_and_deploy_is_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    done = invoke()
    assert done.exit_code == 0, done.output
    lines = [line.split() for line in done.output.splitlines()]
    assert [words[0] for words in lines if words[-1:] == ["fine"]] == [
        "files",
        "values",
        "manifests",
        "security",
        "images",
        "queue",
        "secrets",
    ]


def test_a_mistake_is_one_line_and_the_exit_code(tmp_path: Path) -> None:
    folder = changed(tmp_path, ("helm/minio.yaml", "minio/minio:RELEASE.2025-09-07T16-13-09Z", "minio/minio:latest"))
    done = invoke(str(folder))
    assert done.exit_code == 1
    line = line_of(folder, "helm/minio.yaml", "minio/minio:latest")
    assert done.output.startswith(
        f"{folder}/helm/minio.yaml:{line}:18: the image 'minio/minio:latest' names no version."
    )
    assert "1 wrong" in done.output


def test_a_pull_request_gets_annotations(tmp_path: Path) -> None:
    folder = changed(tmp_path, ("helm/values.yaml", "maxResumeRunAttempts: 3", "maxResumeRunAttempts: 0"))
    done = invoke(str(folder), "--format", "github")
    line = line_of(folder, "helm/values.yaml", "maxResumeRunAttempts: 0")
    assert done.output.startswith(f"::error file={folder}/helm/values.yaml,line={line},col=")


def test_a_program_gets_json() -> None:
    done = invoke(str(DEPLOY), "--format", "json")
    told = json.loads(done.output)
    assert len(told) == 7
    assert not [problem for one in told for problem in one["problems"]]


def test_a_missing_package_is_told_by_name(tmp_path: Path) -> None:
    # A file that cannot be imported stands for the package that is not there.
    (tmp_path / "kubernetes_validate.py").write_text("raise ModuleNotFoundError(name='kubernetes_validate')\n")
    done = subprocess.run(
        [sys.executable, "-m", "flowhub_assets.cli", "deploy", "check", str(DEPLOY)],
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "Error: the package kubernetes-validate is not installed" in done.stderr
    assert "pip install 'flowhub-assets[deploy]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_is_no_deployment_is_told(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "flowhub_assets.cli", "deploy", "check", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert f"Error: {tmp_path}: there is no helm/values.yaml" in done.stderr
