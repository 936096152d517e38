"""Steps of a flow in pods of a Python that has nothing installed: what comes out is what the local runtime gives."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from flowhub_assets.runtime.pod_values import LARGEST
from flowhub_assets_tests.pods.bare_pods import Export, bare_python, ended, export, noise
from flowhub_assets_tests.s3_server import S3Server, shared_s3

__all__ = ["shared_s3"]

FLOW = """\
import os, sys, time

from flowhub import flow, get_parser, parse_args, show, task

parser = get_parser()
parser.add_argument("--count", type=int, default=1)
count = parse_args(parser).count


@task
def load(args):
    print("loading", args.get("name"))
    return {**args, "count": count, "argv": sys.argv[1:], "env": {k: v for k, v in args["env"].items() if k != "KEY"}}


@task
def seen(args):
    env = args.pop("env")
    return {"seen": args, "env_of_task": sorted(env.items())}


@task(env={"MINE": 1}, retries=2, retry_on=[ValueError])
def fails(args):
    helper(args)


def helper(args):
    kind = {"ValueError": ValueError, "KeyError": KeyError}[args["kind"]]
    raise kind(f"bad {args['kind']}: {args['env'].get('ACCESS_KEY')}")


@task
def decide(args):
    return args["n"] > 0


@task
def on_true(args):
    return {"took": "true", **args}


@task
def on_false(args):
    return {"took": "false", **args}


@task
def number(args):
    if args["item"] == "bad":
        raise ValueError("no number")
    return {"n": args["item"] * 10, "at": args["index"]}


@task
def total(args):
    return {"total": sum(one["n"] for one in args["items"])}


@task(timeout=1)
def sleeps(args):
    time.sleep(300)


@task
def dies(args):
    os.kill(os.getpid(), 9)


@task
def waits(args):
    open(args["path"], "w").close()
    time.sleep(300)


@task
def large(args):
    return {"text": "x" * args["size"]}


@task
def missing(args):
    import not_installed_here


@task
def 한글(args):
    return {"값": args["값"] + "!"}


@task
def shows(args):
    show("accuracy", 0.93)
    show("rows", [{"이름": "a", "n": 1}])
    show("picture", b"\\x89PNG\\r\\n\\x1a\\n")
    return {}


@task
def environment(args):
    return {"names": sorted(name for name in os.environ if name.startswith("FLOWHUB"))}


def note(args):
    print("noted")
    return {"told": {name: value for name, value in args.items() if name != "env"}}


@flow(name="flow", params={"n": 1}, env={"airflow": {"KEY": "v"}}, on_failure=note)
def main(args):
    got = load(args)
    choice = decide.branch(got)
    seen(on_true(choice.true), on_false(choice.false))
    total(number.map(got, over="items"))
    for one in (fails, sleeps, dies, waits, large, missing, 한글, shows, environment):
        one(got)
    return got
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    return bare_python(tmp_path_factory.mktemp("python"))


@pytest.fixture
def flow(tmp_path: Path, python: str) -> Export:
    return export(tmp_path, python, {"workflow.py": FLOW}, profile={"KEY": "v"})


def test_a_value_travels_in_the_document_and_args_are_those_of_a_local_run(flow: Export) -> None:
    first = flow.run("task", "load", given={"name": "값", "n": 5})
    assert first.document == {"value": {"n": 5, "name": "값", "count": 1, "argv": []}}
    assert "loading 값" in first.log
    assert "flowhub: flow, run run-1, load, profile airflow" in first.log
    second = flow.run(
        "task", "on_true", outputs={"decide": {"value": {"port": "true"}, "port": "true"}, "load": first.document}
    )
    assert second.value == {"took": "true", **first.value}
    third = flow.run("task", "seen", outputs={"on_true": second.document}, skipped=["on_false"])
    assert third.value == {
        "seen": second.value,
        "env_of_task": [
            ["KEY", "v"],
            ["WORKSPACE", "./tmp"],
            ["project", "flow"],
            ["run_id", "run-1"],
            ["task", "seen"],
        ],
    }


