"""Each contract of setup.cfg is broken once, in a copy of the checkout, and says so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flowhub_assets_tests.checkout import ROOT
from flowhub_assets_tests.import_contracts import within

BREAKING = [
    ("ir/breaks.py", "from flowhub_assets.runtime import step", "A room imports only rows above it"),
    ("errors_too/breaks.py", "", "A room imports only rows above it"),
    ("to_yaml.py", "from flowhub_assets import templates", "A room imports only rows above it"),
    ("to_airflow/breaks.py", "from flowhub_assets.from_python import flow", "to_* never imports from_*"),
    ("executor/breaks.py", "def f():\n    from flowhub_assets.ir import pipeline", "executor never imports ir"),
    ("pipelines/breaks.py", "from flowhub_assets.errors import FlowhubError", "pipelines use the public names only"),
    ("runtime/breaks.py", "import dagster", "runtime and from_python need the standard library"),
    ("runtime/breaks.py", "import airflow", "runtime and from_python need the standard library"),
    ("ir/breaks.py", "def f():\n    import yaml", "errors, names and ir need the standard library only"),
    ("from_python/breaks.py", "import obstore", "runtime and from_python need the standard library"),
    ("executor/breaks.py", "import mlflow", "executor uses dagster and dagster_k8s"),
    ("resources/breaks.py", "import fastapi", "resources use dagster and the clients of outside systems"),
    ("store/breaks.py", "import mlflow", "store uses sqlalchemy"),
    ("to_dagster/breaks.py", "import kubernetes", "to_dagster uses dagster"),
    ("to_airflow/breaks.py", "import airflow", "to_airflow uses nothing"),
    ("definitions.py", "import mlflow", "definitions use dagster"),
]


def lint(checkout: Path) -> str:
    """What lint-imports says, without line breaks, in the folder of a copied checkout."""
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout / "flowhub_assets/from_python/import_name"), "COLUMNS": "300"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "flowhub_assets", tmp_path / "flowhub_assets", ignore=ignore)
    (tmp_path / "flowhub_assets_tests").mkdir()
    shutil.copy(ROOT / "flowhub_assets_tests/import_contracts.py", tmp_path / "flowhub_assets_tests")
    shutil.copy(ROOT / "setup.cfg", tmp_path)
    return tmp_path


def test_this_checkout_keeps_them(checkout: Path) -> None:
    said = lint(checkout)
    assert " 0 broken" in said, said


@pytest.mark.parametrize(("file", "code", "contract"), BREAKING)
def test_a_broken_contract_is_named(checkout: Path, file: str, code: str, contract: str) -> None:
    path = checkout / "flowhub_assets" / file
    path.parent.mkdir(exist_ok=True)
    if path.parent != checkout / "flowhub_assets":
        (path.parent / "__init__.py").touch()
    path.write_text(code, encoding="utf-8")
    said = lint(checkout)
    assert any(line.startswith(contract) and " BROKEN" in line for line in said.splitlines()), said


@pytest.mark.parametrize(
    ("module", "pattern", "expected"),
    [
        ("flowhub_assets.to_yaml", "flowhub_assets.to_*", True),
        ("flowhub_assets.to_dagster.tags", "flowhub_assets.to_*", True),
        ("flowhub_assets.tomorrow", "flowhub_assets.to_*", False),
        ("flowhub_assets.ir", "flowhub_assets.ir", True),
        ("flowhub_assets.irises", "flowhub_assets.ir", False),
        ("flowhub_assets", "flowhub_assets.*", False),
    ],
)
def test_a_pattern_covers_a_package_and_what_is_in_it(module: str, pattern: str, expected: bool) -> None:
    assert within(module, [pattern]) is expected
