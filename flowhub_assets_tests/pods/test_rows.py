"""What travels to an image with nothing but Python: enough for every flow, and no more than its pods need."""

from __future__ import annotations

import ast
import base64
import dataclasses
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

import flowhub_assets
from flowhub_assets.from_python.loading import load_file
from flowhub_assets.ir.pipeline import Loop, Pipeline, Source, Task
from flowhub_assets.pods import rows
from flowhub_assets.pods.archive import pack, unpack
from flowhub_assets.pods.rows import Needs, needs_of, travelling_rows
from flowhub_assets.to_airflow.export import export
from flowhub_assets_tests.conformance.branch_shapes import BRANCHES, LOOPS
from flowhub_assets_tests.conformance.shapes import SHAPES
from flowhub_assets_tests.pods.bare_pods import bare_python

ALL = Needs(*[True] * len(dataclasses.fields(Needs)))

#: Finds the flows of the files named on the command line, as a pod does, and tells what each came to.
LOAD = """
import json, sys
from flowhub_assets.from_python.loading import flows_in, load_module
told = {}
for path in sys.argv[1:]:
    runnable = flows_in(load_module(path))[-1].runnable
    pipeline = runnable.pipeline
    tasks = [[task.name, task.needs, task.merge] for task in pipeline.tasks]
    told[path] = [pipeline.name, tasks, sorted(runnable.bodies)]
print(json.dumps(told))
"""

IMPORT = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
import flowhub
for name in %r:
    assert getattr(flowhub, name) is not None, name