HOSTILE = {
    "quotes": "'\"`\\",
    "lines": "a\nb\r\n\x1b[0m\t",
    "template": "{{ dag.x }} {% raw %}",
    "shell": "$(HOME) ${x} $$ `id`",
}


def test_hostile_and_long_input_arrives_as_it_is(flow: Export) -> None:
    given = {**HOSTILE, "long": noise(300 * 1024), "": "no name", "n": 2**60}
    first = flow.run(
        "task", "seen", outputs={"on_true": {"value": given}}, skipped=["on_false"], run_id="$(HOME)'; {{x}} 한글"
    )
    assert first.failure["error"].startswith("the value of task 'seen' has 3")
    second = flow.run("task", "on_true", outputs={"load": {"value": HOSTILE}}, run_id="$(HOME)'; {{x}} 한글")
    assert second.value == {"took": "true", **HOSTILE}
    assert "run $(HOME)'; {{x}} 한글, on_true" in second.log


def test_a_value_that_is_too_large_names_the_way_out(flow: Export) -> None:
    fits = LARGEST - len(json.dumps({"text": ""}))
    assert len(flow.run("task", "large", outputs={"load": {"value": {"size": fits}}}).value["text"]) == fits
    failure = flow.run("task", "large", outputs={"load": {"value": {"size": fits + 1}}}).failure
    assert "49,153 bytes as JSON" in failure["error"]
    assert failure["error_type"] == "ProfileError"
    assert failure["retry"] is False
    assert "profile that has BUCKET" in flow.run("task", "large", outputs={"load": {"value": {"size": 50_000}}}).log


def test_the_scripts_own_arguments_travel(tmp_path: Path, python: str) -> None:
    flow = export(tmp_path, python, {"workflow.py": FLOW}, argv=["--count", "7"])
    assert flow.run("task", "load").value == {"n": 1, "count": 7, "argv": ["--count", "7"]}


def test_a_failure_has_the_users_traceback_and_none_of_ours(flow: Export) -> None:
    ended = flow.run("task", "fails", outputs={"load": {"value": {"kind": "ValueError"}}}, last=False)
    failure = ended.failure
    assert (failure["failed_task"], failure["error"], failure["error_type"]) == (
        "fails",
        "bad ValueError: None",
        "ValueError",
    )
    assert failure["retry"] is True
    assert "in helper\n    raise kind(" in failure["traceback"]
    assert "flowhub_assets" not in failure["traceback"]
    assert failure["traceback"] in ended.log
    assert "workflow.py" in ended.log


def test_an_error_that_no_retry_helps_says_so(flow: Export) -> None:
    assert flow.run("task", "fails", outputs={"load": {"value": {"kind": "KeyError"}}}).failure["retry"] is False
    failure = flow.run("task", "missing", outputs={"load": {"value": {}}}).failure
    assert failure["error"] == "No module named 'not_installed_here'"


def test_timeouts_and_kills_are_those_of_a_local_run(flow: Export) -> None:
    late = flow.run("task", "sleeps", outputs={"load": {"value": {}}}).failure
    assert (late["error_type"], late["retry"]) == ("TaskTimedOut", True)
    assert "longer than its timeout of 1 s" in late["error"]
    killed = flow.run("task", "dies", outputs={"load": {"value": {}}}).failure
    assert (killed["error_type"], killed["retry"]) == ("TaskKilled", True)


def test_a_pod_that_is_told_to_end_stops_its_task_and_says_so(flow: Export, tmp_path: Path) -> None:
    result, sign = tmp_path / "pod" / "return.json", tmp_path / "begun"
    order = {"part": "task", "tasks": ["waits"], "outputs": {"load": {"value": {"path": str(sign)}}}}
    process = flow.started(result, **order)
    last = time.monotonic() + 60
    while not sign.exists() and time.monotonic() < last:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    told = ended(process, result)
    assert told.code == 128 + signal.SIGTERM
    assert told.document is not None
    assert told.document["failure"]["error_type"] == "TaskCancelled"
    assert told.document["failure"]["retry"] is True


@pytest.mark.parametrize(("n", "port"), [(1, "true"), (0, "false")])
def test_a_decision_is_told_beside_its_value(flow: Export, n: int, port: str) -> None:
    assert flow.run("task", "decide", outputs={"load": {"value": {"n": n}}}).document == {
        "value": {"port": port},
        "port": port,
    }


