"""Workflow scripts run as FlowHub's README says."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from flowhub_assets_tests.from_python.script_runs import EXAMPLES, log, run, write

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


def example(name: str, folder: Path) -> Path:
    return Path(shutil.copy(EXAMPLES / f"{name}.py.txt", folder / "workflow.py"))


def test_the_quick_start(tmp_path: Path) -> None:
    script = example("quick_start", tmp_path)
    (tmp_path / "data.json").write_text('{"data": "값"}', encoding="utf-8")
    done = run(script, "--env", "default", "--input", "data.json", "--output", "out/result.json")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Step 1 실행\nStep 2 실행: done\n"
    step1 = {"data": "값", "step1_result": "done"}
    step2 = {**step1, "step2_result": "done"}
    assert log(script) == {
        "step1": {"input": {"data": "값"}, "output": step1},
        "step2": {"input": step1, "output": step2},
    }
    assert json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8")) == step2
    assert "my-workflow succeeded in" in done.stderr
    assert str(tmp_path / "run.json") in done.stderr
    assert str(tmp_path / "out" / "result.json") in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "__pycache__") == [
        "data.json",
        "out",
        "run.json",
        "workflow.py",
    ]


def test_one_task_of_a_job(tmp_path: Path) -> None:
    script = example("quick_start", tmp_path)
    done = run(script, "--job", "./tmp/my-job", "--task", "step1")
    assert done.returncode == 0, done.stderr
    assert "made the job's folder ./tmp/my-job" in done.stderr
    assert list(log(script, "tmp/my-job/run.json")) == ["step1"]
    done = run(script, "--job", "./tmp/my-job", "--task", "step2")
    assert done.stdout == "Step 2 실행: done\n"
    assert list(log(script, "tmp/my-job/run.json")) == ["step1", "step2"]


def test_custom_arguments(tmp_path: Path) -> None:
    script = example("custom_arguments", tmp_path)
    assert run(script, "--env", "default", "--my-option", "hello", "--count", "5").stdout == "count: 5\n"
    assert run(script).stdout == "count: 1\n"
    help_text = run(script, "--help")
    assert help_text.returncode == 0
    for word in ("--my-option", "--count", "--env", "--input", "--input-data", "--task", "--job", "--export", "--id"):
        assert word in help_text.stdout


def test_failure_handling(tmp_path: Path) -> None:
    script = example("failure_handling", tmp_path)
    done = run(script)
    assert done.returncode == 1
    assert done.stdout.startswith("Task breaks 실패\nTraceback (most recent call last):\n")
    assert done.stdout.count("실패") == 1
    for text in (done.stdout, done.stderr):
        assert 'workflow.py", line 21, in read' in text
        assert "RuntimeError: cannot log in with ***" in text
        assert "flowhub_assets" not in text
        assert "very-secret-value" not in text
    assert f"{script}:21: task 'breaks' failed" in done.stderr
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
            until = time.monotonic() + 20
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
    example("custom_arguments", tmp_path)
    code = "import sys; sys.argv = ['x', '--count', 'many', '--help']; import workflow; print(workflow.args.count)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=60, check=False
    )
    assert done.stdout == "1\n", done.stderr


def test_another_script_may_import_a_workflow(tmp_path: Path) -> None:
    example("custom_arguments", tmp_path)
    script = write(tmp_path, "import workflow\nprint(workflow.args.count)\n", "other.py")
    done = run(script, "--count", "7", "--unheard-of")
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
    script = example("quick_start", tmp_path)
    done = run(script, "--env", "airflow", "--export", "sketch", "--output", "dags", PYTHONPATH=str(info.parent))
    assert (done.returncode, done.stdout) == (0, "my-workflow airflow dags\n"), done.stderr
    assert not (tmp_path / "run.json").exists()
    done = run(script, "--export", "sketsh", PYTHONPATH=str(info.parent))
    assert (done.returncode, done.stdout) == (2, "")
    assert "Did you mean 'sketch'?" in done.stderr
