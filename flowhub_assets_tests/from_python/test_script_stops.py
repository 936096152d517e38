"""A script that is killed, interrupted or runs out of time leaves a valid run log and no process."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from flowhub_assets_tests.from_python.script_runs import appears, begin, is_gone, log, run, write

#: Three tasks in a row; the second one hangs, with a child of its own, until the file 'go' exists.
HANGS = """
    import os, subprocess, time
    from flowhub import flow, task

    def count(name):
        with open("calls", "a") as calls:
            calls.write(name + "\\n")

    @task
    def first(args):
        count("first")
        return {"first": args.get("x")}

    @task
    def second(args):
        count("second")
        if not os.path.exists("go"):
            sleeper = subprocess.Popen(["sleep", "300"])
            with open("pids", "w") as pids:
                pids.write(f"{os.getpid()} {sleeper.pid}\\n")
            time.sleep(300)
        return {**args, "second": True}

    @task
    def third(args, given):
        count("third")
        return {**args, "third": given["x"]}

    @flow(params={"x": 0})
    def main(args):
        return third(second(first(args)), args)
"""


def test_after_sigkill_resume_runs_nothing_twice(tmp_path: Path) -> None:
    script = write(tmp_path, HANGS)
    (tmp_path / "in.json").write_text('{"x": 7}')
    process = begin(script, "--input", "in.json")
    child, grandchild = map(int, appears(tmp_path / "pids").split())
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    assert is_gone(child)
    assert is_gone(grandchild)
    assert log(script) == {"first": {"input": {"x": 7}, "output": {"first": 7}}, "second": {"input": {"first": 7}}}
    (tmp_path / "go").touch()
    done = run(script, "--resume", "--output", "-")
    assert done.returncode == 0, done.stderr
    assert done.stdout == '{\n  "first": 7,\n  "second": true,\n  "third": 7\n}\n'
    assert (tmp_path / "calls").read_text().split() == ["first", "second", "second", "third"]
    assert "2 tasks, 1 kept from the run log" in done.stderr
    again = run(script, "--resume", "--output", "-")
    assert again.stdout == done.stdout
    assert (tmp_path / "calls").read_text().split() == ["first", "second", "second", "third"]


def test_the_saved_input_of_a_killed_task_can_be_taken(tmp_path: Path) -> None:
    script = write(tmp_path, HANGS)
    process = begin(script)
    appears(tmp_path / "pids")
    process.kill()
    process.communicate(timeout=30)
    (tmp_path / "go").touch()
    done = run(script, "--task", "second")
    assert done.returncode == 0, done.stderr
    assert log(script)["second"]["output"] == {"first": 0, "second": True}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_children_and_grandchildren(number: signal.Signals, code: int, tmp_path: Path) -> None:
    script = write(tmp_path, HANGS)
    process = begin(script)
    child, grandchild = map(int, appears(tmp_path / "pids").split())
    process.send_signal(number)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == code, stderr
    assert is_gone(child)
    assert is_gone(grandchild)
    assert "Traceback" not in stderr
    assert "--resume" in stderr
    assert log(script)["first"]["output"] == {"first": 0}
    assert log(script)["second"] == {"input": {"first": 0}}


def test_ctrl_c_stops_a_single_task(tmp_path: Path) -> None:
    script = write(tmp_path, HANGS)
    run(script, "--task", "first")
    process = begin(script, "--task", "second")
    appears(tmp_path / "pids")
    # A terminal's Ctrl-C goes to all that the script has started.
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert log(script)["second"] == {"input": {"first": 0}}


def test_a_timeout_is_a_failure(tmp_path: Path) -> None:
    script = write(tmp_path, HANGS.replace("@task\n    def second", "@task(timeout=1)\n    def second"))
    done = run(script)
    assert done.returncode == 1
    assert "task 'second' ran longer than its timeout of 1 s" in done.stderr
    assert is_gone(int((tmp_path / "pids").read_text().split()[1]))


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("os.kill(os.getpid(), 9)", "killed by SIGKILL"),
        ("os._exit(3)", "exit status 3"),
        ("raise SystemExit(4)", "called sys.exit(4)"),
    ],
)
def test_a_crash_is_told_and_on_failure_still_runs(statement: str, message: str, tmp_path: Path) -> None:
    script = write(
        tmp_path,
        f"""
        import os
        from flowhub import flow, task

        @task
        def tell(args):
            print("told:", args["failed_task"], args["error_type"])
            return args

        @task
        def breaks(args):
            {statement}

        @flow(on_failure=tell)
        def main(args):
            return breaks(args)
        """,
    )
    done = run(script)
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stdout.startswith("told: breaks ")