def test_a_loop_is_a_list_its_iterations_and_whoever_reads_it(flow: Export) -> None:
    load = {"value": {"items": [3, 1], "x": "y"}}
    listed = flow.run("items", "number", outputs={"load": load})
    assert listed.document == {
        "value": {"items": [{"n": 1, "x": "y", "item": 3, "index": 0}, {"n": 1, "x": "y", "item": 1, "index": 1}]},
        "items": 2,
    } or listed.document == {
        "value": {"items": [{"x": "y", "item": 3, "index": 0}, {"x": "y", "item": 1, "index": 1}]},
        "items": 2,
    }
    made = [
        flow.run("iteration", "number", index=index, outputs={"load": load, "number/items": listed.document}).document
        for index in range(2)
    ]
    assert made == [{"value": {"result": {"n": 30, "at": 0}}}, {"value": {"result": {"n": 10, "at": 1}}}]
    loop = {"loop": {"into": "items", "items": listed.document, "results": made}}
    assert flow.run("task", "total", outputs={"number": loop}).value == {"total": 40}


def test_an_item_that_fails_says_which(flow: Export) -> None:
    listed = {"value": {"items": [{"item": 1, "index": 0}, {"item": "bad", "index": 1}]}, "items": 2}
    ended = flow.run("iteration", "number", index=1, outputs={"load": {"value": {}}, "number/items": listed})
    assert ended.failure["failed_task"] == "number"
    assert ended.failure["error"] == "item 1: no number"
    assert "raise ValueError" in ended.failure["traceback"]


def test_there_is_no_list_to_loop_over(flow: Export) -> None:
    assert flow.run("items", "number", outputs={"load": {"value": {}}}).failure["error_type"] == "ValueRefused"


def test_on_failure_is_told_what_failed(flow: Export) -> None:
    failure = {
        "failed_task": "fails",
        "error": "값 {{x}}",
        "error_type": "ValueError",
        "traceback": "a\nb",
        "retry": True,
    }
    assert flow.run("failure", "note", given={"n": 3}, failure=failure).value == {
        "told": {"n": 3, "failed_task": "fails", "error": "값 {{x}}", "error_type": "ValueError", "traceback": "a\nb"}
    }
    # Of a pod that was never started no more is known.
    assert flow.run("failure", "note", failure={"failed_task": "fails"}).value["told"]["traceback"] == ""


def test_korean_names(flow: Export) -> None:
    assert flow.run("task", "한글", outputs={"load": {"value": {"값": "네"}}}).value == {"값": "네!"}


def test_what_a_task_shows_is_in_the_log(flow: Export) -> None:
    log = flow.run("task", "shows", outputs={"load": {"value": {}}}).log
    assert "flowhub: accuracy: 0.93\n" in log
    assert 'flowhub: rows: \n{"이름": "a", "n": 1}\n' in log
    assert "flowhub: picture: a picture of 8 bytes" in log


def test_the_order_is_not_left_in_the_environment_of_a_task(flow: Export) -> None:
    given = {"value": {"long": "x" * 200_000}}
    assert flow.run("task", "environment", outputs={"load": given}).value == {"names": []}


