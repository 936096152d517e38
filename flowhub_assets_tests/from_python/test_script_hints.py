"""What a script says and does where its user may not have meant what it would do: resumed runs, main blocks, names."""

from __future__ import annotations

import json
from pathlib import Path

from flowhub_assets_tests.from_python.script_runs import run, write
from flowhub_assets_tests.from_python.test_script import DIAMOND, FAILING, GREETING

COUNTED = """
    from flowhub import flow, task

    def note(name):
        with open("ran.txt", "a") as file:
            file.write(name + " ")

    @task
    def load(args):
        note("load")
        return {"n": args["n"]}

    @task
    def other(args):
        note("other")
        return {"other": 1}

    @task
    def half(args):
        note("half")
        return {"half": 10 / args["n"]}

    @flow(params={"m": 1})
    def counted(args):
        return half(load(args), other(args))
"""


def test_resume_makes_anew_what_a_changed_input_reaches(tmp_path: Path) -> None:
    script = write(tmp_path, COUNTED)
    (tmp_path / "in.json").write_text('{"n": 0}')
    assert run(script, "--input", "in.json").returncode == 1
    (tmp_path / "in.json").write_text('{"n": 5}')
    done = run(script, "--resume", "--input", "in.json", "--output", "-")
    assert json.loads(done.stdout) == {"half": 2.0}, done.stderr
    assert (tmp_path / "ran.txt").read_text().split().count("load") == 2


def test_resume_keeps_what_the_same_input_made(tmp_path: Path) -> None:
    script = write(tmp_path, COUNTED)
    (tmp_path / "in.json").write_text('{"n": 0}')
    assert run(script, "--input", "in.json").returncode == 1
    write(tmp_path, COUNTED.replace('10 / args["n"]', "0"))
    done = run(script, "--resume", "--input", "in.json")
    assert done.returncode == 0, done.stderr
    assert sorted((tmp_path / "ran.txt").read_text().split()) == ["half", "half", "load", "other"]


def test_resume_refuses_the_log_of_another_flow(tmp_path: Path) -> None:
    assert run(write(tmp_path, DIAMOND)).returncode == 0
    done = run(write(tmp_path, GREETING, "visit.py"), "--resume")
    assert done.returncode == 2
    assert "run log is of another flow" in done.stderr
    assert "load, double, square and join" in done.stderr


def test_a_main_block_is_told_not_passed_over(tmp_path: Path) -> None:
    script = write(tmp_path, GREETING + '\n    if __name__ == "__main__":\n        print("never")\n')
    done = run(script)
    assert done.returncode == 0
    assert "never" not in done.stdout
    assert "workflow.py:27: what stands under if __name__" in done.stderr


def test_a_name_that_args_does_not_have_is_answered_with_those_it_has(tmp_path: Path) -> None:
    script = write(tmp_path, DIAMOND.replace('args["n"] * 2', 'args["m"] * 2'))
    done = run(script)
    assert "KeyError: 'm'" in done.stderr
    assert "If args is meant: it has n and env." in done.stderr


def test_on_failure_may_return_nothing(tmp_path: Path) -> None:
    done = run(write(tmp_path, FAILING.replace("        return args\n\n    @flow", "\n    @flow")))
    assert done.returncode == 1
    assert "Alarm: breaks" in done.stdout
    assert "on_failure itself failed" not in done.stderr
