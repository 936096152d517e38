"""``flowhub run PIPELINE`` and the verbs that follow a run, over a real Dagster: local, and over a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from flowhub_assets.cli import exit_codes
from flowhub_assets_tests.cli.live_runs import Live, live_runs

#: Several runs in one test: on a busy machine each takes its time to start.
pytestmark = pytest.mark.timeout(300)
HOW = pytest.mark.parametrize("how", ["local", "remote"])


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live_runs(tmp_path_factory.mktemp("live")) as live:
        yield live


@pytest.fixture
def held(live: Live) -> Iterator[Live]:
    """Runs with n=7 stop in their second step until the test ends, or BASE/go is there."""
    go = live.stack.base / "go"
    go.unlink(missing_ok=True)
    yield live
    go.touch()


def printed(live: Live, run_id: str, line: str) -> None:
    """Waits until a step of the run has said so."""
    live.wait(lambda: line in live.verb("logs", run_id).stdout, f"{line!r} of run {run_id}")


@HOW
def test_a_run_is_started_by_its_pipelines_name_and_waited_for(live: Live, how: str) -> None:
    done = live.verb("run", "steps", "--param", "n=4", "--wait", how=how)
    assert done.exit_code == exit_codes.SUCCESS, done.output
    assert json.loads(done.stdout) == {"result": 5}
    assert "http://dagster.test/runs/" in done.stderr


@HOW
def test_a_watched_run_shows_its_steps_and_their_lines(live: Live, how: str) -> None:
    done = live.verb("run", "steps", "--watch", how=how)
    assert done.exit_code == 0, done.output
    told = done.stderr.splitlines()
    order = ["first started", "first | first has 1", "first succeeded", "second started", "second | second begins"]
    assert [line for line in told if line in order] == order
    assert "run succeeded" in told
    assert json.loads(done.stdout) == {"result": 2}


@HOW
def test_a_failed_run_is_taken_up_where_it_failed(live: Live, how: str) -> None:
    (live.stack.base / "mended").unlink(missing_ok=True)
    done = live.verb("run", "steps", "--param", "n=3", "--watch", how=how)
    assert done.exit_code == exit_codes.FAILED, done.output
    assert "ValueError: three is not mended" in done.stderr.splitlines()[-1]
    (run,) = json_lines(live.verb("runs", "--limit", "1", "--json", how=how).stdout)
    assert run["status"] == "FAILURE"
    run_id = run["run_id"]
    second = live.verb("logs", run_id[:13], "second", how=how).stdout
    assert second.count("second begins") == 2
    assert live.verb("logs", run_id, "second", "--attempt", "2", how=how).stdout.count("second begins") == 1
    (live.stack.base / "mended").touch()
    again = live.verb("retry", run_id, "--from-failure", "--watch", how=how)
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout) == {"result": 4}
    assert "first" not in again.stderr.replace("first_", "")
    newest = json_lines(live.verb("runs", "--limit", "1", "--json", how=how).stdout)[0]
    assert newest["parent_run_id"] == run_id
    assert [step["step"] for step in live_view(live, newest["run_id"])] == ["second", "third"]


@HOW
def test_the_runs_of_a_pattern_are_waited_for_and_the_worst_tells_the_code(live: Live, how: str) -> None:
    (live.stack.base / "trained").unlink(missing_ok=True)
    done = live.verb("run", "matrix", "--partition", "small|*", "--wait", how=how)
    assert done.exit_code == exit_codes.FAILED, done.output
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [(row[0], row[2]) for row in rows] == [
        ("partition", "status"),
        ("small|good", "SUCCESS"),
        ("small|poor", "FAILURE"),
    ]
    assert "poor is not trained" in done.stderr
    (live.stack.base / "trained").touch()
    again = live.verb("retry", rows[2][1], "--from-failure", "--wait", how=how)
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout) == {"of": "small|poor"}
    column = live.verb("run", "matrix", "--partition", "model=poor", "--watch", how=how)
    assert column.exit_code == 0, column.output
    assert "large|poor: SUCCESS" in column.stderr
    one = live.verb("run", "matrix", "--partition", "large|good", "--wait", how=how)
    assert json.loads(one.stdout) == {"of": "large|good"}
    late = live.verb("run", "matrix", "--partition", "*", "--wait", "--timeout", "0", how=how)
    assert late.exit_code == exit_codes.TIMED_OUT
    assert len(late.stdout.splitlines()) == 5
    assert "The others go on after 0 s." in late.stderr


@HOW
def test_chosen_steps_are_taken_up_with_what_follows_them(live: Live, how: str) -> None:
    first = live.verb("run", "steps", "--param", "n=4", "--wait", how=how)
    assert first.exit_code == 0, first.output
    (run,) = json_lines(live.verb("runs", "--limit", "1", "--json", how=how).stdout)
    again = live.verb("retry", run["run_id"], "--step", "third", "--wait", how=how)
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout) == {"result": 5}
    newest = json_lines(live.verb("runs", "--limit", "1", "--json", how=how).stdout)[0]
    assert [step["step"] for step in live_view(live, newest["run_id"])] == ["third"]
    refused = live.verb("retry", run["run_id"], "--step", "thrid", how=how)
    assert refused.exit_code == exit_codes.REFUSED
    assert "Did you mean 'third'?" in refused.stderr
    whole = live.verb("retry", run["run_id"], "--from-failure", how=how)
    assert whole.exit_code == exit_codes.REFUSED
    assert "nothing of it has failed" in whole.stderr


@HOW
def test_a_run_is_cancelled_while_it_runs(held: Live, how: str) -> None:
    run_id = held.verb("run", "steps", "--param", "n=7", how=how).stdout.strip()
    printed(held, run_id, "second | second begins")
    asked = held.verb("retry", run_id, "--from-failure", how=how)
    assert asked.exit_code == exit_codes.REFUSED, asked.output
    assert "is STARTED" in asked.stderr
    done = held.verb("cancel", run_id, how=how)
    assert done.exit_code == 0, done.output
    assert done.stdout.split()[0] == run_id
    held.wait(lambda: status_of(held, run_id) == "CANCELED", "the end of the run")
    again = held.verb("cancel", run_id, how=how)
    assert again.exit_code == exit_codes.REFUSED
    assert "so it is over" in again.stderr


@HOW
def test_a_timeout_leaves_the_run_alone(held: Live, how: str) -> None:
    done = held.verb("run", "steps", "--param", "n=7", "--wait", "--timeout", "0.1", how=how)
    assert done.exit_code == exit_codes.TIMED_OUT, done.output
    assert done.stdout == ""
    assert "goes on after 0.1 s" in done.stderr
    (run,) = json_lines(held.verb("runs", "--limit", "1", "--json", how=how).stdout)
    assert f"flowhub cancel {run['run_id']}" in done.stderr
    (held.stack.base / "go").touch()
    held.wait(lambda: status_of(held, run["run_id"]) == "SUCCESS", "the end of the run")


@HOW
def test_a_log_is_followed_to_the_end_of_the_run(held: Live, how: str) -> None:
    run_id = held.verb("run", "steps", "--param", "n=7", how=how).stdout.strip()
    with held.process("logs", run_id, "third", "--follow") as third, held.process("logs", run_id, "-f") as whole:
        assert whole.stdout is not None
        while whole.stdout.readline() != "second | second begins\n":
            assert whole.poll() is None
        (held.stack.base / "go").touch()
        assert third.communicate(timeout=100)[0] == "third ends\n"
        assert whole.communicate(timeout=100)[0].splitlines()[-1] == "run succeeded"
    assert held.verb("logs", run_id, "third", "--follow", how=how).stdout == "third ends\n"


def test_a_watcher_who_presses_ctrl_c_leaves_the_run_alone(held: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    def press(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("flowhub_assets.cli.watching.time.sleep", press)
    done = held.verb("run", "steps", "--param", "n=7", "--watch", how="local")
    assert done.exit_code == exit_codes.INTERRUPTED, done.output
    assert "goes on. See it: flowhub logs" in done.stderr
    monkeypatch.undo()
    (run,) = json_lines(held.verb("runs", "--limit", "1", "--json").stdout)
    assert run["status"] in ("QUEUED", "STARTING", "STARTED")


def json_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def live_view(live: Live, run_id: str) -> list[dict[str, Any]]:
    import httpx

    steps: list[dict[str, Any]] = httpx.get(f"{live.url}/api/v1/runs/{run_id}", timeout=60).json()["steps"]
    return steps


def status_of(live: Live, run_id: str) -> str:
    run = live.backend.instance.get_run_by_id(run_id)
    assert run is not None
    return str(run.status.value)
