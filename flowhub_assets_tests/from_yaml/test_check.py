"""All that is wrong with files and with folders of them."""

from __future__ import annotations

from pathlib import Path

from flowhub_assets.from_yaml.check import files_in, problems_in

HEAD = "apiVersion: flume/v1\nkind: Pipeline\n"
GOOD = HEAD + "metadata: {name: %s}\nnodes: [{id: a, type: delay, config: {seconds: 0}}]\n"
FLOW = """\
from flowhub import flow, task


@task(%s)
def step(args):
    return {}


@flow
def from_python(args):
    return step(args)
"""


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text, "utf-8")


def test_a_folder_of_good_files(tmp_path: Path) -> None:
    write(tmp_path, a_yaml=GOOD % "a", b_py=FLOW % "", values_yaml="x: 1\n")
    assert [Path(file).name for file in files_in(str(tmp_path))] == ["a.yaml", "b.py"]
    assert problems_in(str(tmp_path)) == []


def test_names_of_all_files_differ(tmp_path: Path) -> None:
    write(tmp_path, a_yaml=GOOD % "from_python", b_py=FLOW % "", c_yaml=GOOD % "x", d_yaml=GOOD % "x")
    told = [str(problem).replace(f"{tmp_path}/", "") for problem in problems_in(str(tmp_path))]
    assert told == [
        "b.py:9:1: pipeline 'from_python' has the name of another one in a.yaml:3. One would hide the other. "
        "Rename one of them.",
        "d.yaml:3:18: pipeline 'x' has the name of another one in c.yaml:3. One would hide the other. "
        "Rename one of them.",
    ]


def test_python_files_tell_theirs(tmp_path: Path) -> None:
    path = tmp_path / "b.py"
    path.write_text(FLOW % "memory='4GB', cpu='2x'", "utf-8")
    told = [str(problem).removeprefix(str(path)) for problem in problems_in(str(path))]
    assert [one.partition(": ")[0] for one in told] == [":4:1", ":4:1"]
    assert "cpu '2x' of task 'step' is not a quantity of Kubernetes" in told[0]
    assert "Write '2' for 2 cores" in told[0]
    path.write_text(FLOW % "memroy='4Gi'", "utf-8")
    assert "@task has no keyword 'memroy'" in str(problems_in(str(path))[0])
    path.write_text("def f(:\n", "utf-8")
    assert str(problems_in(str(path))[0]).startswith(f"{path}:1:1: SyntaxError")


def test_one_file(tmp_path: Path) -> None:
    write(tmp_path, a_yaml="x: 1\n", b_yaml="", c_json="{")
    assert "the document has no apiVersion" in str(problems_in(str(tmp_path / "a.yaml"))[0])
    assert "this file holds no pipeline" in str(problems_in(str(tmp_path / "b.yaml"))[0])
    assert str(problems_in(str(tmp_path / "c.json"))[0]).startswith(f"{tmp_path / 'c.json'}:1:2: JSON cannot be read")
    assert (
        str(problems_in(str(tmp_path / "d.yaml"))[0])
        == f"{tmp_path / 'd.yaml'}: there is no such file. Check the path."
    )