print(sorted({name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    return bare_python(tmp_path_factory.mktemp("python"))


def unpacked(folder: Path, needs: Needs) -> dict[str, bytes]:
    files = unpack(pack(travelling_rows(needs)))
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return files


def run(python: str, rows_folder: Path, code: str, *arguments: str) -> str:
    environment = {"PATH": os.defpath, "PYTHONPATH": str(rows_folder), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [python, "-c", code, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "needs",
    [Needs(), Needs(bucket=True, folder=True), Needs(parts=True), Needs(data=True), ALL],
    ids=["least", "usual", "loops", "data", "all"],
)
def test_all_that_travels_is_imported_by_a_python_with_nothing_installed(
    python: str, tmp_path: Path, needs: Needs
) -> None:
    files = unpacked(tmp_path, needs)
    modules = [name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in files]
    public = {*rows.PUBLIC} - (set() if needs.arguments else {"get_parser", "parse_args"})
    found = run(python, tmp_path, IMPORT % sorted(public), *modules)
    assert [name for name in eval(found) if not name.startswith("_")] == ["flowhub", "flowhub_assets"]


def resolved_in(files: Mapping[str, bytes]) -> dict[str, set[str]]:
    """File → the names that its text binds."""
    bound: dict[str, set[str]] = {}
    for name, code in files.items():
        found = bound[name] = set()
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                found.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                found |= {alias.asname or alias.name for alias in node.names}
    return bound


@pytest.mark.parametrize("alone", ["", *(field.name for field in dataclasses.fields(Needs))])
@pytest.mark.parametrize("given", [True, False])
def test_no_import_inside_a_function_leads_nowhere(alone: str, given: bool) -> None:
    """Whatever a pipeline needs or does not: the imports that run late, too, find module and name."""
    others = {field.name: not given for field in dataclasses.fields(Needs)}
    needs = Needs(**{**others, **({alone: given} if alone else {})})
    files = travelling_rows(needs)
    bound = resolved_in(files)
    out = {*rows.LEFT_OUT}
    if not needs.bucket:
        out |= {"flowhub_assets.runtime.bare_s3"} | (
            set() if needs.folder else {"flowhub_assets.runtime.folder_storage"}
        )
    missing = []
    for name, code in files.items():
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("flowhub_assets."):
                place = str(node.module).replace(".", "/")
                file = f"{place}.py" if f"{place}.py" in files else f"{place}/__init__.py"
                names = {alias.name for alias in node.names if f"{place}/{alias.name}.py" not in files}
                if names - bound.get(file, set()) and not (file not in files and node.module in out):
                    missing.append((name, node.module, names))
    assert missing == []


def test_every_flow_is_found_as_it_is_here(python: str, tmp_path: Path) -> None:
    unpacked(tmp_path / "rows", Needs(folder=True))
    paths = []
    for number, shape in enumerate([*SHAPES, *BRANCHES, *LOOPS]):
        if shape.file.endswith(".py"):
            file = tmp_path / f"shape{number}" / "workflow.py"
            file.parent.mkdir()
            file.write_text(shape.text, encoding="utf-8")
            paths.append(str(file))
    assert len(paths) > 30
    told = json.loads(run(python, tmp_path / "rows", LOAD, *paths))
    for path in paths:
        runnable = load_file(path)[-1]
        tasks = [[task.name, list(task.needs), task.merge] for task in runnable.pipeline.tasks]
        assert told[path] == [runnable.pipeline.name, tasks, sorted(runnable.bodies)]


def test_no_module_that_only_a_terminal_needs_travels() -> None:
    files = set(travelling_rows(ALL))
    for module in ("script", "command", "summary", "live_table", "progress", "script_input", "exporting"):
        assert f"flowhub_assets/from_python/{module}.py" not in files
    assert {"flowhub/__init__.py", "flowhub_assets/__init__.py", "flowhub_assets/from_python/pod.py"} <= files


def test_what_is_left_out_and_stood_in_for_is_there() -> None:
    for module in (*rows.LEFT_OUT, *rows._stand_ins(Needs())):
        assert Path(rows._path(module)).is_file(), module


@pytest.mark.parametrize(
    ("needs", "module", "text"),
    [
        (Needs(parts=True), "flowhub_assets/runtime/local.py", b"def run_pipeline"),
        (Needs(params=True), "flowhub_assets/runtime/given_params.py", b"raise InputError"),
        (Needs(partitions=True), "flowhub_assets/runtime/partitions.py", b"def last_ended"),
        (Needs(data=True), "flowhub_assets/ir/encoding.py", b"def from_dict"),
        (Needs(arguments=True), "flowhub_assets/from_python/arguments.py", b"class Parser"),
        (Needs(bucket=True), "flowhub_assets/runtime/bare_s3.py", b"class BareS3Storage"),
        (Needs(folder=True), "flowhub_assets/runtime/folder_storage.py", b"class FolderStorage"),
        (Needs(templates=True), "flowhub_assets/templates/pdf.py", b"def read_pdf"),
    ],
)
def test_what_is_needed_travels_and_nothing_stands_in_for_it(needs: Needs, module: str, text: bytes) -> None:
    assert text in travelling_rows(needs)[module]
    assert text not in travelling_rows(Needs()).get(module, b"")


def test_public_names_are_those_that_need_the_standard_library_only() -> None:
    homes = flowhub_assets._HOME
    assert dict(rows.PUBLIC) == {
        name: home for name, home in homes.items() if home.split(".")[1] in ("errors", "ir", "runtime", "from_python")
    }


def pipeline(*tasks: Task, file: str = "workflow.py", **fields: object) -> Pipeline:
    return Pipeline(name="f", tasks=tasks, source=Source(file, 1), **fields)  # type: ignore[arg-type]


def test_what_a_pipeline_needs() -> None:
    task = Task(name="a", function="a", source=Source("workflow.py", 1), needs=("$args",))
    looping = Task(name="l", source=Source("w.py", 1), needs=("$args",), loop=Loop("items", (task,), "a"))
    assert needs_of(pipeline(task), {"workflow.py": b"import flowhub"}) == Needs()
    assert needs_of(pipeline(looping), {}).parts
    assert needs_of(pipeline(task), {}, grouped=True).parts
    assert not needs_of(pipeline(task, params={"city": "Seoul"}), {}).params
    assert needs_of(pipeline(task, param_schemas={"city": {"type": "string"}}), {}).params
    assert needs_of(pipeline(task), {"workflow.py": b"from dataclasses import dataclass"}).types
    assert not needs_of(pipeline(task), {"workflow.py": b"from flowhub import task"}).types
    assert needs_of(pipeline(task, file="pipeline.yaml"), {}).data
    assert needs_of(pipeline(task), {"a.py": b"p = flowhub.get_parser()"}).arguments
    assert needs_of(pipeline(task, profiles={"airflow": {"BUCKET": "b"}}), {}).bucket
    assert needs_of(pipeline(task), {"a.py": b"get_storage({'WORKSPACE': '/tmp/x'})"}).folder
    unseen = needs_of(pipeline(task, repo="https://git.example.com/a.git#v1"), {})
    assert (unseen.bucket, unseen.folder, unseen.arguments, unseen.templates) == (True, True, True, True)


@pytest.mark.parametrize(
    ("code", "uses"),
    [
        ("from flowhub import task, template", True),
        ("import flowhub as f\nf.template.read_pdf({})", True),
        ("from flowhub_assets.templates import read_pdf", True),
        ("from flowhub import task\n'fill the template'", False),
        ("import jinja2\ntemplate = 1", False),
    ],
)
def test_templates_travel_with_who_uses_them(code: str, uses: bool) -> None:
    task = Task(name="a", function="a", source=Source("workflow.py", 1), needs=("$args",))
    assert needs_of(pipeline(task), {"workflow.py": code.encode()}).templates is uses


ONE_FILE = '''"""Counts what lies in a bucket."""

from flowhub import flow, get_storage, show, task


@task(cpu="1", memory="512Mi", retries=2, timeout=600)
def count(args):
    """How much there is."""
    files = get_storage(args["env"]).list(args["prefix"])
    return {"files": len(files), "most": args["most"]}


@task
def check(args):
    return args["files"] <= args["most"]


@task
def tell(args):
    show("files", args["files"])
    return args


@task
def alarm(args):
    print(args["failed_task"], args["error"])


@flow(
    name="counts",
    schedule="@daily",
    env={"default": {"BUCKET": "b", "ENDPOINT": "http://minio:9000", "ACCESS_KEY": {"env": "ACCESS_KEY"}}},
    params={"prefix": "in/", "most": 100},
    on_failure=alarm,
)
def main(args):
    counted = count(args)
    return tell(check.branch(counted).true, counted)


if __name__ == "__main__":
    main.run()
'''


def test_the_config_map_of_a_one_file_flow_is_small(tmp_path: Path) -> None:
    """64 KiB as Kubernetes counts them: the values, decoded."""
    file = tmp_path / "workflow.py"
    file.write_text(ONE_FILE, "utf-8")
    (config_map,) = yaml.safe_load_all(export(load_file(str(file))[-1].pipeline, "default").code)
    texts = [len(text.encode()) for text in config_map["data"].values()]
    assert sum([*texts, *(len(base64.b64decode(one)) for one in config_map["binaryData"].values())]) < 64 * 1024
