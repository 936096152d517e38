"""redis-get against a real Redis."""

from __future__ import annotations

import signal
import threading
from typing import Any

import pytest

from flowhub_assets.nodes import NodeContext, NodeError, run
from flowhub_assets.nodes.builtin.redis_get import RedisGet
from flowhub_assets_tests.nodes.stopping import stopped
from flowhub_assets_tests.redis_server import RedisServer


def get(context: NodeContext, key: str, default: Any = None, **config: Any) -> Any:
    return run(RedisGet, config=config, context=context, key=key, default=default)


def refused(context: NodeContext, key: str, **config: Any) -> NodeError:
    with pytest.raises(NodeError) as caught:
        get(context, key, **config)
    return caught.value


def test_the_text_or_what_it_is_as_json(with_redis: NodeContext, shared_redis: RedisServer) -> None:
    shared_redis.client().set("방문", '{"n": [1, null]}')
    assert get(with_redis, "방문").model_dump() == {"value": '{"n": [1, null]}', "found": True}
    assert get(with_redis, "방문", json=True).value == {"n": [1, None]}


def test_the_default_where_there_is_no_key(with_redis: NodeContext, shared_redis: RedisServer) -> None:
    assert get(with_redis, "none", default={"n": 0}).model_dump() == {"value": {"n": 0}, "found": False}
    shared_redis.client().set("empty", "")
    assert get(with_redis, "empty", default="x").model_dump() == {"value": "", "found": True}


def test_what_is_no_text_is_told(with_redis: NodeContext, shared_redis: RedisServer) -> None:
    shared_redis.client().rpush("list", "a")
    error = refused(with_redis, "list")
    assert "WRONGTYPE" in error.what
    assert "a list, a hash or a set" in error.remedy
    shared_redis.client().set("bytes", b"\xff")
    assert "UTF-8" in refused(with_redis, "bytes").what
    for text in ("{", '{"n": NaN}', "[" * 100_000):
        shared_redis.client().set("text", text)
        assert "is not JSON" in refused(with_redis, "text", json=True).what
    assert not error.retry


def test_a_value_beyond_the_bound_is_refused(with_redis: NodeContext, shared_redis: RedisServer) -> None:
    shared_redis.client().set("large", "x" * 11)
    assert get(with_redis, "large", maxBytes=11).value == "x" * 11
    error = refused(with_redis, "large", maxBytes=10)
    assert (error.what, error.retry) == ("the value of 'large' has more than 10 bytes", False)


@pytest.mark.parametrize("password", ["planted", "pl@nted", "pl%2Fnted"])
def test_a_wrong_password_is_told_without_it(shared_redis: RedisServer, password: str) -> None:
    url = f"redis://:{password}@127.0.0.1:{shared_redis.port}/0"
    error = refused(NodeContext(profile={"REDIS_URL": url}), "key")
    assert "password of the connection" in error.remedy
    assert "nted" not in f"{error.what} {error.remedy}"
    assert not error.retry


@pytest.mark.parametrize("url", ["redis://:pl/nted@host", "http://:planted@host", "redis://:planted@host:port/0"])
def test_a_url_that_redis_py_does_not_take_is_told_without_it(url: str) -> None:
    error = refused(NodeContext(profile={"REDIS_URL": url}), "key")
    assert not error.retry
    assert "nted" not in f"{error.what} {error.remedy}"


def test_a_server_that_is_gone_may_be_tried_again() -> None:
    error = refused(NodeContext(profile={"REDIS_URL": "redis://127.0.0.1:1/0"}), "key")
    assert error.retry
    assert "can be reached from here" in error.remedy


def test_more_nodes_than_connections(with_redis: NodeContext, shared_redis: RedisServer) -> None:
    shared_redis.client().set("a", "1")
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(get(with_redis, "a").value)) for _ in range(120)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == ["1"] * 120


def test_a_silent_server_is_given_up_and_a_stopped_run_waits_for_none(
    with_redis: NodeContext, shared_redis: RedisServer
) -> None:
    assert not get(with_redis, "key").found
    shared_redis.process.send_signal(signal.SIGSTOP)
    try:
        error = refused(with_redis, "key", timeout=0.2)
        assert error.retry
        stopped(lambda context: get(context, "key", timeout=600), with_redis, lambda: True)
    finally:
        shared_redis.process.send_signal(signal.SIGCONT)
    assert not get(with_redis, "key").found


def test_a_database_that_the_server_lacks_is_told(shared_redis: RedisServer) -> None:
    error = refused(NodeContext(profile={"REDIS_URL": shared_redis.url(99)}), "key")
    assert "at the end of the connection's URL" in error.remedy
