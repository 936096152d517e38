"""POST /hooks/{pipeline} over a real port: who gets in, what a delivery starts, and what it is answered."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pytest

from flowhub_assets.server.backend import Backend
from flowhub_assets.server.rest import hooks
from flowhub_assets.server.rest.guard import Limits
from flowhub_assets.store import submissions, tokens
from flowhub_assets_tests.server.backends import backend_over, served
from flowhub_assets_tests.server.hooks import senders

NODES = 'nodes: [{id: say, type: log, inputs: {message: "{{trigger.body}}"}}]\n'
HEAD = "apiVersion: flume/v1\nkind: Pipeline\nmetadata: {name: %s}\n"
HOOKS = {
    "standard": "{type: webhook, signature: standard-webhooks, keys: [STANDARD_KEY]}",
    "git": "{type: webhook, signature: github, keys: [SHOP_KEY, OLD_KEY], path: code/push}",
    "pay": "{type: webhook, signature: stripe, keys: SHOP_KEY}",
    "paid": "{type: webhook, signature: stripe, keys: SHOP_KEY, header: X-Shop-Signature}",
    "store": "{type: webhook, signature: minio, keys: [SHOP_KEY]}",
    "models": "{type: webhook, signature: mlflow, keys: [SHOP_KEY]}",
    "keyless": "{type: webhook, signature: github, keys: [NOBODY_SET_THIS]}",
    "open": "{type: webhook, signature: none, methods: [POST, GET], headers: [X-Shop]}",
    "token": "{type: webhook}",
    "last": "{type: webhook, signature: none, mode: latest, by: trigger.body.order}",
    "calm": "{type: webhook, signature: none, mode: debounce, wait: 1h, by: trigger.body.order}",
    "apart": "{type: webhook, signature: none, params: {city: trigger.body.town}, response: async}",
    "one": "{type: webhook, path: shared}",
    "two": "{type: webhook, path: shared}",
    "inbox": "{type: object-arrival, prefix: in/, pattern: '*.csv', signature: minio, keys: [SHOP_KEY]}",
    "packs": "{type: object-arrival, per: batch, signature: minio, keys: [SHOP_KEY]}",
    "quiet": "{type: cron, schedule: '@daily'}",
}
PARAMS = "params: {city: {type: string, maxLength: 10}}\n"
REPLY = """\
nodes:
  - {id: look, type: condition, config: {if: "default(trigger.body.fail, false)"}}
  - {id: fail, type: error, inputs: {message: "no"}}
  - {id: wait, type: delay, config: {seconds: "{{default(trigger.body.wait, 0)}}"}}
  - id: reply
    type: http-response
    config: {status: 201, headers: {X-Shop: west}}
    inputs: {body: {order: "{{trigger.body.order}}", run: "{{$run_id}}"}}
edges: [{from: look, to: fail, when: "true"}, {from: look, to: wait, when: "false"}, {from: wait, to: reply}]
"""
PYTHON = """\
from dataclasses import dataclass

from flowhub import flow, task

@task
def count(args):
    return {"n": len(args["trigger"]["body"])}

@flow(webhook={"signature": "github", "keys": ["SHOP_KEY"]}, params={"trigger": {}})
def counted(args):
    return count(args)

@dataclass
class Order:
    number: int
    city: str = "Seoul"

@flow(webhook={"signature": "github", "keys": ["SHOP_KEY"], "params": "trigger.body"}, params=Order)
def typed(args):
    return count(args)
