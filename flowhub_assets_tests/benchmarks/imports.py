"""What an import costs a new process."""

from __future__ import annotations

import compileall
import shutil
import tempfile
import venv
from pathlib import Path

from flowhub_assets_tests.benchmarks.row import Row, alternating, interpreter

PACKAGE = Path(__file__).resolve().parents[2] / "flowhub_assets"
ROWS_1_TO_4 = ("__init__.py", "errors.py", "names.py", "ir", "runtime", "from_python")


def measure(quick: bool = False) -> list[Row]:
    """Medians over new processes, taken in turns."""
    return [*_beside_dagster(2 if quick else 9), *_in_a_bare_environment(3 if quick else 31)]


def _beside_dagster(times: int) -> list[Row]:
    package, location, dagster = alternating(
        [
            interpreter("import flowhub_assets"),
            interpreter("import flowhub_assets.definitions"),
            interpreter("import dagster"),
        ],
        times,
    )
    return [
        Row("import flowhub_assets", package, dagster, "import dagster", at_most=1.15),
        Row("import the code location", location, dagster, "import dagster"),
    ]


def _in_a_bare_environment(times: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        python = bare_environment(Path(folder))
        names, decorators, nothing = alternating(
            [
                interpreter("import flowhub", python=python),
                interpreter("from flowhub import flow, task", python=python),
                interpreter("pass", python=python),
            ],
            times,
        )
    return [
        Row("import flowhub, nothing else installed", names, nothing, "python -c pass", at_most=2.5),
        Row("from flowhub import flow, task, likewise", decorators, nothing, "python -c pass"),
    ]


def bare_environment(folder: Path) -> Path:
    """An environment without pip that holds what travels to a task's image, compiled; returns its Python."""
    venv.create(folder, with_pip=False)
    (site_packages,) = folder.glob("lib/python*/site-packages")
    (site_packages / "flowhub_assets").mkdir()
    for name in ROWS_1_TO_4:
        source, target = PACKAGE / name, site_packages / "flowhub_assets" / name
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)
    shutil.copytree(PACKAGE / "from_python/import_name/flowhub", site_packages / "flowhub")
    compileall.compile_dir(site_packages, quiet=1)
    return folder / "bin" / "python"
