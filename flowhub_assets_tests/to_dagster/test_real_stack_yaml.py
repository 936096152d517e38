"""Pipeline files in the whole of Dagster as ``make dev`` starts it: launched, cancelled and killed as by its UI."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowhub_assets_tests.to_dagster.dagster_stack import Stack, dagster_stack, stack_environment
from flowhub_assets_tests.to_dagster.stack_pipelines import FILES

# One stack for the whole file: one process runs all its tests, in order.
pytestmark = pytest.mark.timeout(280)

INVALID = "{ assetNodes { assetKey { path } description } }"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with dagster_stack(tmp_path_factory.mktemp("yaml"), FILES) as stack:
        yield stack


@pytest.fixture(scope="module")
def early(stack: Stack) -> dict[str, str]:
    """Runs that are started together, for they take their time; each has its own test."""
    return {
        "refused": stack.run("orders", config=params(city="Soul", code="KR")),
        "orders": stack.run("orders", config=params(count=3, code="KR")),
        "fused": stack.run("fused"),
        "fails": stack.run("fails"),
        "serial": stack.run("serial"),
        "serial again": stack.run("serial"),
    }


def params(**given: Any) -> dict[str, Any]:
    return {"resources": {"params": {"config": given}}}


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def lines(events: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """What nodes have logged: step, level, message."""
    logged = [event for event in events if event["__typename"] == "LogMessageEvent"]
    return [(event["stepKey"], event["level"], event["message"]) for event in logged if event["stepKey"]]


def test_branches_a_loop_and_logs_of_a_run(stack: Stack, early: dict[str, str]) -> None:
    run_id = early["orders"]
    assert stack.end_of(run_id) == "SUCCESS"
    assert stack.steps(run_id, "STEP_SKIPPED") == ["far"]
    assert stack.steps(run_id, "STEP_SUCCESS") == [
        "each", "each__each[0]", "each__each[1]", "each__each[2]", "each__items", "is_seoul", "join", "make_list",
        "near", "sweep",
    ]  # fmt: skip
    events = stack.events(run_id)
    logged = lines(events)
    assert ("make_list", "INFO", "making 3 orders") in logged
    assert ("make_list", "WARNING", "for Seoul") in logged
    assert ("each__each[1]", "INFO", "say: item 1") in logged
    (output,) = [e for e in events if e["__typename"] == "ExecutionStepOutputEvent" and e["stepKey"] == "join"]
    shown = {entry["label"]: entry for entry in output["metadataEntries"]}
    assert "false true [0, 2, 4]" in shown["preview"]["mdStr"]
    saved = stack.base / "files/orders/runs" / run_id / "join.json"
    assert shown["saved as"]["path"] == str(saved)
    assert read(saved) == {"result": "false true [0, 2, 4]"}
    assert "KR\n" in (stack.base / "sweep.notes").read_text()


@pytest.mark.parametrize(("given", "told"), [
    ({"count": "many", "code": "KR"}, "resources:params:config:count"),
    ({"count": 3}, 'Missing required config entry "code"'),
    ({"coat": 3, "code": "KR"}, '"coat"'),
])  # fmt: skip
def test_params_of_a_wrong_type_or_missing_are_refused_before_a_run_exists(
    stack: Stack, given: dict[str, Any], told: str
) -> None:
    launched = stack.launch("orders", config=params(**given))
    assert launched["__typename"] == "RunConfigValidationInvalid"
    assert told in launched["errors"][0]["message"]


def test_a_param_that_breaks_its_schema_ends_the_run_before_a_node_runs(stack: Stack, early: dict[str, str]) -> None:
    run_id = early["refused"]
    assert stack.end_of(run_id) == "FAILURE"
    assert stack.steps(run_id, "STEP_OUTPUT") == stack.steps(run_id, "STEP_UP_FOR_RETRY") == []
    (failure,) = stack.events(run_id, "STEP_FAILURE")
    told = failure["failureMetadata"]["description"]
    assert "orders.yaml:5: param 'city' is 'Soul', not one of 'Seoul' and 'Busan': did you mean 'Seoul'?" in told
    # The daemon looks for failed runs every 10 seconds: what it starts is looked at further below.


def test_children_that_die_and_nodes_that_are_late(stack: Stack, early: dict[str, str]) -> None:
    run_id = early["fails"]
    assert stack.end_of(run_id) == "FAILURE"
    assert stack.steps(run_id, "STEP_FAILURE") == ["fails"]
    assert stack.steps(run_id, "STEP_UP_FOR_RETRY") == ["dies_once"]
    assert ("told", "INFO", "2 ScriptFailed TaskTimedOut TaskTimedOut") in lines(stack.events(run_id))


def test_light_nodes_in_one_step_before_a_heavy_one_that_is_killed_once(stack: Stack, early: dict[str, str]) -> None:
    run_id = early["fused"]
    assert stack.end_of(run_id) == "SUCCESS"
    assert stack.steps(run_id, "STEP_SUCCESS") == ["a__and_2_more", "d", "heavy"]
    assert stack.steps(run_id, "STEP_UP_FOR_RETRY") == ["heavy"]
    assert read(stack.base / "files/fused/runs" / run_id / "d.json") == {"result": "first 2!"}
    logged = lines(stack.events(run_id))
    assert ("a__and_2_more", "INFO", "c: first") in logged
    # Of the first try the process was killed that would have told what its child had printed.
    told = [line for line in logged if line[0] == "heavy"]
    assert told[-2:] == [("heavy", "INFO", "heavy prints"), ("heavy", "WARNING", "heavy warns")]


def test_runs_wait_as_their_pipeline_says(stack: Stack, early: dict[str, str]) -> None:
    runs = [early["serial"], early["serial again"]]
    assert [stack.end_of(run_id) for run_id in runs] == ["SUCCESS", "SUCCESS"]
    tags = [{tag["key"]: tag["value"] for tag in run["tags"]} for run in stack.runs_of("serial")]
    wanted = {"flowhub/at_most_1": "serial", "dagster/priority": "3", "flowhub/queue": "nightly"}.items()
    assert [one.items() >= wanted for one in tags] == [True, True]
    begun, ended = (
        [int(stack.events(run_id, kind)[0]["timestamp"]) for run_id in runs] for kind in ("RUN_START", "RUN_SUCCESS")
    )
    assert max(begun) >= min(ended)


def test_assets_are_materialised_and_checked(stack: Stack) -> None:
    for rows, told in ((3, "SUCCEEDED"), (1, "FAILED")):
        (stack.base / "rows").write_text(str(rows))
        run_id = stack.run("__ASSET_JOB", assets=[["reports", "rows"], ["reports", "daily"]])
        assert stack.end_of(run_id) == "SUCCESS"
        assert stack.steps(run_id, "ASSET_MATERIALIZATION") == ["tables__graph.report", "tables__graph.rows"]
        assert stack.check_status(["reports", "rows"]) == told
        assert read(stack.base / "files/tables/latest/report.json") == {"result": {"n": rows}}


def test_a_run_that_is_terminated_leaves_no_process(stack: Stack) -> None:
    run_id = stack.run("long")
    files = [stack.base / f"{name}.pid" for name in ("sleep", "heavy", "nap1", "nap2")]
    stack.wait(lambda: all(file.exists() and file.read_text() for file in files), "the sleeping nodes")
    pids = [stack.run_worker(run_id), *(int(file.read_text()) for file in files)]
    stack.terminate(run_id)
    assert stack.end_of(run_id, 20) == "CANCELED"
    stack.wait(lambda: not any(map(alive, pids)), "the end of their processes", 10)
    assert not (stack.base / "nap3.pid").exists()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_run_whose_worker_was_killed_goes_on_where_it_was(stack: Stack) -> None:
    def counts() -> dict[str, str]:
        return {path.stem: path.read_text() for path in stack.base.glob("*.count") if path.stem != "dies-once"}

    done = ["each__each[0]", "each__each[1]", "each__each[3]", "each__items", "heads", "is_heads", "toss"]
    run_id = stack.run("killed")
    stack.wait(lambda: stack.steps(run_id, "STEP_SUCCESS") == done, f"of run {run_id} all but the item that waits")
    stack.wait(lambda: "step2" in counts(), "the item that waits")
    os.kill(stack.run_worker(run_id), signal.SIGKILL)
    assert stack.end_of(run_id) == "FAILURE"
    once = dict.fromkeys(("toss", "step0", "step1", "step2", "step3"), "x")
    assert counts() == once
    (stack.base / "released").touch()
    again = stack.run_again(run_id)
    assert stack.end_of(again) == "SUCCESS"
    assert counts() == {**once, "step2": "xx"}
    assert stack.steps(again, "STEP_SUCCESS") == ["each", "each__each[2]", "end"]
    assert read(stack.base / "files/killed/runs" / again / "end.json") == {"result": "[0, 10, 20, 30] heads true"}


def test_children_in_a_pool_beside_many_light_nodes(stack: Stack) -> None:
    command = ["-m", "dagster", "instance", "concurrency", "set", "narrow", "2"]
    subprocess.run([sys.executable, *command], env=stack_environment(stack.base), check=True, timeout=60)
    run_id = stack.run("many")
    assert stack.end_of(run_id) == "SUCCESS"
    assert len(stack.steps(run_id, "STEP_SUCCESS")) == 87
    spans = [read(file)["result"] for file in (stack.base / "files/many/runs" / run_id).glob("p*.json")]
    assert len(spans) == 6
    assert max(sum(start <= moment < end for start, end in spans) for moment, _ in spans) <= 2


def invalid(stack: Stack) -> dict[str, str]:
    """File → what its red asset says."""
    nodes = stack.ask(INVALID)["assetNodes"]
    found = {
        node["assetKey"]["path"][-1]: node["description"] for node in nodes if node["assetKey"]["path"][0] == "_invalid"
    }
    return {name: text.replace(f"{stack.workflows}/", "") for name, text in found.items()}


def test_files_that_do_not_load_say_where_and_why_and_are_seen_when_they_change(stack: Stack) -> None:
    told = invalid(stack)
    assert sorted(told) == ["b_flow", "b_kinds", "misspelt", "twice_2"]
    assert "misspelt.yaml:5:19: node 'a': there is no kind of node 'lgo'" in told["misspelt"]
    assert "Did you mean 'log'?" in told["misspelt"]
    assert "Note has the name 'note' of Note at a_kinds.py:5" in told["b_kinds"]
    assert "twice-2.yaml:1: a second pipeline is named 'twice'" in told["twice_2"]
    assert "Give one of them another name: metadata: {name: ...}." in told["twice_2"]
    assert "a second pipeline is named 'of-both'" in told["b_flow"]
    files = stack.workflows
    for name, old, new in (("misspelt.yaml", "lgo", "log"), ("twice-2.yaml", "twice", "thrice")):
        (files / name).write_text((files / name).read_text().replace(old, new))
    for name in ("a_kinds.py", "b_kinds.py"):
        (files / name).rename(files / f"{name}.off")
    stack.reload()
    told = invalid(stack)
    assert sorted(told) == ["b_flow", "failing", "killed", "orders"], "the kind is gone"
    assert "orders.yaml:37:30: node 'alarm'" in told["orders"]
    assert "there is no kind of node 'note'" in told["orders"]
    (files / "a_kinds.py.off").rename(files / "a_kinds.py")
    stack.reload()
    assert sorted(invalid(stack)) == ["b_flow"]
    runs = [stack.run(job) for job in ("misspelt", "thrice")]
    assert [stack.end_of(run_id) for run_id in runs] == ["SUCCESS", "SUCCESS"]


def test_failed_runs_were_told_and_tidied_up_once(stack: Stack) -> None:
    for name in ("alarm", "alarm-of-fails", "sweep-of-fails"):
        stack.wait((stack.base / f"{name}.notes").exists, f"{name} of a failed run")
    assert (stack.base / "alarm-of-fails.notes").read_text().startswith("fails: no good: 2 ScriptFailed")
    (alarm,) = (stack.base / "alarm.notes").read_text().splitlines()
    assert alarm.startswith("make-list: param 'city' is 'Soul'")
    stack.wait(lambda: (stack.base / "sweep.notes").read_text() == "KR\nKR\n", "the end of the refused run")
    assert (stack.base / "sweep-of-fails.notes").read_text() == "swept\n"
