"""Exported pipelines in a real Airflow: values in a bucket, code and arguments on their way, credentials of Secrets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from flowhub_assets.runtime.storage import get_storage
from flowhub_assets.runtime.values import Values
from flowhub_assets_tests.airflow.environments import Environment
from flowhub_assets_tests.airflow.export_lab import Case, Ended, run_cases, run_locally
from flowhub_assets_tests.airflow.fixtures import airflow  # noqa: F401 - a fixture
from flowhub_assets_tests.pods.cloned_flow import cloned, repository
from flowhub_assets_tests.s3_server import S3Server, running_s3_server

TOKEN = "a token that nobody reads 7c1f"

LARGE = """
import os
from flowhub import flow, task


@task
def make(args):
    return {"text": "한글 {{ds}} " * 80_000, "numbers": [1, 2, 3]}


@task
def measure(args):
    return {"length": len(args["text"]), "numbers": args["numbers"]}


@task
def is_long(args):
    return args["length"] > 10


@task
def shorten(args):
    return {"short": args["text"][:3]}


@task
def leave(args):
    return {"left": True}


@task
def each(args):
    return {"twice": 2 * args["item"], "short": args["short"]}


@task
def breaks(args):
    raise ValueError(f"{args['numbers']} with {args['env']['SECRET_KEY']}")


@task
def note(args):
    return {key: args[key] for key in ("failed_task", "error", "error_type")}


@flow(name="large", on_failure=note)
def main(args):
    made = make(args)
    choice = is_long.branch(measure(made))
    short = shorten(made, choice.true)
    leave(choice.false)
    return breaks(each.map(short, measure.named("again")(made), over="numbers"))
"""

TOLERANT = """
apiVersion: flume/v1
kind: Pipeline
metadata: {name: 서울}
fuse: true
nodes:
  - {id: first, type: template, inputs: {template: "one"}}
  - {id: bad, type: error, inputs: {message: "no {{first.output}}"}, continueOnError: true}
  - {id: after, type: template, runOn: cpu, inputs: {template: "{{bad.error.message}} {{each.results}}"}}
  - id: each
    type: loop
    config: {items: "{{[1, 0, 2]}}", result: inverse}
    continueOnError: true
    nodes:
      - {id: inverse, type: template, inputs: {template: "{{6 / item}}"}}
edges: [{from: first, to: bad}]
"""

NO_BUCKET = """
from flowhub import flow, task


@task(retries=3)
def make(args):
    return {"text": "x" * 49_152}


@flow
def main(args):
    return make(args)
"""

SURROUNDINGS = """
import os

import beside
import extra.inner
from flowhub import flow, get_parser, parse_args, task

parser = get_parser()
parser.add_argument("--count", type=int, default=1)
parser.add_argument("words", nargs="*")
options = parse_args(parser)
NAMESPACE = os.environ.get("EXPORT_NAMESPACE", "")


@task(env={"TOKEN": {"env": "TASKS_TOKEN"}, "OTHER_TOKEN": {"secret": {"name": "elsewhere", "key": "a.key"}}})
def look(args):
    return {
        "options": [options.count, options.words],
        "modules": [beside.NAME, extra.inner.NAME],
        "tokens": [len(args["env"][name]) for name in ("TOKEN", "OTHER_TOKEN")],
        "data": open(os.path.join(os.path.dirname(extra.inner.__file__), "data.txt"), encoding="utf-8").read(),
    }


@flow(
    name="surroundings",
    env={"airflow": {"WORKSPACE": "./tmp", "EXTRA_PACKAGES": ["./extra"], "K8S_NAMESPACE": NAMESPACE}},
)
def main(args):
    return look(look.named("again")(args)) if options.count > 5 else look(args)
"""

FUNCTIONS = """
def one(args):
    return {"one": args["env"]["run_id"]}