def test_a_bucket_carries_the_values(tmp_path: Path, python: str, shared_s3: S3Server) -> None:
    profile: dict[str, Any] = shared_s3.env()
    secret = {name: profile.pop(name) for name in ("ACCESS_KEY", "SECRET_KEY")}
    profile |= {name: {"env": f"MY_{name}"} for name in secret}
    flow = export(tmp_path, python, {"workflow.py": FLOW}, profile=profile)
    flow = flow.given(**{f"MY_{name}": value for name, value in secret.items()})
    first = flow.run("task", "load", given={"items": [1, 2], "text": "값" * 100_000})
    assert first.document == {"url": "s3://bucket/flow/runs/run-1/load.json"}, first.log
    listed = flow.run("items", "number", outputs={"load": first.document})
    assert listed.document == {"url": "s3://bucket/flow/runs/run-1/number/items.json", "items": 2}
    outputs = {"load": first.document, "number/items": listed.document}
    made = [flow.run("iteration", "number", index=index, outputs=outputs).document for index in range(2)]
    assert made[1] == {"url": "s3://bucket/flow/runs/run-1/number/1.json"}
    for results in ({"results": made}, {"count": 2}):
        loop = {"loop": {"into": "items", "items": listed.document, **results}}
        ended = flow.run("task", "total", outputs={"number": loop})
        assert ended.document == {"url": "s3://bucket/flow/runs/run-1/total.json"}, ended.log
        saved = shared_s3.folder / "bucket" / "flow" / "runs" / "run-1" / "total.json"
        assert json.loads(saved.read_text("utf-8")) == {"total": 30}
    failure = flow.run("task", "fails", outputs={"load": {"value": {"kind": "ValueError"}}})
    assert failure.failure["error"] == "bad ValueError: ***"
    assert not any(value in failure.log for value in secret.values())


def test_a_missing_secret_names_what_to_create(tmp_path: Path, python: str) -> None:
    profile = {
        "BUCKET": "b",
        "ACCESS_KEY": {"env": "ACCESS_KEY"},
        "SECRET_KEY": {"env": "SECRET_KEY"},
        "DEEP": [{"env": "X"}],
    }
    ended = export(tmp_path, python, {"workflow.py": FLOW}, profile=profile).given(ACCESS_KEY="id").run("task", "load")
    assert "kubectl create secret generic flow-secrets --from-literal=SECRET_KEY=... --from-literal=X=..." in ended.log
    assert (ended.failure["error_type"], ended.failure["retry"]) == ("ProfileError", False)


@pytest.mark.parametrize(
    ("order", "told"),
    [
        ({"part": "task", "tasks": ["lod"]}, "has no task 'lod'"),
        ({"part": "all", "tasks": ["load"]}, "asks for the part 'all'"),
        ({"part": "task", "tasks": []}, "FLOWHUB_STEP has no tasks"),
        ({"part": "task", "tasks": ["load"], "given": {"unknown": 1}, "x": 1}, "FLOWHUB_STEP has 'x'"),
        ({"part": "items", "tasks": ["load"]}, "task 'load' has no loop"),
        ({"part": "task", "tasks": ["seen"]}, "needs the output of 'on_true', 'on_false', which was not saved"),
    ],
)
def test_an_order_that_cannot_be_done_is_one_clear_error(flow: Export, order: Mapping[str, Any], told: str) -> None:
    words = {name: value for name, value in order.items() if name not in ("part", "tasks")}
    ended = flow.run(order["part"], *order["tasks"], **words)
    assert told in ended.failure["error"]
    assert ended.failure["retry"] is False
    assert "Traceback" not in ended.log


def test_no_order_at_all_is_told(flow: Export, tmp_path: Path) -> None:
    process = flow.given(FLOWHUB_STEP="").started(tmp_path / "pod" / "return.json", part="", tasks=[])
    assert "FLOWHUB_STEP has no part and tasks" in ended(process, tmp_path / "pod" / "return.json").failure["error"]


def test_a_flow_that_is_not_there_any_more(tmp_path: Path, python: str) -> None:
    ended = export(tmp_path, python, {"workflow.py": FLOW}, flow="other").run("task", "load")
    assert ended.failure["error"] == "there is no flow 'other'"
    assert "Flows of this file: 'flow'." in ended.log


def test_a_file_that_does_not_load_in_this_image(tmp_path: Path, python: str) -> None:
    ended = export(tmp_path, python, {"workflow.py": "import torch\n" + FLOW}).run("task", "load")
    assert ended.failure["error"] == "ModuleNotFoundError: No module named 'torch'"
    assert "workflow.py:1" in ended.log
    assert "give that task an image=" in ended.log


def test_the_result_must_be_writable(flow: Export) -> None:
    place = flow.folder.parent / "file"
    place.write_text("")
    ended = flow.run("task", "load", options=("--result", str(place / "return.json")))
    assert ended.code == 1
    assert "the step's result cannot be written" in ended.log
    assert os.listdir(flow.folder.parent / "pods" / "0") == []
