"""A function that a Python file beside the pipeline lacks is told before anything runs; the file is not imported."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.from_yaml.check import problems_in
from flowhub_assets.from_yaml.function_names import lacks

PIPELINE = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: p}
nodes:
  - id: sum-up
    task: {function: %s, file: totals.py}
"""
FILE = "raise SystemExit('imported')\n\n\ndef total(args):\n    hidden = args\n    return hidden\n\n\nRATE = 3\n"


def told(folder: Path, function: str, text: str = FILE) -> list[str]:
    (folder / "totals.py").write_text(text, "utf-8")
    path = folder / "p.yaml"
    path.write_text(PIPELINE % function, "utf-8")
    return [str(problem).removeprefix(f"{path}:") for problem in problems_in(str(path))]


def test_a_misspelt_function_is_told_at_its_place(tmp_path: Path) -> None:
    assert told(tmp_path, "total") == []
    assert told(tmp_path, "totl") == [
        "6:22: node 'sum-up': there is no function 'totl' in totals.py. The node has nothing to do. "
        "Did you mean 'total'?"
    ]
    assert told(tmp_path, "hidden")[0].endswith("Its functions are total.")
    assert told(tmp_path, "total.run") == []  # what a function has is known when it is imported
    assert told(tmp_path, "totl", "") != told(tmp_path, "totl")
    assert told(tmp_path, "totl", "def totl(args): ...") == []


@pytest.mark.parametrize(
    "text",
    [
        "from other import wanted",
        "from other import thing as wanted",
        "import wanted.inner",
        "wanted = make()",
        "wanted: object = make()",
        "a, (b, *wanted) = make()",
        "for wanted in make(): ...",
        "with make() as wanted: ...",
        "if make():\n    async def wanted(args): ...",
        "try: ...\nexcept ImportError:\n    class wanted: ...",
        "(wanted := make())",
        "match make():\n    case {'a': [*_, wanted]}: ...",
        "def fill():\n    global wanted\n    wanted = 1",
        "from other import *",
        "globals()['want' + 'ed'] = make()",
        "import sys\nsetattr(sys.modules[__name__], 'want' + 'ed', 1)",
        "def __getattr__(name): ...",
        "exec(make())",
        "def broken(:",
        "x = '\\0'\0",
    ],
)
def test_a_name_that_may_be_bound_otherwise_is_not_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "totals.py"
    file.write_text(f"{text}\n", "utf-8")
    assert lacks(str(file), "wanted") is None


@pytest.mark.parametrize(
    "text", ["def other():\n    wanted = 1", "class Other:\n    wanted = 1", "wanted", "del wanted"]
)
def test_a_name_inside_of_another_is_not_the_file_s(tmp_path: Path, text: str) -> None:
    file = tmp_path / "totals.py"
    file.write_text(text, "utf-8")
    assert lacks(str(file), "wanted") is not None


def test_the_file_s_own_warnings_are_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "totals.py"
    file.write_text("def other(): return '\\d'\n", "utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert lacks(str(file), "wanted") == ("other",)


def test_nothing_is_known_of_what_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.py", "\0", "/dev/zero"):
        assert lacks(str(path), "wanted") is None


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_no_file_stops_the_check(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any.py"
    file.write_bytes(data)
    assert "no name" not in (lacks(str(file), "no name") or ())
