"""Wrong arguments, inputs and run logs: one clear message each, exit code 2, nothing run, no traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowhub_assets_tests.from_python.script_runs import run, write

SCRIPT = """
    from flowhub import flow, task, get_parser, parse_args

    parser = get_parser()
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--size", choices=["small", "large"], default="small")
    arguments = parse_args(parser)

    @task
    def load(args):
        open("ran", "w").close()
        return args

    @task
    def prepare(args):
        open("ran", "w").close()
        return args

    @task
    def join(one, two):
        open("ran", "w").close()
        return one

    @flow(name="main-flow", env={"default": {"WORKSPACE": "./tmp"}, "airflow": {"BUCKET": "b"}})
    def main(args):
        return join(load(args), prepare(args))
"""

FILES = {
    "data.json": b'{"n": 1}',
    "bad.json": b'{"n": 1,\n "m": }',
    "cut.json": b'{"n": [1, 2',
    "list.json": b"[1, 2]",
    "null.json": b"null",
    "text.json": b'"data"',
    "empty.json": b"",
    "nan.json": b'{"n": NaN}',
    "latin.json": b'{"n":\n "\xe9"}',
    "deep.json": b"[" * 100_000,
    "long.json": b'{"n": ' + b"9" * 5000 + b"}",
    "half.json": b'{"n": "\\ud800"}',
    "three.json": b'[{"a": 1}, {"b": 2}, {"c": 3}]',
    "folder/readme.txt": b"",
    "mixed/a.json": b"{}",
    "mixed/b.json": b"[]",
    "one/a.json": b"{}",
    "log-cut.json": b'{"load": {"input": {',
    "log-list.json": b"[]",
    "log-entry.json": b'{"load": 3}',
    "log-output.json": b'{"load": {"input": {}, "output": 3}}',
    "log-latin.json": b"\xff",
    "log-load.json": b'{"load": {"input": {}, "output": {"n": 1}}}',
}

MISTAKES = [
    (["--evn", "default"], ["unknown argument --evn", "did you mean '--env'?"]),
    (["--cuont=3"], ["unknown argument --cuont", "did you mean '--count'?"]),
    (["--inp", "data.json"], ["unknown argument --inp", "did you mean '--input'?"]),
    (["data.json"], ["unexpected 'data.json'", "--input data.json"]),
    (["--count", "many"], ["--count", "invalid int value: 'many'"]),
    (["--size", "huge"], ["--size", "invalid choice: 'huge'"]),
    (["--input"], ["--input", "expected one argument"]),
    (["--env", "airfow"], ["no env profile 'airfow'", "Did you mean 'airflow'?", "workflow.py:"]),
    (["--env", "prod"], ["no env profile 'prod'", "airflow, default"]),
    (["--flow", "main-flw"], ["no flow 'main-flw'", "did you mean 'main-flow'?"]),
    (["--id", "a/b"], ["'a/b' is no run id", "letter or digit"]),
    (["--id", ".."], ["'..' is no run id"]),
    (["--id", ""], ["'' is no run id"]),
    (["--task", "lod"], ["no task 'lod'", "did you mean 'load'?", "load, prepare and join"]),
    (["--task", "join"], ["needs the output of 'load' and 'prepare'", "run.json", "--task load"]),
    (["--task", "join", "--run-log", "log-load.json"], ["needs the output of 'prepare'", "log-load.json"]),
    (["--task", "join", "--input", "data.json"], ["'join' takes 2 dicts", "here is 1 object", "folder"]),
    (["--task", "join", "--input", "three.json"], ["'join' takes 2 dicts", "here is 3 objects"]),
    (["--task", "join", "--input", "mixed"], ["'join' takes 2 dicts"]),
    (["--task", "load", "--resume"], ["--resume and --task exclude each other"]),
    (["--resume"], ["no run to go on with", "run.json", "Leave --resume out"]),
    (["--input", "dat.json"], ["dat.json: there is no such input file", "Did you mean 'data.json'?"]),
    (["--input", "nowhere/x.json"], ["no such input file", "no folder nowhere"]),
    (["--input", "bad.json"], ["bad.json:2:7: the input is not JSON"]),
    (["--input", "cut.json"], ["cut.json:1:12: the input is not JSON"]),
    (["--input", "list.json"], ["list.json: the input is a list, not an object"]),
    (["--input", "null.json"], ["the input is null, not an object"]),
    (["--input", "text.json"], ["the input is a text, not an object"]),
    (["--input", "empty.json"], ["empty.json:1:1: the input is empty"]),
    (["--input", "nan.json"], ["NaN is not a JSON number", "null"]),
    (["--input", "latin.json"], ["latin.json:2: the input is not UTF-8"]),
    (["--input", "deep.json"], ["deep.json", "nested too deep"]),
    (["--input", "long.json"], ["long.json", "the input is not JSON"]),
    (["--input", "half.json"], ["lone surrogate", "args['n']"]),
    (["--input", "folder"], ["folder: this folder holds no .json file"]),
    (["--input", "mixed"], ["mixed/b.json: the input is a list, not an object"]),
    (["--output", "folder"], ["folder: --output names a folder"]),
    (["--run-log", "log-cut.json"], ["log-cut.json:1:21: the run log is not JSON", "left as it is"]),
    (["--run-log", "log-list.json"], ["the run log holds a list"]),
    (["--run-log", "log-entry.json"], ["damaged at 'load'", "a int"]),
    (["--run-log", "log-output.json"], ["damaged at 'load'", "'output' is a int"]),
    (["--run-log", "log-latin.json"], ["the run log is not UTF-8"]),
    (["--run-log", "data.json"], ["data.json", "damaged at 'n'", "move it away"]),
    (["--run-log", "data.json/x.json"], ["cannot be read", "--run-log"]),
    (["--run-log", "folder"], ["the run log cannot be read"]),
    (["--job", "data.json"], ["data.json", "folder cannot be made"]),
    (["--export", "nothing-like-it"], ["no exporter for 'nothing-like-it'", "Nothing was written", "Installed:"]),
]


@pytest.mark.parametrize(("arguments", "messages"), MISTAKES, ids=lambda value: " ".join(value))
def test_a_mistake_is_told(arguments: list[str], messages: list[str], tmp_path: Path) -> None:
    script = write(tmp_path, SCRIPT)
    for name, data in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    done = run(script, *arguments)
    assert done.returncode == 2, done.stderr
    for message in messages:
        assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "ran").exists()
    assert {name: (tmp_path / name).read_bytes() for name in FILES} == FILES


SCRIPTS = [
    ("parser.add_argument('--env')", "the argument --env has a name that is already taken"),
    ("parser.add_argument('--other', dest='task')", "the argument --other has a name that is already taken"),
    ("parser.add_argument('--count', dest='count')", "the argument --count has a name that is already taken"),
    ("parser.add_argument('input')", "the argument input has a name that is already taken"),
    ("parse_args(argparse.ArgumentParser())", "parse_args was given a argparse.ArgumentParser"),
]


@pytest.mark.parametrize(("statement", "message"), SCRIPTS)
def test_a_wrong_parser_is_told_at_its_line(statement: str, message: str, tmp_path: Path) -> None:
    code = SCRIPT.replace("    arguments = parse_args", f"    {statement}\n    arguments = parse_args")
    script = write(tmp_path, code.replace("from flowhub", "import argparse\n    from flowhub", 1))
    done = run(script)
    assert done.returncode != 0
    assert f"{script}:8: {message}" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_argument_that_is_required_needs_a_default_on_import(tmp_path: Path) -> None:
    script = write(tmp_path, SCRIPT.replace("type=int, default=1", "required=True"))
    assert run(script, "--count", "3").returncode == 0
    missing = run(script)
    assert missing.returncode == 2
    assert "the following arguments are required: --count" in missing.stderr
    other = write(tmp_path, "import workflow\n", "other.py")
    done = run(other)
    assert f"{script}:7: the argument --count is required, and this file is imported" in done.stderr
    assert "default=" in done.stderr


def test_a_file_with_several_flows_lists_them(tmp_path: Path) -> None:
    second = "\n    @flow(name='second')\n    def other(args):\n        return load(args)\n"
    script = write(tmp_path, SCRIPT + second)
    done = run(script)
    assert done.returncode == 2
    assert "this file holds 2 flows: 'main-flow' and 'second'" in done.stderr
    assert "--flow main-flow" in done.stderr


def test_a_run_log_in_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    script = write(tmp_path, SCRIPT)
    done = run(script, "--run-log", "/proc/nowhere/run.json")
    assert done.returncode == 2
    assert "/proc/nowhere/run.json: the run log cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
