"""Workflow scripts run as FlowHub's README says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from flowhub_assets_tests.from_python.script_runs import log, run, write

DIAMOND = """
    from flowhub import flow, task

    @task
    def load(args):
        return {"n": args.get("n", 1)}

    @task
    def double(args):
        return {"double": args["n"] * 2}

    @task
    def square(args):
        return {"square": args["n"] ** 2}

    @task
    def join(left, right):
        print("joined by", left["env"]["task"])
        return {"sum": left["double"] + right["square"], "keys": [sorted(left), sorted(right)]}

    @flow(params={"n": 3})
    def diamond(args):
        loaded = load(args)
        return join(double(loaded), square(loaded))
"""


#: In FlowHub's manner: nothing below the flow, no main guard, comments and values in Korean.
GREETING = """
    from flowhub import flow, get_storage, task

    @task(image='python:3.11-slim', cpu='1', memory='1Gi')
    def greet(args):
        print("안녕")  # 인사
        return {**args, 'greeted': 'yes'}

    @task(image='python:3.11-slim', cpu='2', memory='2Gi')
    def leave(args):
        print("작별:", args['greeted'])
        return {**args, 'left': 'yes'}

    @flow(
        name='short-visit',
        description='인사하고 떠난다',
        namespace='airflow',
        env={
            'default': {'WORKSPACE': './tmp', 'DEBUG': True},
            'airflow': {'BUCKET': 'visits', 'REGION_NAME': 'ap-northeast-2'},
        },
    )
    def main(args):
        _greeted = greet(args)
        return leave(_greeted)
"""

CUSTOM = """
    from flowhub import flow, get_parser, parse_args, task

    parser = get_parser()
    parser.add_argument('--colour', type=str, default='red')
    parser.add_argument('--amount', type=int, default=1)
    options = parse_args(parser)

    @task(image='python:3.11')
    def paint(args):
        print(f"{args['env']['AMOUNT']} litres")
        return args

    @flow(name='paint', env={
        'default': {'WORKSPACE': './tmp', 'AMOUNT': options.amount, 'COLOUR': options.colour},
    })
    def main(args):
        return paint(args)
"""

FAILING = """
    from flowhub import flow, task

    @task(image='python:3.11')
    def tell(args):
        print(f"Alarm: {args['failed_task']}")
        print(args['traceback'])
        return args

    @flow(
        name='alarm',
        on_failure=tell,
        env={'default': {'WORKSPACE': './tmp', 'SECRET_KEY': 'very-secret-value'}},
    )
    def main(args):
        return breaks(args)

    def read(env):
        raise RuntimeError(f"cannot log in with {env['SECRET_KEY']}")

    @task
    def breaks(args):
        return read(args['env'])
