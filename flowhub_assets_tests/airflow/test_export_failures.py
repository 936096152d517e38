"""Exported pipelines in a real Airflow: pods that are killed, never start, hang or vanish; tasks that share one."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from flowhub_assets_tests.airflow.environments import Environment
from flowhub_assets_tests.airflow.export_lab import Case, Ended, run_cases, run_locally
from flowhub_assets_tests.airflow.fixtures import airflow  # noqa: F401 - a fixture

CHAIN = """
import time
from flowhub import flow, task


@task(retries=1)
def first(args):
    print("first is here")
    return {"first": 1, "seconds": args["seconds"]}


@task(retries=1)
def second(args):
    print("second is here", flush=True)
    time.sleep(args["seconds"])
    return {"second": args["first"]}


@task
def third(args):
    return {"third": args["second"]}


@task
def note(args):
    return {key: args[key] for key in ("failed_task", "error", "error_type", "traceback")}


@flow(params={"seconds": 0}, on_failure=note)
def main(args):
    return third(second(first(args)))
"""

#: The pod minds a task's own timeout once the file is loaded; of this one, the pod never gets so far.
HANGS = """
import os
import time
from flowhub import flow, task

if "flowhub-" in __file__:
    time.sleep(60)


@task(timeout=1)
def slow(args):
    return {}


@flow
def main(args):
    return slow(args)
"""

TOLERANT = """
apiVersion: flume/v1
kind: Pipeline
metadata: {name: tolerant}
nodes:
  - {id: fragile, type: template, inputs: {template: never}, continueOnError: true, retry: {times: 1}}
  - {id: vanishes, type: delay, config: {seconds: 30}, continueOnError: true}
  - {id: after, type: template, inputs: {template: "{{fragile.error.type}} {{vanishes.error.type}}"}}
"""

ENDS = """
apiVersion: flume/v1
kind: Pipeline
metadata: {name: ends}
nodes:
  - {id: killed, type: template, inputs: {template: never}}
  - {id: after, type: template, inputs: {template: "{{killed.output}}"}}
finally:
  - {id: clean, type: template, inputs: {template: "{{failure.failed_task}} {{failure.error_type}}"}}
"""

GROUP = """
apiVersion: flume/v1
kind: Pipeline
metadata: {name: group}
params: {n: {type: integer, default: 3}}
nodes:
  - {id: start, type: template, inputs: {template: "n is {{params.n}}"}}
  - {id: is-large, type: condition, config: {if: params.n > 2}}
  - {id: large, type: template, inputs: {template: "large: {{start.output}}"}}
  - {id: small, type: template, inputs: {template: "small: {{start.output}}"}}
  - {id: heavy-large, type: template, runOn: cpu, inputs: {template: "heavy {{large.output}}"}}
  - {id: heavy-small, type: template, runOn: cpu, inputs: {template: "heavy {{small.output}} {{start.output}}"}}
  - {id: heavy-either, type: template, runOn: cpu, inputs: {template: "{{large.output}} {{small.skipped}}"}}
  - id: end
    type: error
    when: params.n > 5
    inputs: {message: "too large: {{heavy-either.output}}"}
edges:
  - {from: start, to: is-large}
  - {from: is-large, to: large, when: "true"}
  - {from: is-large, to: small, when: "false"}
  - {from: is-large, to: heavy-large, when: "true"}
  - {from: is-large, to: heavy-small, when: "false"}
onFailure: {id: note, type: template, inputs: {template: "{{failure.failed_task}}: {{failure.error}}"}}
"""

BROKEN_GROUP = """
apiVersion: flume/v1
kind: Pipeline
metadata: {name: broken-group}
fuse: true
nodes:
  - {id: start, type: template, inputs: {template: "start"}}
  - {id: breaks, type: error, inputs: {message: "after {{start.output}}"}}
  - {id: heavy, type: template, runOn: cpu, inputs: {template: "{{start.output}}"}}
edges:
  - {from: start, to: breaks}
onFailure: {id: note, type: template, inputs: {template: "{{failure.failed_task}}: {{failure.error}}"}}
"""

UNDECIDED = """
apiVersion: flume/v1
kind: Pipeline
metadata: {name: undecided}
nodes:
  - {id: which, type: condition, config: {if: params.n > "a"}, continueOnError: true}
  - {id: yes, type: template, inputs: {template: "yes"}}
  - {id: always, type: template, inputs: {template: "{{which.error.type}}"}}
params: {n: {type: integer, default: 3}}
edges:
  - {from: which, to: yes, when: "true"}
