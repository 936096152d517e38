"""Workflows over real HTTP: stored, scheduled, run, answered by their webhook, deleted; what is refused, and how."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from dagster import AssetKey, DagsterInstance, RepositoryDefinition, RunRequest, build_schedule_context

from flowhub_assets.server import warm
from flowhub_assets.server.backend import Backend
from flowhub_assets.server.rest.guard import Limits
from flowhub_assets.store import audit, tokens, workflows
from flowhub_assets_tests.server.backends import GREET, backend_over, served
from flowhub_assets_tests.server.run_here import run_now
from flowhub_assets_tests.workflows import location_of

HELLO = """\
# Kept as it is written: 안녕.
apiVersion: flume/v1
kind: Pipeline
metadata: {name: hello}
profiles: {default: {WORKSPACE: BASE}}
triggers:
  - {type: cron, schedule: "30 2 * * *", timezone: Asia/Seoul}
  - {type: webhook}
params: {city: {type: string, default: Seoul}}
nodes:
  - {id: say, type: log, inputs: {message: "Hello, {{params.city}}!"}}
  - {id: reply, type: http-response, inputs: {body: {said: "{{say.output}}"}}}
"""
SCRIPT = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: script}
profiles: {default: {WORKSPACE: BASE}}
triggers: [{type: webhook}]
nodes:
  - id: where
    type: python
    config: {script: "import os; result = os.getpid()"}
  - {id: reply, type: http-response, inputs: {body: {pid: "{{where.output}}"}}}
"""
BARE = HELLO.replace("profiles: {default: {WORKSPACE: BASE}}\n", "")
YAML = {"Content-Type": "application/yaml"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipelines")
    (folder / "greet.yaml").write_text(GREET)
    (folder / "sales.yaml").write_text(
        GREET.replace("greet", "sales").replace("- id: say", "- id: say\n    asset: reports/daily")
        + "trigger: {type: run, pipeline: after-sales}\n"
    )
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("backend")


@pytest.fixture(scope="module")
def backend(folder: Path, base: Path) -> Iterator[Backend]:
    with backend_over(folder, base, ui="") as backend:
        yield backend


@pytest.fixture(scope="module")
def url(backend: Backend) -> Iterator[str]:
    with served(backend, Limits(body=200_000, per_second=0)) as url:
        yield url


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    """Whatever a test has stored is gone after it."""
    with httpx.Client(base_url=f"{url}/api/v1", timeout=60) as client:
        yield client
        for one in client.get("/workflows").json()["workflows"]:
            client.delete(f"/workflows/{one['name']}")


@pytest.fixture
def loads(folder: Path, base: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What a code server that starts now has."""
    monkeypatch.setenv("DAGSTER_HOME", str(base / "home"))
    monkeypatch.chdir(base)

    def repository() -> RepositoryDefinition:
        return location_of(folder).repository()

    return repository


def written(text: str, base: Path) -> str:
    return text.replace("BASE", str(base / "values"))


def put(client: httpx.Client, name: str, text: str, **headers: str) -> httpx.Response:
    return client.put(f"/workflows/{name}", content=text.encode(), headers={**YAML, **headers})


def test_a_workflow_lives_from_put_to_delete(
    client: httpx.Client, loads: Any, backend: Backend, folder: Path, base: Path, url: str
) -> None:
    text = BARE
    answer = put(client, "hello", text)
    assert answer.status_code == 201, answer.text
    assert (answer.headers["etag"], answer.json()["changed_by"]) == ('"1"', "local")
    read = client.get("/workflows/hello")
    assert (read.text, read.headers["etag"]) == (text, '"1"')
    assert read.headers["content-type"] == "application/yaml; charset=utf-8"

    schedule = loads().get_schedule_def("hello_schedule")
    with DagsterInstance.ephemeral() as instance:
        at = datetime(2026, 3, 1, 2, 30, tzinfo=ZoneInfo("Asia/Seoul"))
        context = build_schedule_context(instance, scheduled_execution_time=at, repository_def=loads())
        (request,) = schedule.evaluate_tick(context).run_requests or []
    assert isinstance(request, RunRequest)
    assert (schedule.cron_schedule, schedule.execution_timezone, schedule.job_name) == (
        "30 2 * * *",
        "Asia/Seoul",
        "hello",
    )

    started = client.post("/pipelines/hello/runs", json={"params": {"city": "Busan"}}, headers={"Idempotency-Key": "1"})
    assert started.status_code == 202, started.text
    run_id = started.json()["run_id"]
    assert run_now(backend, folder, run_id) == "SUCCESS"
    assert client.get(f"/runs/{run_id}/result").json()["body"] == {"said": "Hello, Busan!"}

    hook = httpx.post(f"{url}/hooks/hello", json={}, timeout=60)
    assert (hook.status_code, hook.json()) == (200, {"said": "Hello, Seoul!"})

    assert client.delete("/workflows/hello").status_code == 204
    assert client.get("/workflows/hello").status_code == 404
    assert client.post("/pipelines/hello/runs", json={}).status_code == 404
    assert httpx.post(f"{url}/hooks/hello", json={}, timeout=60).status_code == 404
    assert "hello" not in loads().job_names
    assert client.get("/workflows/hello", params={"version": 1}).text == text, "nothing is lost"


def test_what_somebody_else_has_changed_is_not_written_over(client: httpx.Client, base: Path) -> None:
    text = written(HELLO, base)
    assert put(client, "hello", text, **{"If-Match": "*"}).status_code == 412
    first = put(client, "hello", text, **{"If-None-Match": "*"})
    assert first.status_code == 201
    assert put(client, "hello", text, **{"If-None-Match": "*"}).status_code == 412
    assert put(client, "hello", text).headers["etag"] == first.headers["etag"], "the same text is the same version"
    second = put(
        client, "hello", text.replace("default: Seoul", "default: Jeju"), **{"If-Match": first.headers["etag"]}
    )
    assert second.status_code == 200
    assert second.headers["etag"] != first.headers["etag"]
    for mine in (first.headers["etag"], f"W/{second.headers['etag']}", "7", ""):
        late = put(client, "hello", text, **{"If-Match": mine})
        assert late.status_code == 412, mine
    told = late.json()
    assert (told["title"], told["detail"].endswith("of local")) == ("Changed meanwhile", True)
    assert second.headers["etag"] in told["remedy"]
    stale = client.delete("/workflows/hello", headers={"If-Match": first.headers["etag"]})
    assert stale.status_code == 412
    assert client.delete("/workflows/hello", headers={"If-Match": second.headers["etag"]}).status_code == 204


def test_of_many_who_change_one_version_at_once_one_does(client: httpx.Client, base: Path) -> None:
    tag = put(client, "hello", written(HELLO, base)).headers["etag"]

    def change(number: int) -> int:
        text = written(HELLO, base).replace("default: Seoul", f"default: City{number}")
        return put(client, "hello", text, **{"If-Match": tag}).status_code

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(change, range(6))) == [200, *[412] * 5]


def test_all_mistakes_are_told_at_once_with_their_lines(client: httpx.Client, base: Path) -> None:
    text = written(HELLO, base).replace("type: log", "type: lug").replace("30 2 * * *", "30 25 * * *")
    text = text.replace("WORKSPACE", "SECRET_KEY")
    answer = put(client, "hello", text)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert [one["line"] for one in told["errors"]] == [5, 7, 11]
    assert all(one["column"] > 0 and one["detail"] for one in told["errors"])
    assert "did you mean 'log'?" in told["errors"][2]["remedy"].lower()
    assert str(base) not in answer.text, "a value under a credential's name is not told"
    assert client.get("/workflows").json() == {"workflows": []}


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        (b"", "the text holds no pipeline"),
        (b"\xff", "the file is not UTF-8"),
        (b"{", '"line": 2, "column": 1'),
        (HELLO.replace("name: hello", "name: hallo").encode(), "the pipeline is named 'hallo', not 'hello'"),
        ((HELLO + "---\n" + HELLO.replace("name: hello", "name: more")).encode(), "a second pipeline, 'more', follows"),
        (HELLO.replace("type: log,", "task: {function: f, file: a.py},").encode(), "no folder"),
        ((HELLO + "# \0").encode(), "line"),
        (SCRIPT.replace("import os", f"{'-' * 100_000}1").encode(), "nested less deeply"),
    ],
)
def test_what_is_no_workflow_of_that_name_is_refused(client: httpx.Client, text: bytes, detail: str) -> None:
    answer = client.put("/workflows/hello", content=text, headers=YAML)
    assert answer.status_code == 422, answer.text
    assert detail in answer.text


def test_what_others_have_is_refused(client: httpx.Client, base: Path, folder: Path) -> None:
    text = written(HELLO, base)
    for name in ("greet", "g-reet"):
        answer = put(client, name, text.replace("name: hello", f"name: {name}"))
        assert answer.status_code == (409 if name == "greet" else 201), answer.text
    assert put(client, "g_reet", text.replace("name: hello", "name: g_reet")).status_code == 409
    taken = put(client, "hello", text.replace("id: say,", "id: say, asset: reports/daily,"))
    assert (taken.status_code, "asset 'reports/daily'" in taken.json()["detail"]) == (409, True)
    circle = text.replace("name: hello", "name: after-sales").replace("type: webhook", "type: run, pipeline: sales")
    answer = put(client, "after-sales", circle.split("  - {id: reply")[0])
    assert answer.status_code == 422, answer.text
    assert "would start it again" in answer.json()["detail"]


def test_what_another_server_has_stored_a_moment_ago_is_heeded(
    client: httpx.Client, backend: Backend, base: Path
) -> None:
    client.get("/pipelines")
    with backend.database.begin() as connection:
        workflows.write(connection, "two_names", "not looked at", "ann", 1.0)
    answer = put(client, "two-names", written(HELLO, base).replace("name: hello", "name: two-names"))
    assert (answer.status_code, "'two_names'" in answer.json()["detail"]) == (409, True)


def test_other_kinds_of_body_and_large_ones_are_refused(client: httpx.Client) -> None:
    assert client.put("/workflows/hello", json={}).status_code == 415
    assert client.put("/workflows/hello", content=b"#" * 210_000, headers=YAML).status_code == 413
    assert client.put(f"/workflows/{'x' * 256}", content=b"", headers=YAML).status_code == 422
    assert client.get("/workflows/a%00b").status_code == 404
    assert client.delete("/workflows/a%00b").status_code == 404


def test_python_in_it_runs_in_a_process_of_its_own_and_never_in_the_server(
    client: httpx.Client, loads: Any, backend: Backend, folder: Path, base: Path, url: str
) -> None:
    assert put(client, "script", written(SCRIPT, base)).status_code == 201
    accepted = httpx.post(f"{url}/hooks/script", json={}, timeout=60)
    assert accepted.status_code == 202, "the server does not answer this one itself"
    run_id = accepted.headers["location"].rpartition("/")[2]
    assert loads().get_job("script") is not None
    assert run_now(backend, folder, run_id) == "SUCCESS"
    assert client.get(f"/runs/{run_id}/result").json()["body"]["pid"] != os.getpid()


LOG = "type: log, inputs: {message: "


@pytest.mark.parametrize(
    ("text", "answers"),
    [
        (BARE, True),
        (HELLO.replace("BASE", "/"), False),
        (BARE.replace(LOG, "type: storage-read, inputs: {key: "), False),
        (BARE.replace(LOG, "type: http-request, config: {method: GET, url: "), False),
        (BARE.replace(LOG, f"env: {{A: {{env: DAGSTER_HOME}}}}, {LOG}"), False),
    ],
    ids=["nothing", "a folder", "storage", "the network", "a variable"],
)
def test_the_server_answers_itself_only_what_reaches_nothing(
    client: httpx.Client, backend: Backend, text: str, answers: bool
) -> None:
    stored = put(client, "hello", text)
    assert stored.status_code == 201, stored.text
    assert warm.can_answer(backend.catalogue.get("hello")) is answers


def test_one_that_no_longer_checks_is_a_red_asset_and_hurts_nobody(
    client: httpx.Client, loads: Any, backend: Backend, base: Path
) -> None:
    assert put(client, "hello", written(HELLO, base)).status_code == 201
    with backend.database.begin() as connection:
        broken = written(HELLO, base).replace("name: hello", "name: old").replace("type: log", "type: of-last-year")
        workflows.write(connection, "old", broken, "ann", 1.0)
    backend.catalogue.look_again()
    repository = loads()
    error = repository.asset_graph.get(AssetKey(["_invalid", "old"])).metadata["error"].value
    assert error.startswith("<stored workflow>/old.yaml:11:")
    assert {"hello", "greet"} <= set(repository.job_names)
    listed = client.get("/pipelines").json()
    assert {"hello", "greet"} <= {one["name"] for one in listed["pipelines"]}
    assert any("<stored workflow>/old.yaml:11:" in told for told in listed["invalid"])


def test_who_may_write_and_what_the_audit_log_says(tmp_path: Path) -> None:
    (tmp_path / "greet.yaml").write_text(GREET)
    text = written(HELLO, tmp_path)
    with backend_over(tmp_path, tmp_path, is_open=False, ui="") as closed:
        with closed.database.begin() as connection:
            made = {role: tokens.create(connection, role, role, 0.0) for role in ("viewer", "runner", "editor")}
        with served(closed) as url, httpx.Client(base_url=f"{url}/api/v1", timeout=60) as client:
            assert put(client, "hello", text).status_code == 401
            for role, status in (("viewer", 403), ("runner", 403), ("editor", 201)):
                headers = {"Authorization": f"Bearer {made[role]}"}
                assert put(client, "hello", text, **headers).status_code == status
            assert client.get("/workflows/hello", headers={"Authorization": f"Bearer {made['viewer']}"}).text == text
            for role, status in (("runner", 403), ("editor", 204)):
                headers = {"Authorization": f"Bearer {made[role]}"}
                assert client.delete("/workflows/hello", headers=headers).status_code == status
        with closed.database.read() as connection:
            acts = [(act.caller, act.action, act.target, act.result) for act in audit.newest(connection)]
    path = "/api/v1/workflows/hello"
    assert acts == [
        ("editor", "delete", "hello", "done"),
        ("runner", "ask", f"DELETE {path}", "refused"),
        ("editor", "write", "hello", "done"),
        ("runner", "ask", f"PUT {path}", "refused"),
        ("viewer", "ask", f"PUT {path}", "refused"),
    ]