def two(args):
    try:
        import yaml
    except ImportError:
        yaml = None
    return {"two": args["one"], "bare": yaml is None, "token": len(args["env"]["TOKEN"])}
"""

BARE_YAML = """
apiVersion: flume/v1
kind: Pipeline
metadata: {name: functions}
nodes:
  - {id: one, task: {function: one, file: code/functions.py}}
  - {id: two, task: {function: two, file: code/functions.py}, needs: [one], env: {TOKEN: {env: TASKS_TOKEN}}}
"""


def cases(server: S3Server, url: str) -> dict[str, Case]:
    """The cases, of which some need the server or the repository."""
    own = {
        **server.env(),
        "ACCESS_KEY": {"env": "ACCESS_KEY"},
        "SECRET_KEY": {"secret": {"name": "storage", "key": "secret.key"}},
    }
    storage = {"storage": {"secret.key": server.secret_key}}
    tokens = {"": {"TASKS_TOKEN": TOKEN}, "elsewhere": {"a.key": f"{TOKEN} 2"}}
    return {
        "large": Case(
            LARGE,
            profile=own,
            secrets={**storage, "": {"ACCESS_KEY": server.access_key}},
            run_id="manual__2026-01-01T00:00:00.123456+00:00~a:b",
        ),
        "tolerant": Case(
            TOLERANT,
            "pipeline.yaml",
            profile=own,
            secrets={**storage, "": {"ACCESS_KEY": server.access_key}},
        ),
        "no bucket": Case(NO_BUCKET),
        "surroundings": Case(
            SURROUNDINGS,
            files={
                "beside.py": "NAME = 'beside'\n",
                "extra/inner.py": "NAME = 'inner'\n",
                "extra/__init__.py": "",
                "extra/data.txt": "{{ ds }} 데이터",
            },
            argv=["--count", "7", "{{ ds }}", "$(HOME)", "한국어 'x'\n"],
            secrets=tokens,
        ),
        "bare yaml": Case(
            BARE_YAML,
            "pipeline.yaml",
            files={"code/functions.py": FUNCTIONS},
            secrets={"": {"TASKS_TOKEN": TOKEN}},
        ),
        "pinned": Case(cloned(url, "v1", "here"), files={"helper.py": "NAME = 'helper of here'"}),
        "no such tag": Case(cloned(url, "v7", "here"), files={"helper.py": "NAME = 'helper of here'"}),
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """An S3 server with one bucket, for the runs of both versions."""
    folder = tmp_path_factory.mktemp("s3")
    (folder / "bucket").mkdir()
    with running_s3_server(folder) as running:
        yield running


@pytest.fixture(scope="module")
def ended(airflow: Environment, server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:  # noqa: F811
    """All cases, run in one process of Airflow."""
    url = repository(tmp_path_factory.mktemp("repository"))
    return run_cases(airflow, cases(server, url), tmp_path_factory.mktemp("storage"), {})


# The first one waits for all runs.
@pytest.mark.timeout(600)
def test_values_lie_in_the_bucket_and_airflow_knows_where(
    ended: dict[str, Ended], server: S3Server, tmp_path: Path
) -> None:
    run = ended["large"]
    local = run_locally(Case(LARGE, profile=server.env()), tmp_path)
    values = Values(get_storage(server.env()), "large")
    assert run.state == "failed"
    for name in ("make", "measure", "again", "is_long", "shorten"):
        place = {"url": values.storage.url(values.run_key(run.case.run_id, name))}
        assert run.document(name) == (place | {"port": "true"} if name == "is_long" else place)
        assert values.load(run.case.run_id, name) == local.tasks[name].value
    assert run.task("leave")["state"] == "skipped"
    loop = local.tasks["each"].value
    assert loop is not None
    assert [values.load(run.case.run_id, f"each/{n}")["result"] for n in range(3)] == loop["numbers"]
    assert values.load(run.case.run_id, "note") == {
        "failed_task": "breaks",
        "error": f"{loop['numbers']} with ***",
        "error_type": "ValueError",
    }
    longest = max(len(json.dumps(one["xcoms"])) for one in run.report["tasks"] if one["task_id"] != "breaks")
    assert longest < 2_000


@pytest.mark.timeout(600)
def test_what_may_fail_and_what_shares_a_pod_have_their_values_in_the_bucket(
    ended: dict[str, Ended], server: S3Server, tmp_path: Path
) -> None:
    run = ended["tolerant"]
    local = run_locally(Case(TOLERANT, "pipeline.yaml", profile=server.env()), tmp_path)
    assert run.state == "success", run.report["log"]
    values = Values(get_storage(server.env()), "서울")
    found = {name: values.load("run-1", name) for name in ("first", "bad", "after")}
    assert found == {name: local.tasks[name].value for name in found}
    assert set(run.document("first.and_1_more")["tasks"]["bad"]) == {"url"}


@pytest.mark.timeout(600)
def test_no_secret_is_anywhere(ended: dict[str, Ended], server: S3Server) -> None:
    for run in ended.values():
        told = run.everything()
        for secret in (server.access_key, server.secret_key, TOKEN):
            assert secret not in told
    stored = b"".join(path.read_bytes() for path in (server.folder / "bucket").rglob("*") if path.is_file())
    assert stored
    for secret in (server.access_key, server.secret_key, TOKEN):
        assert secret.encode() not in stored


@pytest.mark.timeout(600)
def test_without_a_bucket_a_large_value_fails_with_what_to_do(ended: dict[str, Ended]) -> None:
    run = ended["no bucket"]
    assert (run.state, run.task("make")["try_number"]) == ("failed", 1)
    failure = run.task("make")["xcoms"]["failure"]
    assert failure["error"].startswith("the value of task 'make' has 49,164 bytes as JSON, and without a bucket 49,152")
    assert "Export with a profile that has BUCKET" in failure["traceback"]
    assert "Export with a profile that has BUCKET" in run.task("make")["log"]


@pytest.mark.timeout(600)
def test_arguments_modules_packages_and_secrets_come_along(ended: dict[str, Ended]) -> None:
    run = ended["surroundings"]
    assert run.state == "success", run.report["log"]
    assert run.value("look") == {
        "options": [7, ["{{ ds }}", "$(HOME)", "한국어 'x'\n"]],
        "modules": ["beside", "inner"],
        "tokens": [len(TOKEN), len(TOKEN) + 2],
        "data": "{{ ds }} 데이터",
    }
    assert run.task("again")["state"] == "success"
    assert "--from-literal=TASKS_TOKEN='<TASKS_TOKEN>'" in run.exported.create_secret


@pytest.mark.timeout(600)
def test_functions_of_a_pipeline_file_run_in_a_bare_image(ended: dict[str, Ended]) -> None:
    run = ended["bare yaml"]
    assert run.state == "success", run.report["log"]
    assert run.value("two") == {"two": "run-4", "bare": True, "token": len(TOKEN)}
    assert {pod["spec"]["containers"][0]["image"] for pod in run.pods} == {"python:3.11-slim"}


@pytest.mark.timeout(600)
def test_the_pinned_tag_is_what_runs(ended: dict[str, Ended]) -> None:
    run = ended["pinned"]
    assert run.state == "success", run.report["log"]
    assert run.value("say") == {"version": "v1", "helper": "helper of v1"}
    (code,) = yaml.safe_load_all(run.exported.code)
    assert list(code["binaryData"]) == ["rows.tar.xz"]


@pytest.mark.timeout(600)
def test_a_tag_that_is_not_there_ends_in_a_failure_that_says_so(ended: dict[str, Ended]) -> None:
    run = ended["no such tag"]
    assert run.state == "failed"
    failure = run.task("say")["xcoms"]["failure"]
    assert failure["failed_task"] == "say"
    assert "Remote branch v7 not found" in failure["error"]
