"""The house's own rules: sizes, names, what is exported, what ships, what an import costs."""

from __future__ import annotations

import ast
import configparser
import importlib
import json
import re
import shutil
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import flowhub_assets
from flowhub_assets_tests import checkout
from flowhub_assets_tests.checkout import ROOT

PACKAGE = ROOT / "flowhub_assets"
IMPORT_NAME = PACKAGE / "from_python" / "import_name"
ROWS_1_TO_4 = ("__init__.py", "errors.py", "names.py", "ir", "runtime", "from_python")
GRAB_BAGS = {"utils", "util", "common", "core", "base", "helpers", "helper", "lib", "misc"}
HEAVY = ("boto3", "botocore", "dagster", "fastapi", "kubernetes", "matplotlib", "mlflow", "obstore", "pydantic", "rich")

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def tracked() -> list[Path]:
    return [ROOT / name for name in checkout.tracked()]


def python_files() -> list[Path]:
    return [path for path in tracked() if path.suffix == ".py"]


def length(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def fresh(code: str, *options: str, cwd: Path = ROOT) -> str:
    """What a new interpreter prints for ``code``; the test fails with its traceback if it ends badly."""
    done = subprocess.run(
        [sys.executable, *options, "-c", code], cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_file_is_longer_than_500_lines() -> None:
    long = {str(path.relative_to(ROOT)): length(path) for path in python_files() if length(path) > 500}
    assert not long


def test_most_files_are_short() -> None:
    lengths = sorted(length(path) for path in python_files() if PACKAGE in path.parents)
    assert statistics.median(lengths) <= 120
    assert statistics.quantiles(lengths, n=10)[-1] <= 300


def test_no_function_is_longer_than_60_lines() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{function.lineno} {function.name}"
        for path in python_files()
        if PACKAGE in path.parents
        for function in functions(path)
        if (function.end_lineno or 0) - function.lineno + 1 > 60
    ]
    assert not long


def test_no_room_is_a_grab_bag() -> None:
    named_so = [
        str(path.relative_to(ROOT))
        for path in python_files()
        if GRAB_BAGS & {path.stem, *path.relative_to(ROOT).parent.parts}
    ]
    assert not named_so


def test_nothing_waits_to_be_done() -> None:
    waiting = re.compile(r"\b(TODO|FIXME|XXX)\b|# type: ignore(?!\[)|pytest\.mark\.(skip|xfail)\b")
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in python_files()
        if path != Path(__file__).resolve()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if waiting.search(line)
    ]
    assert not found


def test_every_package_ships_and_no_other() -> None:
    read = configparser.ConfigParser()
    read.read(ROOT / "setup.cfg", encoding="utf-8")
    listed = set(read["options"]["packages"].split())
    there = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in python_files()
        if path.name == "__init__.py" and PACKAGE in [path.parent, *path.parents] and IMPORT_NAME not in path.parents
    }
    assert listed == {*there, "flowhub"}


def test_all_names_what_can_be_imported() -> None:
    assert sorted(set(flowhub_assets.__all__)) == list(flowhub_assets.__all__)
    for name in flowhub_assets.__all__:
        assert getattr(flowhub_assets, name) is not None, name
    public = {name for name in dir(flowhub_assets) if not name.startswith("_")}
    modules = {name for name in public if f"flowhub_assets.{name}" in sys.modules}
    assert public - modules - {"annotations", "importlib", "Any", "TYPE_CHECKING"} <= set(flowhub_assets.__all__)


def test_flowhub_names_are_the_same_objects() -> None:
    flowhub = importlib.import_module("flowhub")
    for name in flowhub_assets.__all__:
        assert getattr(flowhub, name) is getattr(flowhub_assets, name), name


def test_a_misspelt_public_name_is_an_attribute_error() -> None:
    for module in ("flowhub", "flowhub_assets"):
        with pytest.raises(AttributeError, match=f"module '{module}' has no attribute 'tusk'"):
            _ = importlib.import_module(module).tusk


