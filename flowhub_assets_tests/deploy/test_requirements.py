"""What the image asks of pip is what pyproject.toml says."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import pytest

from flowhub_assets_tests.checkout import ROOT

SCRIPT = ROOT / "deploy" / "images" / "requirements.py"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def printed(extras: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), str(ROOT / "pyproject.toml"), extras]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("extras", ["", "nodes", "nodes,postgres,server"])
def test_the_projects_own_and_those_of_its_extras(extras: str) -> None:
    wanted = list(PROJECT["dependencies"])
    for extra in filter(None, extras.split(",")):
        wanted += PROJECT["optional-dependencies"][extra]
    assert printed(extras).stdout.splitlines() == wanted


def test_an_extra_that_is_not_there_is_told() -> None:
    done = printed("nodes,sever")
    assert done.returncode == 1
    assert "EXTRAS: pyproject.toml has no extra 'sever'; it has airflow," in done.stderr