"""


def test_the_quick_start(tmp_path: Path) -> None:
    script = write(tmp_path, GREETING)
    (tmp_path / "data.json").write_text('{"data": "값"}', encoding="utf-8")
    done = run(script, "--env", "default", "--input", "data.json", "--output", "out/result.json")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "안녕\n작별: yes\n"
    greeted = {"data": "값", "greeted": "yes"}
    left = {**greeted, "left": "yes"}
    assert log(script) == {
        "greet": {"input": {"data": "값"}, "output": greeted},
        "leave": {"input": greeted, "output": left},
    }
    assert json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8")) == left
    assert "short-visit succeeded in" in done.stderr
    assert str(tmp_path / "run.json") in done.stderr
    assert str(tmp_path / "out" / "result.json") in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "__pycache__") == [
        "data.json",
        "out",
        "run.json",
        "workflow.py",
    ]


def test_one_task_of_a_job(tmp_path: Path) -> None:
    script = write(tmp_path, GREETING)
    done = run(script, "--job", "./tmp/my-job", "--task", "greet")
    assert done.returncode == 0, done.stderr
    assert "made the job's folder ./tmp/my-job" in done.stderr
    assert list(log(script, "tmp/my-job/run.json")) == ["greet"]
    done = run(script, "--job", "./tmp/my-job", "--task", "leave")
    assert done.stdout == "작별: yes\n"
    assert list(log(script, "tmp/my-job/run.json")) == ["greet", "leave"]


def test_custom_arguments(tmp_path: Path) -> None:
    script = write(tmp_path, CUSTOM)
    assert run(script, "--env", "default", "--colour", "blue", "--amount", "5").stdout == "5 litres\n"
    assert run(script).stdout == "1 litres\n"
    help_text = run(script, "--help")
    assert help_text.returncode == 0
    for word in ("--colour", "--amount", "--env", "--input", "--input-data", "--task", "--job", "--export", "--id"):
        assert word in help_text.stdout


@pytest.mark.parametrize("option", ["type=int", "required=True"])
def test_the_help_of_a_script_with_arguments_of_its_own_lists_the_params_too(tmp_path: Path, option: str) -> None:
    code = CUSTOM.replace("type=int, default=1", option).replace("name='paint'", "name='paint', params={'coats': 2}")
    script = write(tmp_path, code.replace("options.amount", "options.amount or 0"))
    done = run(script, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("--resume") == 2, "once in the usage, once in the list"
    assert "--colour" in done.stdout
    told = "params of paint, given in the file of --input:\n  coats  integer (default: 2)\n"
    assert done.stdout.endswith(told) is (option == "type=int"), "without what is required the file cannot be loaded"
    assert "--param" not in done.stdout


def test_failure_handling(tmp_path: Path) -> None:
    script = write(tmp_path, FAILING)
    done = run(script)
    assert done.returncode == 1
    assert done.stdout.startswith("Alarm: breaks\nTraceback (most recent call last):\n")
    assert done.stdout.count("Alarm") == 1
    for text in (done.stdout, done.stderr):
        assert 'workflow.py", line 19, in read' in text
        assert "RuntimeError: cannot log in with ***" in text
        assert "flowhub_assets" not in text
        assert "very-secret-value" not in text
    assert f"{script}:19: task 'breaks' failed" in done.stderr
    assert "python workflow.py --resume" in done.stderr
    assert "very-secret-value" not in (tmp_path / "run.json").read_text()


def test_on_failure_that_fails_too_tells_both(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        """
        from flowhub import flow, task

        @task
        def tell(args):
            raise KeyError("no webhook")

        @task
        def breaks(args):
            raise ValueError("first")

        @flow(on_failure=tell)
        def main(args):
            return breaks(args)
        """,
    )
    done = run(script)
    assert done.returncode == 1
    assert "ValueError: first" in done.stderr
    assert "on_failure itself failed, too" in done.stderr
    assert "no webhook" in done.stderr


def test_two_parameters_params_and_the_output_on_stdout(tmp_path: Path) -> None:
    script = write(tmp_path, DIAMOND)
    done = run(script, "--output", "-")
    assert done.returncode == 0, done.stderr
    first, _, rest = done.stdout.partition("\n")
    assert first == "joined by join"
    assert json.loads(rest) == {"sum": 15, "keys": [["double", "env"], ["env", "square"]]}
    assert log(script)["join"]["input"] == [{"double": 6}, {"square": 9}]


def test_a_task_takes_its_saved_input_first(tmp_path: Path) -> None:
    script = write(tmp_path, DIAMOND)
    run(script)
    logged = log(script)
    logged["join"]["input"] = [{"double": 100}, {"square": 1}]
    (tmp_path / "run.json").write_text(json.dumps(logged))
    done = run(script, "--task", "join")
    assert done.returncode == 0, done.stderr
    assert "its input saved in" in done.stderr
    assert log(script)["join"]["output"]["sum"] == 101
    assert log(script)["load"] == logged["load"]


def test_a_task_without_saved_input_takes_the_outputs_upstream(tmp_path: Path) -> None:
    script = write(tmp_path, DIAMOND)
    for name in ("load", "double", "square"):
        assert run(script, "--task", name).returncode == 0
    done = run(script, "--task", "join")
    assert "the output of double and square" in done.stderr
    assert log(script)["join"]["output"]["sum"] == 15


def test_a_folder_gives_each_parameter_its_file(tmp_path: Path) -> None:
    script = write(tmp_path, DIAMOND)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "2.json").write_text('{"square": 5}')
    (tmp_path / "in" / "1.json").write_text('{"double": 2}')
    (tmp_path / "in" / "notes.txt").write_text("no JSON")
    assert run(script, "--task", "join", "--input-data", "in").returncode == 0
    assert log(script)["join"]["input"] == [{"double": 2}, {"square": 5}]


def test_a_folder_is_merged_for_a_flow_and_stdin_is_read(tmp_path: Path) -> None:
    script = write(tmp_path, DIAMOND)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.json").write_text('{"n": 1, "a": 1}')
    (tmp_path / "in" / "b.json").write_text('{"n": 5}')
    run(script, "--input", "in")
    assert log(script)["load"]["input"] == {"n": 5, "a": 1}
    run(script, "--input", "-", stdin='{"n": 7}')
    assert log(script)["load"]["input"] == {"n": 7}


def test_a_job_has_its_own_input_and_run_log(tmp_path: Path) -> None:
    script = write(tmp_path, DIAMOND)
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "input.json").write_text('{"n": 4}')
    assert run(script, "--job", "job").returncode == 0
    assert log(script, "job/run.json")["load"]["input"] == {"n": 4}
    assert not (tmp_path / "run.json").exists()


def test_the_run_id_reaches_the_tasks(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        """
        from flowhub import flow, task

        @task(name="say-it", env={"LEVEL": 2})
        def say(args):
            print(*(args["env"][key] for key in ("project", "run_id", "task", "WORKSPACE", "LEVEL")))
            return args

        @flow(name="says", env={"default": {"WORKSPACE": "./here", "LEVEL": 1}})
        def main(args):
            return say(args)
        """,
    )
    assert run(script, "--id", "my-run-001").stdout == "says my-run-001 say-it ./here 2\n"


def test_functions_below_the_flow_and_a_package_beside_it(tmp_path: Path) -> None:
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "__init__.py").write_text("")
    (tmp_path / "my_package" / "processor.py").write_text("def process(n): return n + 1\n")
    script = write(
        tmp_path,
        """
        from flowhub import flow, task

        @task
        def one(args):
            from my_package.processor import process
            return {"n": process(below())}

        @flow
        def main(args):
            return one(args)

        def below():
            return 41
        """,
    )
    done = run(script, "--output", "-")
    assert json.loads(done.stdout) == {"n": 42}, done.stderr


def test_two_flows_in_one_file(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        """
        from flowhub import flow, task

        @task
        def one(args):
            print(args["env"]["project"])
            return args

        @flow(name="first")
        def a(args):
            return one(args)

        @flow(name="second")
        def b(args):
            return one(args)
        """,
    )
    assert run(script, "--flow", "second").stdout == "second\n"


def test_retries_are_seen(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        """
        import os
        from flowhub import flow, task

        @task(retries=2, retry_delay=0.01)
        def flaky(args):
            with open("calls", "a") as calls:
                calls.write("x")
            if os.path.getsize("calls") < 3:
                raise OSError("not yet")
            return args

        @flow
        def main(args):
            return flaky(args)
        """,
    )
    done = run(script)
    assert done.returncode == 0, done.stderr
    assert "flaky will be tried again in 0.01 s" in done.stderr
    assert (tmp_path / "calls").read_text() == "xxx"


def test_branches_run_side_by_side(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        """
        import os, time
        from flowhub import flow, task

        def meet(mine, other):
            open(mine, "w").close()
            until = time.monotonic() + 60
            while not os.path.exists(other):
                assert time.monotonic() < until, f"{other} never came"
                time.sleep(0.01)
            return {mine: True}

        @task
        def one(args):
            return meet("one", "two")

        @task
        def two(args):
            return meet("two", "one")

        @task
        def both(args):
            return {"both": args["one"] and args["two"]}

        @flow
        def main(args):
            return both(one(args), two(args))
        """,
    )
    done = run(script, "--output", "-")
    assert json.loads(done.stdout) == {"both": True}, done.stderr


def test_an_import_runs_nothing_and_never_reads_the_command_line(tmp_path: Path) -> None:
    write(tmp_path, CUSTOM)
    code = "import sys; sys.argv = ['x', '--amount', 'many', '--help']; import workflow; print(workflow.options.amount)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=60, check=False
    )
    assert done.stdout == "1\n", done.stderr


def test_another_script_may_import_a_workflow(tmp_path: Path) -> None:
    write(tmp_path, CUSTOM)
    script = write(tmp_path, "import workflow\nprint(workflow.options.amount)\n", "other.py")
    done = run(script, "--amount", "7", "--unheard-of")
    assert done.stdout == "1\n", done.stderr


def test_a_closed_pipe_is_no_traceback(tmp_path: Path) -> None:
    script = write(tmp_path, DIAMOND.replace('print("joined by"', 'print("x" * 500_000, "joined by"'))
    done = subprocess.run(
        f"{sys.executable} {script.name} | head -c 5",
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr


def test_export_reaches_an_installed_exporter(tmp_path: Path) -> None:
    info = tmp_path / "packages" / "sketch-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sketch\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[flowhub.exporters]\nsketch = sketch:export\nbroken = sketch:nothing\n")
    (tmp_path / "packages" / "sketch.py").write_text(
        "def export(runnable, profile, folder):\n    return [f'{runnable.pipeline.name} {profile} {folder}']\n"
    )
    script = write(tmp_path, GREETING)
    done = run(script, "--env", "airflow", "--export", "sketch", "--output", "dags", PYTHONPATH=str(info.parent))
    assert (done.returncode, done.stdout) == (0, "short-visit airflow dags\n"), done.stderr
    assert not (tmp_path / "run.json").exists()
    done = run(script, "--export", "sketsh", PYTHONPATH=str(info.parent))
    assert (done.returncode, done.stdout) == (2, "")
    assert "Did you mean 'sketch'?" in done.stderr


BY_DAY = """
    from flowhub import flow, task

    @task
    def tell(args):
        return args["env"]["partition"]

    @flow(partitions={"every": "daily", "start": "START", "timezone": "Asia/Seoul"})
    def by_day(args):
        return tell(args)