@pytest.mark.parametrize(
    "statement", ["import flowhub_assets", "from flowhub_assets import flow, task, Volume, get_parser"]
)
def test_the_import_brings_nothing_heavy(statement: str) -> None:
    loaded = json.loads(fresh(f"{statement}; import sys, json; print(json.dumps(sorted(sys.modules)))"))
    assert not {name.partition(".")[0] for name in loaded} & set(HEAVY)


def test_who_lists_definitions_does_not_pay_for_what_a_run_needs() -> None:
    loaded = json.loads(
        fresh("import flowhub_assets.definitions, sys, json; print(json.dumps(sorted(sys.modules)))", "-W", "ignore")
    )
    assert "dagster" in loaded
    assert not {name.partition(".")[0] for name in loaded} & {"sqlalchemy", "alembic", "httpx", "jinja2", "numpy"}


def copy_rows_1_to_4(folder: Path) -> None:
    """What travels to a task's own image, with the import name beside it."""
    (folder / "flowhub_assets").mkdir()
    for name in ROWS_1_TO_4:
        source = PACKAGE / name
        if source.is_dir():
            shutil.copytree(source, folder / "flowhub_assets" / name)
        else:
            shutil.copy(source, folder / "flowhub_assets" / name)
    shutil.copytree(IMPORT_NAME / "flowhub", folder / "flowhub")


def test_rows_1_to_4_need_the_standard_library_only(tmp_path: Path) -> None:
    copy_rows_1_to_4(tmp_path)
    modules = [
        ".".join(path.relative_to(tmp_path).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted(tmp_path.rglob("*.py"))
        if "import_name" not in path.parts and path.name != "__main__.py"
    ]
    assert len(modules) > 20
    code = f"""
import importlib, sys
sys.path.insert(0, {str(tmp_path)!r})
for name in {modules!r}:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        # What draws with rich is imported only where rich is installed.
        if error.name.partition(".")[0] != "rich":
            raise
known = {{*sys.stdlib_module_names, "flowhub", "flowhub_assets", "__main__", "__mp_main__"}}
first = {{name.partition(".")[0] for name in sys.modules}}
print(sorted(name for name in first - known if not name.startswith("_sysconfigdata")))
"""
    assert fresh(code, "-I", "-S", cwd=tmp_path).strip() == "[]"


def test_no_address_and_no_path_of_a_machine_is_written_down() -> None:
    hosts = r"(?:pypi\.org|pythonhosted\.org|/simple\b|--(?:extra-)?index-url|--find-links|--trusted-host)"
    folders = r"(?<![\w.\-/}])/(?:work|farm|root/\.pyenv|tmp/venv|opt/wheels|opt/pypi)\b"
    written = re.compile(f"{hosts}|{folders}")
    found = []
    for path in tracked():
        if path == Path(__file__).resolve() or path.stat().st_size > 1_000_000:
            continue
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {match.group()}" for match in written.finditer(text)]
    assert not found


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-airflow-2.txt", "constraints-airflow-3.txt"])
def test_constraints_are_exact_pins_and_nothing_else(name: str) -> None:
    lines = (ROOT / "deploy" / name).read_text("utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert len(pins) > 100
    assert [line for line in pins if not re.fullmatch(r"[a-z0-9-]+==[\w.+]+", line)] == []
    assert not {pin.partition("==")[0] for pin in pins} & {"torch", "torchaudio", "tensorflow"}


def test_every_door_of_dagster_names_the_same_module() -> None:
    tool = PYPROJECT["tool"]
    (location,) = yaml.safe_load((ROOT / "workspace.yaml").read_text("utf-8"))["load_from"]
    project = tool["dg"]["project"]
    assert {
        tool["dagster"]["module_name"],
        location["python_module"]["module_name"],
        project["code_location_target_module"],
    } == {"flowhub_assets.definitions"}
    assert {
        tool["dagster"]["code_location_name"],
        location["python_module"]["location_name"],
        project["code_location_name"],
    } == {"flowhub_assets"}
