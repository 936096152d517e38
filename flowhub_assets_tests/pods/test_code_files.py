"""Which files travel, read from folders as users have them."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from flowhub_assets.errors import DefinitionError
from flowhub_assets.ir.pipeline import Pipeline, Source, Task
from flowhub_assets.pods.code_files import code_files


def write(folder: Path, **files: str) -> Path:
    """Writes files (my_package__init → my_package/init) and returns the folder."""
    for name, text in files.items():
        put(folder / f"{name.replace('__', '/')}.py", text)
    return folder


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def pipeline(file: Path, *tasks: Task, **fields: Any) -> Pipeline:
    return Pipeline(name="my-flow", tasks=tasks, source=Source(str(file), 3), **fields)


def function_task(name: str, file: Path) -> Task:
    return Task(name=name, function=name, source=Source(str(file), 1), needs=("$args",))


def test_the_workflow_file_travels_with_the_modules_beside_it_that_it_imports(tmp_path: Path) -> None:
    write(
        tmp_path,
        workflow="import json\nimport helper\nfrom package.deep import name\n\ndef body(a):\n    from lazy import x\n",
        helper="from second import y\n",
        second="import helper\n",
        lazy="",
        unused="",
        package__deep="from . import sibling\nfrom .missing import z\n",
        package__sibling="import numpy\n",
        package__other="",
    )
    put(tmp_path / "package" / "__init__.py", "import flowhub_assets, flowhub\n")
    put(tmp_path / "flowhub_assets" / "__init__.py", "")
    code = code_files(pipeline(tmp_path / "workflow.py"), {})
    assert code.file == "workflow.py"
    assert list(code.files) == [
        "helper.py",
        "lazy.py",
        "package/__init__.py",
        "package/deep.py",
        "package/sibling.py",
        "second.py",
        "workflow.py",
    ]
    assert code.files["second.py"] == b"import helper\n"
    assert code.paths["package/deep.py"] == str(tmp_path / "package" / "deep.py")


def test_a_package_without_init_and_a_submodule_that_is_a_name_are_found(tmp_path: Path) -> None:
    write(tmp_path, workflow="from space import part, nothing\nimport space.inner.leaf\n", space__part="")
    write(tmp_path, space__inner__leaf="")
    assert list(code_files(pipeline(tmp_path / "workflow.py"), {}).files) == [
        "space/inner/leaf.py",
        "space/part.py",
        "workflow.py",
    ]


def test_a_pipeline_file_stays_behind_and_its_functions_travel(tmp_path: Path) -> None:
    file = put(tmp_path / "flows" / "pipeline.yaml", "apiVersion: flume/v1\n")
    write(tmp_path, flows__work="import beside\n", flows__beside="", shared__more="import near\n", shared__near="")
    more = tmp_path / "shared" / "more.py"
    code = code_files(
        pipeline(file, function_task("work", tmp_path / "flows" / "work.py"), function_task("more", more)), {}
    )
    assert code.file == "flows/pipeline.yaml"
    assert list(code.files) == ["flows/beside.py", "flows/work.py", "shared/more.py", "shared/near.py"]


def test_files_of_node_kinds_travel(tmp_path: Path) -> None:
    file = put(tmp_path / "pipeline.yaml", "")
    nodes = put(tmp_path / "nodes.py", "import words\n")
    put(tmp_path / "words.py", "")
    assert list(code_files(pipeline(file), {}, [str(nodes)]).files) == ["nodes.py", "words.py"]


def test_extra_packages_travel_and_so_does_what_they_import_beside_the_workflow(tmp_path: Path) -> None:
    home = tmp_path / "flows"
    write(home, workflow="", beside="", my_package__processor="import beside\n")
    put(home / "my_package" / "__init__.py", "")
    put(home / "my_package" / "words.txt", "data")
    put(tmp_path / "shared" / "tools" / "__init__.py", "")
    code = code_files(pipeline(home / "workflow.py"), {"EXTRA_PACKAGES": ["./my_package", "../shared/tools"]})
    assert list(code.files) == [
        "beside.py",
        "my_package/__init__.py",
        "my_package/processor.py",
        "my_package/words.txt",
        "tools/__init__.py",
        "workflow.py",
    ]
    assert code.paths["tools/__init__.py"] == str(tmp_path / "shared" / "tools" / "__init__.py")


def test_code_that_is_cloned_does_not_travel(tmp_path: Path) -> None:
    code = code_files(pipeline(tmp_path / "workflow.py", repo="https://git.example.com/a.git#v1", path="flows"), {})
    assert (code.file, code.files) == ("workflow.py", {})


def test_a_function_file_that_is_missing_is_told(tmp_path: Path) -> None:
    file = put(tmp_path / "pipeline.yaml", "")
    with pytest.raises(DefinitionError, match=r"cannot be read: No such file(.|\n)*Check the path") as told:
        code_files(pipeline(file, function_task("work", tmp_path / "work.py")), {})
    assert told.value.where == str(tmp_path / "work.py")


def test_a_relative_import_of_the_workflow_file_is_refused_at_its_line(tmp_path: Path) -> None:
    write(tmp_path, workflow="import json\nfrom . import helper\n", helper="")
    with pytest.raises(DefinitionError, match=r"relative import(.|\n)*Leave the dot out") as told:
        code_files(pipeline(tmp_path / "workflow.py"), {})
    assert told.value.where == f"{tmp_path / 'workflow.py'}:2"


def test_a_relative_import_that_is_only_tried_is_not(tmp_path: Path) -> None:
    write(tmp_path, workflow="try:\n    from . import helper\nexcept ImportError:\n    import helper\n", helper="")
    assert list(code_files(pipeline(tmp_path / "workflow.py"), {}).files) == ["helper.py", "workflow.py"]


def test_two_files_that_would_have_one_place_are_refused(tmp_path: Path) -> None:
    home = tmp_path / "flows"
    write(home, workflow="", tools="")
    put(tmp_path / "shared" / "tools.py", "")
    with pytest.raises(DefinitionError, match=r"would both be called tools\.py(.|\n)*Rename"):
        code_files(pipeline(home / "workflow.py"), {"EXTRA_PACKAGES": ["tools.py", "../shared/tools.py"]})


def test_a_name_that_no_archive_should_hold_is_refused(tmp_path: Path) -> None:
    write(tmp_path, workflow="")
    put(tmp_path / "package" / "new\nline.txt", "")
    with pytest.raises(DefinitionError, match=r"cannot travel: 'package/new\\nline\.txt'"):
        code_files(pipeline(tmp_path / "workflow.py"), {"EXTRA_PACKAGES": ["package"]})
    (tmp_path / "package" / "new\nline.txt").rename(tmp_path / "package" / "한글 파일.txt")
    assert (
        "package/한글 파일.txt" in code_files(pipeline(tmp_path / "workflow.py"), {"EXTRA_PACKAGES": ["package"]}).files
    )


def test_a_module_that_this_python_cannot_parse_travels_as_it_is(tmp_path: Path) -> None:
    write(tmp_path, workflow="def body(a):\n    import newer\n", newer="type X = int if else\n")
    assert list(code_files(pipeline(tmp_path / "workflow.py"), {}).files) == ["newer.py", "workflow.py"]
