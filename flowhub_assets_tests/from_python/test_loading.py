"""Workflow files become modules without running, each with its own sibling packages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flowhub_assets.errors import DefinitionError
from flowhub_assets.from_python.loading import flows_in, load_file, load_module
from flowhub_assets.runtime.imports import importable
from flowhub_assets.runtime.local import run_pipeline
from flowhub_assets.runtime.step import Runnable
from flowhub_assets_tests.from_python.workflow_files import FLOW, write_file


def test_nothing_runs_and_no_command_line_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_file(tmp_path / "w.py", FLOW + "\nif __name__ == '__main__':\n    raise SystemExit('ran')\n")
    monkeypatch.setattr(sys, "argv", ["w.py", "--nonsense"])
    before = list(sys.path)
    (runnable,) = load_file(path)
    assert [task.name for task in runnable.pipeline.tasks] == ["work", "below"]
    assert runnable.pipeline.source.file == path
    assert runnable.pipeline.task("below").source.line == 11
    assert sys.path == before


def test_the_module_name_is_stable_and_unique(tmp_path: Path) -> None:
    first = load_module(write_file(tmp_path / "one" / "my workflow.py", FLOW))
    again = load_module(str(tmp_path / "one" / "my workflow.py"))
    other = load_module(write_file(tmp_path / "two" / "my workflow.py", FLOW))
    assert first is not again
    assert first.__name__ == again.__name__ != other.__name__
    assert sys.modules[again.__name__] is again


def test_two_folders_each_with_my_package(tmp_path: Path) -> None:
    code = (
        "from flowhub import flow, task\nfrom my_package.processor import which\nfrom settings_of_mine import level\n"
    )
    code += "\n@task\ndef work(args):\n    from my_package import lazy\n"
    code += "    return {'is': which, 'lazy': lazy.which, 'level': level}\n"
    code += "\n@flow\ndef main(args):\n    return work(args)\n"
    runnables: list[Runnable] = []
    for name in ("one", "two"):
        write_file(tmp_path / name / "my_package" / "__init__.py", "")
        write_file(tmp_path / name / "my_package" / "processor.py", f"which = {name!r}\n")
        write_file(tmp_path / name / "my_package" / "lazy.py", "from my_package.processor import which\nwhich += '!'\n")
        write_file(tmp_path / name / "settings_of_mine.py", f"level = {len(runnables)}\n")
        runnables += load_file(write_file(tmp_path / name / "workflow.py", code))
    assert not any(name.startswith(("my_package", "settings_of_mine")) for name in sys.modules)
    for level, (name, runnable) in enumerate(zip(("one", "two"), runnables, strict=True)):
        with importable(str(tmp_path / name)):
            assert runnable.bodies["work"]({}) == {"is": name, "lazy": f"{name}!", "level": level}
    assert not any(name.startswith("my_package") for name in sys.modules)


def test_a_namespace_folder_counts_as_a_package_too(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_file(tmp_path / name / "plain_folder" / "part.py", f"which = {name!r}\n")
        path = write_file(tmp_path / name / "w.py", "from plain_folder import part\n" + FLOW)
        assert load_module(path).part.which == name


def test_a_loaded_namesake_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_file(tmp_path / "elsewhere" / "namesake.py", "which = 'elsewhere'\n")
    monkeypatch.syspath_prepend(str(tmp_path / "elsewhere"))
    import namesake  # type: ignore[import-not-found]

    write_file(tmp_path / "flows" / "namesake.py", "which = 'flows'\n")
    module = load_module(write_file(tmp_path / "flows" / "w.py", "import namesake\n" + FLOW))
    assert module.namesake.which == "flows"
    assert sys.modules["namesake"] is namesake
    monkeypatch.delitem(sys.modules, "namesake")


def test_a_sibling_never_replaces_the_standard_library(tmp_path: Path) -> None:
    import json

    write_file(tmp_path / "json.py", "raise AssertionError('imported')\n")
    load_module(write_file(tmp_path / "w.py", "import json\njson.dumps(1)\n" + FLOW))
    assert sys.modules["json"] is json


def test_a_failed_load_leaves_nothing_behind(tmp_path: Path) -> None:
    write_file(tmp_path / "broken_sibling.py", "x = 1\n")
    path = write_file(tmp_path / "w.py", "import broken_sibling\n1 / 0\n")
    before, path_before = set(sys.modules), list(sys.path)
    with pytest.raises(DefinitionError, match=r"w\.py:2: ZeroDivisionError"):
        load_module(path)
    assert {name for name in set(sys.modules) - before if "w_" in name or "broken" in name} == set()
    assert sys.path == path_before


def test_imported_flows_belong_to_their_own_file(tmp_path: Path) -> None:
    write_file(tmp_path / "first.py", FLOW)
    second = write_file(tmp_path / "second.py", "from first import main as imported\n" + FLOW + "\nalias = main\n")
    assert [flow.source.file for flow in flows_in(load_module(second))] == [second]
    third = write_file(tmp_path / "third.py", "from first import main\n")
    with pytest.raises(DefinitionError, match=r"no flow of its own\n.*\n.*'main' instead: .*first\.py"):
        load_file(third)


def test_flows_stand_in_the_order_of_the_file(tmp_path: Path) -> None:
    code = (
        FLOW
        + "\ndef make(name):\n    @flow(name=name)\n    def made(args):\n        return work(args)\n    return made\n"
    )
    path = write_file(tmp_path / "w.py", code + "\nz = make('z')\ny = make('y')\n")
    assert [runnable.pipeline.name for runnable in load_file(path)] == ["main", "z", "y"]


def _python(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(place for place in sys.path if place)
    env = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=env, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_script_runs_its_command_line_with_what_stands_below_the_flow(tmp_path: Path) -> None:
    code = (
        FLOW.replace("return args", "return {**args, 'seen': helper()}") + "\ndef helper():\n    return __name__[:7]\n"
    )
    write_file(tmp_path / "workflow.py", code)
    write_file(tmp_path / "in.json", "{}")
    done = _python("workflow.py", "--input", "in.json", "--output", "out.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert '"flowhub' in (tmp_path / "out.json").read_text()


def test_a_module_of_a_package_runs_as_a_script_too(tmp_path: Path) -> None:
    write_file(tmp_path / "pack" / "__init__.py", "")
    write_file(tmp_path / "pack" / "parts.py", "value = 7\n")
    write_file(tmp_path / "pack" / "workflow.py", "from .parts import value\n" + FLOW)
    done = _python("-m", "pack.workflow", "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "--run-log" in done.stdout


@pytest.mark.parametrize("how", ["-c", "-"])
def test_text_given_to_python_runs_no_command_line(how: str, tmp_path: Path) -> None:
    code = FLOW + "\nprint('no script', main.pipeline.name)\n"
    if how == "-c":
        done = _python("-c", code, cwd=tmp_path)
    else:
        path = write_file(tmp_path / "w.py", code)
        done = _python("-c", f"import runpy; runpy.run_path({path!r}, run_name='imported')", cwd=tmp_path)
    assert done.stdout.strip() == "no script main", done.stderr


def test_a_mistake_in_a_script_shows_no_traceback(tmp_path: Path) -> None:
    write_file(tmp_path / "workflow.py", FLOW.replace("@task\ndef work", "@task(memroy='1Gi')\ndef work"))
    done = _python("workflow.py", cwd=tmp_path)
    assert done.returncode != 0
    assert done.stderr.startswith(f"{tmp_path}{os.sep}workflow.py:3: @task has no keyword 'memroy'")
    assert "Traceback" not in done.stderr


def test_a_child_of_multiprocessing_runs_no_command_line(tmp_path: Path) -> None:
    code = FLOW + "\ndef child():\n    print('child of', main.name)\n"
    write_file(tmp_path / "workflow.py", code)
    spawn = (
        "import multiprocessing, sys\n"
        "import runpy\n"
        "if __name__ == '__main__':\n"
        "    from multiprocessing import spawn\n"
        f"    spawn._fixup_main_from_path({str(tmp_path / 'workflow.py')!r})\n"
        "    print(sys.modules['__mp_main__'].main.pipeline.name)\n"
    )
    write_file(tmp_path / "start.py", spawn)
    done = _python("start.py", cwd=tmp_path)
    assert done.stdout.strip() == "main", done.stderr


def test_a_flows_body_may_import_a_sibling_too(tmp_path: Path) -> None:
    write_file(tmp_path / "parts_of_mine" / "__init__.py", "")
    write_file(
        tmp_path / "parts_of_mine" / "steps.py",
        "from flowhub import task\n\n@task\ndef step(args):\n"
        "    from parts_of_mine import late\n    return {'late': late.x}\n",
    )
    write_file(tmp_path / "parts_of_mine" / "late.py", "x = 5\n")
    code = "from flowhub import flow\n\n@flow\ndef main(args):\n"
    code += "    from parts_of_mine.steps import step\n    return step(args)\n"
    (runnable,) = load_file(write_file(tmp_path / "w.py", code))
    assert runnable.pipeline.tasks[0].source.file == str(tmp_path / "parts_of_mine" / "steps.py")
    ran = run_pipeline(runnable, {}, profile={"WORKSPACE": str(tmp_path / "out")})
    assert ran.value == {"late": 5}
    assert not any(name.startswith("parts_of_mine") for name in sys.modules)