"""


def test_a_run_is_about_the_partition_that_is_named_or_the_last_one(tmp_path: Path) -> None:
    script = write(tmp_path, BY_DAY.replace("START", "2026-01-01"))
    named = run(script, "--partition", "2026-01-31", "--output", "out.json")
    assert named.returncode == 0, named.stderr
    told = json.loads((tmp_path / "out.json").read_text())
    assert told == {"key": "2026-01-31", "start": "2026-01-31T00:00:00+09:00", "end": "2026-02-01T00:00:00+09:00"}
    last = run(script, "--output", "out.json")
    assert last.returncode == 0, last.stderr
    assert f"partition {json.loads((tmp_path / 'out.json').read_text())['key']}" in last.stderr


def test_a_partition_that_is_none_is_refused(tmp_path: Path) -> None:
    script = write(tmp_path, BY_DAY.replace("START", "2026-01-01"))
    refused = run(script, "--partition", "2025-12-31")
    assert refused.returncode == 2
    assert "'2025-12-31' is no partition" in refused.stderr
    assert "The first is 2026-01-01." in refused.stderr
    early = run(write(tmp_path, BY_DAY.replace("START", "2999-01-01")))
    assert early.returncode == 2
    assert "no partition has ended yet" in early.stderr
    assert "--partition 2999-01-01" in early.stderr
    without = run(write(tmp_path, DIAMOND), "--partition", "2026-01-01")
    assert without.returncode == 2
    assert "pipeline 'diamond' has no partitions" in without.stderr