"""


@dataclass(frozen=True)
class Door:
    url: str
    backend: Backend

    def post(self, hook: str, body: bytes = b"{}", headers: dict[str, str] | None = None) -> httpx.Response:
        given = {"Content-Type": "application/json", **(headers or {})}
        return httpx.post(f"{self.url}/hooks/{hook}", content=body, headers=given, timeout=60)

    def order(self, answer: httpx.Response) -> dict[str, Any]:
        """What the run was given, as Dagster has it."""
        assert answer.status_code == 202, answer.text
        run = self.backend.instance.get_run_by_id(answer.json()["run_id"])
        assert run is not None
        return self.config_of(run)

    def config_of(self, run: dg.DagsterRun) -> dict[str, Any]:
        resources: Any = run.run_config["resources"]
        (resource,) = resources.values()
        found: dict[str, Any] = resource["config"]
        return found

    def trigger(self, answer: httpx.Response) -> dict[str, Any]:
        found: dict[str, Any] = self.order(answer)["trigger"]
        return found

    def state(self, answer: httpx.Response) -> str:
        with self.backend.database.read() as connection:
            found = submissions.find(connection, answer.json()["run_id"])
        assert found is not None
        return found.state

    def count(self, pipeline: str) -> int:
        """How many runs of a pipeline were ever accepted."""
        states = (submissions.ACCEPTED, submissions.DELAYED, submissions.LAUNCHED, submissions.SUPERSEDED)
        with self.backend.database.read() as connection:
            return len(submissions.newest(connection, states, pipeline, float("inf"), 1_000))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("pipelines")
    for name, trigger in HOOKS.items():
        params = PARAMS if name == "apart" else ""
        (found / f"{name}.yaml").write_text(f"{HEAD % name}trigger: {trigger}\n{params}{NODES}")
    for name, more in (("reply", "sync"), ("later", "async")):
        trigger = f"{{type: webhook, signature: github, keys: [SHOP_KEY], response: {more}}}"
        (found / f"{name}.yaml").write_text(f"{HEAD % name}trigger: {trigger}\n{REPLY}")
    (found / "counted.py").write_text(PYTHON)
    return found


@pytest.fixture(scope="module")
def door(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHOP_KEY", senders.KEY)
        patch.setenv("OLD_KEY", senders.OLD_KEY)
        patch.setenv("STANDARD_KEY", senders.STANDARD_KEY)
        patch.delenv("NOBODY_SET_THIS", raising=False)
        with backend_over(folder, tmp_path_factory.mktemp("backend"), is_open=False) as backend:
            with served(backend, Limits(body=100_000, per_second=0)) as url:
                yield Door(url, backend)


def test_each_kind_of_sender_gets_in(door: Door) -> None:
    body = b'{"order": "A-1"}'
    for hook, headers in {
        "standard": senders.standard(body),
        "code/push": senders.github(body),
        "pay": senders.stripe(body),
        "paid": senders.stripe(body, header="X-Shop-Signature"),
        "store": senders.minio(body),
        "models": senders.mlflow(body),
        "counted": senders.github(body),
        "open": {},
    }.items():
        answer = door.post(hook, body, headers)
        assert answer.status_code == 202, (hook, answer.text)
        run_id = answer.json()["run_id"]
        assert answer.json() == {"run_id": run_id, "url": f"http://dagster.test/runs/{run_id}"}
        assert answer.headers["Location"] == f"/api/v1/runs/{run_id}"
        trigger = door.trigger(answer)
        assert (trigger["type"], trigger["body"], trigger["method"]) == ("webhook", {"order": "A-1"}, "POST")
        assert trigger["path"] == hook
        told = json.dumps(trigger)
        assert senders.KEY not in told
        assert not any(value in told for name, value in headers.items() if "ignature" in name)


def test_an_earlier_key_still_signs(door: Door) -> None:
    assert door.post("code/push", b"1", senders.github(b"1", "old", senders.OLD_KEY)).status_code == 202
    assert door.post("code/push", b"1", senders.github(b"1", "bad", "another")).status_code == 401


def test_what_is_not_signed_starts_nothing_and_learns_nothing(door: Door) -> None:
    before = door.count("git")
    good = senders.github(b"{}")
    for headers in ({}, {**good, "X-Hub-Signature-256": "sha256="}, senders.minio(b"{}"), senders.stripe(b"{}")):
        answer = door.post("code/push", b"{}", headers)
        assert answer.status_code == 401
        assert answer.json()["detail"] == "the delivery is not signed as this hook asks for"
    assert door.count("git") == before


def test_a_key_that_is_not_set_lets_nobody_in(door: Door) -> None:
    for key in ("", "NOBODY_SET_THIS"):
        answer = door.post("keyless", b"{}", senders.github(b"{}", key=key))
        assert answer.status_code == 503
        assert "NOBODY_SET_THIS" not in answer.text
    assert door.count("keyless") == 0


def test_without_a_signature_a_token_is_asked_for(door: Door) -> None:
    assert door.post("token").status_code == 401
    with door.backend.database.begin() as connection:
        viewer = tokens.create(connection, "v", "viewer", time.time())
        runner = tokens.create(connection, "r", "runner", time.time())
    assert door.post("token", headers={"Authorization": f"Bearer {viewer}"}).status_code == 403
    answer = door.post("token", headers={"Authorization": f"Bearer {runner}"})
    assert runner not in json.dumps(door.trigger(answer))


def test_a_page_of_another_site_starts_nothing_for_its_reader(folder: Path, tmp_path: Path) -> None:
    with backend_over(folder, tmp_path) as backend, served(backend) as url:
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "http://a.test"}):
            assert httpx.post(f"{url}/hooks/token", headers=headers, timeout=60).status_code == 403
        assert httpx.post(f"{url}/hooks/token", timeout=60).status_code == 202


def test_there_are_no_other_hooks(door: Door) -> None:
    for hook in ("quiet", "git", "shared", "one", "", "nothing/at/all", "../api/v1/pipelines"):
        assert door.post(hook).status_code in (404, 405), hook
    assert httpx.put(f"{door.url}/hooks/open", timeout=60).status_code == 405
    assert httpx.get(f"{door.url}/hooks/standard", timeout=60).headers["Allow"] == "POST"


def test_a_run_gets_the_request_and_nothing_that_opens_a_door(door: Door) -> None:
    answer = httpx.post(
        f"{door.url}/hooks/open?shop=1&shop=2&city=%EC%84%9C%EC%9A%B8&access_token=abc",
        content=b"\xec\x95\x88\xeb\x85\x95",
        headers={
            "Content-Type": "text/plain",
            "Cookie": "session=abc",
            "X-Shop": "west",
            "X-Other": "1",
            "X-Api-Key": "abc",
        },
        timeout=60,
    )
    trigger = door.trigger(answer)
    assert trigger["body"] == "안녕"
    assert trigger["query"] == {"shop": ["1", "2"], "city": "서울"}
    assert trigger["headers"].keys() == {"content-type", "user-agent", "x-shop"}
    assert "abc" not in json.dumps(trigger)
    form = door.post("open", b"a=1&b=2&b=3", {"Content-Type": "application/x-www-form-urlencoded"})
    assert door.trigger(form)["body"] == {"a": "1", "b": ["2", "3"]}
    assert door.trigger(httpx.get(f"{door.url}/hooks/open", timeout=60))["body"] is None


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 422),
        (b"NaN", "application/json", 422),
        (b"1e999", "application/json", 422),
        (b'"\\ud800"', "application/json", 422),
        (b"[" * 5_000 + b"]" * 5_000, "application/json", 422),
        (b"[" * 50_000, "application/json", 422),
        (b"\xff", "application/json", 422),
        (b"\xff", "text/plain", 422),
        (b"%ff=1", "application/x-www-form-urlencoded", 422),
        (b"&".join(b"a=1" for _ in range(2_000)), "application/x-www-form-urlencoded", 422),
        (b"--x", "multipart/form-data; boundary=x", 422),
        (b"x" * 100_001, "text/plain", 413),
    ],
)
def test_a_body_that_cannot_be_taken_is_refused(door: Door, body: bytes, kind: str, status: int) -> None:
    before = door.count("open")
    answer = door.post("open", body, {"Content-Type": kind})
    assert answer.status_code == status, answer.text
    assert len(answer.text) < 1_000
    assert door.count("open") == before


def test_a_body_that_is_longer_than_it_says_is_cut_off(door: Door) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(20):
            yield b"x" * 10_000

    answer = httpx.post(f"{door.url}/hooks/open", content=pieces(), headers={"Content-Type": "text/plain"}, timeout=60)
    assert answer.status_code == 413


def test_a_sender_that_dawdles_is_sent_away(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "_BODY_SECONDS", 0.1)
    host, port = door.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as dawdler:
        dawdler.sendall(b"POST /hooks/open HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc")
        assert dawdler.recv(100).startswith(b"HTTP/1.1 408")


def test_what_comes_again_is_answered_the_same_and_starts_nothing(door: Door) -> None:
    body = b'{"again": true}'
    first = door.post("standard", body, senders.standard(body, "msg_again"))
    count = door.count("standard")
    again = door.post("standard", body, senders.standard(body, "msg_again"))
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["Location"] == first.headers["Location"]
    assert door.count("standard") == count
    other = door.post("standard", body, senders.standard(body, "msg_other"))
    assert other.json()["run_id"] != first.json()["run_id"]
    keyed = [door.post("open", b"{}", {"Idempotency-Key": "k" * 400}) for _ in range(2)]
    assert keyed[0].content == keyed[1].content


def test_a_thousand_at_once_are_one_run(door: Door) -> None:
    body = b'{"at": "once"}'
    count = door.count("models")
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: door.post("models", body, senders.mlflow(body, "once")), range(60)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    assert door.count("models") == count + 1


def test_the_latest_wins_for_each_key(door: Door) -> None:
    first, other = door.post("last", b'{"order": 1}'), door.post("last", b'{"order": 2}')
    second = door.post("last", b'{"order": 1, "n": 2}')
    assert [door.state(one) for one in (first, other, second)] == ["superseded", "launched", "launched"]
    run = door.backend.instance.get_run_by_id(first.json()["run_id"])
    assert run is not None
    assert run.status.value == "CANCELED"
    wrong = door.post("last", b"{}")
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["pointer"] == "by"


def test_after_a_while_of_quiet_one_run_starts_with_the_last_body(door: Door) -> None:
    first = door.post("calm", b'{"order": 1}')
    other = door.post("calm", b'{"order": 2}')
    last = door.post("calm", b'{"order": 1, "n": 2}')
    assert [door.state(one) for one in (first, other, last)] == ["superseded", "delayed", "delayed"]
    with door.backend.database.read() as connection:
        kept = submissions.find(connection, last.json()["run_id"])
    assert kept is not None
    assert kept.order.trigger is not None
    assert kept.due == pytest.approx(kept.accepted + 3_600)
    assert kept.order.trigger["body"] == {"order": 1, "n": 2}


def test_params_are_checked_before_a_run_exists(door: Door) -> None:
    assert door.order(door.post("apart", b'{"town": "Busan"}'))["city"] == "Busan"
    for body, field in ((b'{"town": "a name too long"}', "city"), (b"{}", "params.city")):
        answer = door.post("apart", body)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == field


def notification(*objects: tuple[str, str], event: str = "s3:ObjectCreated:Put") -> bytes:
    records = [
        {"eventName": event, "s3": {"bucket": {"name": "shop"}, "object": {"key": key, "size": 3, "sequencer": number}}}
        for key, number in objects
    ]
    return json.dumps({"EventName": event, "Key": "shop/x", "Records": records}).encode()


def test_a_bucket_that_tells_of_objects_starts_a_run_for_each_of_them_once(door: Door) -> None:
    def told(*objects: tuple[str, str], **more: str) -> list[dict[str, str]]:
        body = notification(*objects, **more)
        answer = door.post("inbox", body, senders.minio(body))
        assert answer.status_code == (202 if answer.json()["runs"] else 200)
        found: list[dict[str, str]] = answer.json()["runs"]
        return found

    first = told(("in/a+b.csv", "1"), ("in/c.txt", "2"), ("out/d.csv", "3"))
    assert [one["key"] for one in first] == ["in/a b.csv"]
    run = door.backend.instance.get_run_by_id(first[0]["run_id"])
    assert run is not None
    assert "s3://shop/in/a b.csv" in json.dumps(run.run_config)
    assert told(("in/a+b.csv", "1")) == first
    again = told(("in/a+b.csv", "1"), ("in/a+b.csv", "4"))
    assert again[0] == first[0]
    assert again[1]["run_id"] != first[0]["run_id"]
    assert told(("in/e.csv", "5"), event="s3:ObjectRemoved:Delete") == []
    assert door.post("inbox", b"{}", senders.minio(b"{}")).status_code == 422
    assert door.post("inbox", notification(("in/f.csv", "6"))).status_code == 401
    assert door.count("inbox") == 2


def test_a_batch_is_of_those_that_nobody_has_told_of(door: Door) -> None:
    def told(*objects: tuple[str, str]) -> dict[str, str]:
        body = notification(*objects)
        answer = door.post("packs", body, senders.minio(body))
        return {one["key"]: one["run_id"] for one in answer.json()["runs"]}

    first = told(("a", "1"), ("b", "2"), ("b", "2"))
    assert first.keys() == {"a", "b"}
    assert len(set(first.values())) == 1
    second = told(("a", "1"), ("c", "3"))
    assert second["a"] == first["a"]
    assert second["c"] != first["a"]
    run = door.backend.instance.get_run_by_id(second["c"])
    assert run is not None
    assert [one["key"] for one in door.config_of(run)["trigger"]["objects"]] == ["c"]
    with ThreadPoolExecutor(6) as pool:
        same = list(pool.map(lambda number: told(("x", "7"), (f"y{number % 3}", "8")), range(12)))
    assert len({one["x"] for one in same}) == 1
    assert door.count("packs") <= 2 + 3


def test_a_light_pipeline_answers_itself_and_the_same_again(door: Door) -> None:
    body = b'{"order": "A-1"}'
    first = door.post("reply", body, senders.github(body, "r1"))
    assert (first.status_code, first.headers["X-Shop"], first.json()["order"]) == (201, "west", "A-1")
    again = door.post("reply", body, senders.github(body, "r1"))
    assert (again.status_code, again.headers["X-Shop"], again.content) == (201, "west", first.content)
    other = door.post("reply", body, senders.github(body, "r2"))
    assert other.json()["run"] != first.json()["run"]
    assert door.post("later", body, senders.github(body, "r1")).status_code == 202


def test_one_that_comes_again_while_it_is_answered_waits_for_that_answer(door: Door) -> None:
    body = b'{"order": "A-2", "wait": 1}'
    with ThreadPoolExecutor(5) as pool:
        found = list(pool.map(lambda _: door.post("reply", body, senders.github(body, "slow")), range(5)))
    assert {answer.status_code for answer in found} == {201}
    assert len({answer.content for answer in found}) == 1


def test_a_pipeline_that_fails_is_answered_so_and_not_run_again(door: Door) -> None:
    body = b'{"fail": true}'
    answers = [door.post("reply", body, senders.github(body, "failing")) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [502, 502]
    assert answers[0].content == answers[1].content


def test_a_body_can_be_the_params_of_a_typed_flow(door: Door) -> None:
    body = b'{"number": 3}'
    given = door.order(door.post("typed", body, senders.github(body, "t1")))
    assert given["number"] == 3
    for body, field in ((b'{"number": "three"}', "number"), (b"[]", "params"), (b'{"number": 1, "x": 2}', "x")):
        answer = door.post("typed", body, senders.github(body, "t2"))
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == field