"""

#: What ends the second task of the chain, every time.
ENDINGS = {
    "oom": Case(CHAIN, failing=[("oom", "first", {}), ("oom", "second", {"times": 2})]),
    "evicted": Case(CHAIN, failing=[("evicted", "second", {"times": 2})]),
    "image": Case(CHAIN, failing=[("image", "second", {"times": 2})], startup_timeout=2),
    "deleted": Case(CHAIN, conf={"seconds": 30}, failing=[("deleted", "second", {"times": 2, "seconds": 0.5})]),
}

CASES = {
    **ENDINGS,
    "tolerant": Case(
        TOLERANT,
        "pipeline.yaml",
        failing=[("evicted", "fragile", {"times": 2}), ("deleted", "vanishes", {"seconds": 0.5})],
    ),
    "ends": Case(ENDS, "pipeline.yaml", failing=[("oom", "killed", {})]),
    "group": Case(GROUP, "pipeline.yaml", group_light=True),
    "small group": Case(GROUP, "pipeline.yaml", conf={"n": 1}, group_light=True),
    "broken group": Case(BROKEN_GROUP, "pipeline.yaml"),
    "undecided": Case(UNDECIDED, "pipeline.yaml"),
    "hangs": Case(HANGS, profile={"K8S_STARTUP_TIMEOUT": 2}),
}


@pytest.fixture(scope="module")
def ended(airflow: Environment, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:  # noqa: F811
    """All cases, run in one process of Airflow."""
    return run_cases(airflow, CASES, tmp_path_factory.mktemp("failures"), {})


# The first one waits for all runs.
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("ending", "reason", "words"),
    [
        ("oom", "OOMKilled", "exit code 137"),
        ("evicted", "Evicted", "low on resource: memory"),
        ("image", "ErrImagePull", "python:3.11-slim"),
        ("deleted", "PodGone", "deleted"),
    ],
)
def test_on_failure_is_told_what_became_of_a_pod(ended: dict[str, Ended], ending: str, reason: str, words: str) -> None:
    run = ended[ending]
    assert run.state == "failed"
    assert (run.task("second")["state"], run.task("second")["try_number"]) == ("failed", 2)
    assert run.task("third")["state"] == "upstream_failed"
    told = run.value("note")
    assert (told["failed_task"], told["error_type"]) == ("second", reason)
    assert told["error"].startswith(f"{reason}: ")
    assert words in told["error"]
    assert told["error"] in told["traceback"]
    # Airflow's own words of a pod hold all of its manifest, and with it the values that it was given.
    assert "FLOWHUB_STEP" not in json.dumps([told, run.task("second")["xcoms"]])
    assert f"second failed: {reason}: {told['error']}" in run.task("second")["log"]


@pytest.mark.timeout(600)
def test_a_pod_that_was_killed_is_started_again(ended: dict[str, Ended]) -> None:
    assert (ended["oom"].task("first")["state"], ended["oom"].task("first")["try_number"]) == ("success", 2)


@pytest.mark.timeout(600)
def test_airflow_ends_a_pod_that_hangs_before_its_task_begins(ended: dict[str, Ended]) -> None:
    run = ended["hangs"]
    assert run.state == "failed"
    failure = run.task("slow")["xcoms"]["failure"]
    assert (failure["failed_task"], failure["error_type"]) == ("slow", "AirflowTaskTimeout")
    assert run.report["seconds"] < 40


@pytest.mark.timeout(600)
def test_a_task_that_may_fail_goes_on_after_its_last_pod(ended: dict[str, Ended]) -> None:
    run = ended["tolerant"]
    assert run.state == "success"
    assert run.task("fragile")["try_number"] == 2
    assert run.value("after")["result"] == "Evicted PodGone"


@pytest.mark.timeout(600)
def test_tasks_of_the_end_know_it_and_the_run_stays_failed(ended: dict[str, Ended]) -> None:
    run = ended["ends"]
    assert run.state == "failed"
    assert run.value("clean")["result"] == "killed OOMKilled"
    assert run.states()["flowhub.outcome"] == "failed"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("case", ["group", "small group"])
def test_tasks_that_share_a_pod_give_the_local_values(ended: dict[str, Ended], case: str, tmp_path: Path) -> None:
    run, local = ended[case], run_locally(CASES[case], tmp_path)
    assert run.state == "success", run.report["log"]
    together = run.document("start.and_3_more")["tasks"]
    assert list(together) == ["start", "is-large", "large", "small"]
    alone = {name: run.task(name)["xcoms"].get("return_value") for name in local.tasks if name not in together}
    found = {name: (document or {}).get("value") for name, document in {**together, **alone}.items()}
    assert found == {name: outcome.value for name, outcome in local.tasks.items()}
    for name in together:
        ending = "skipped" if found[name] is None else "succeeded"
        assert re.search(rf"^flowhub: {name}\b.* {ending}", run.log("start"), re.MULTILINE), run.log("start")


@pytest.mark.timeout(600)
def test_a_failure_of_one_of_several_in_a_pod_is_told_by_its_name(ended: dict[str, Ended]) -> None:
    run = ended["broken group"]
    assert run.state == "failed"
    assert run.value("note")["result"] == "breaks: after start"
    assert run.task("heavy")["state"] == "upstream_failed"


@pytest.mark.timeout(600)
def test_a_node_that_could_not_decide_and_may_fail_chooses_nothing(ended: dict[str, Ended], tmp_path: Path) -> None:
    run, local = ended["undecided"], run_locally(CASES["undecided"], tmp_path)
    assert run.state == "success", run.report["log"]
    assert run.value("always") == local.tasks["always"].value
    assert (run.states()["yes"], local.tasks["yes"].state) == ("skipped", "skipped")
