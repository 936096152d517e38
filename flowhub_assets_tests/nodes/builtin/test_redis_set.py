"""redis-set against a real Redis."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowhub_assets.nodes import NodeContext, NodeError, run
from flowhub_assets.nodes.builtin.redis_get import RedisGet
from flowhub_assets.nodes.builtin.redis_set import RedisSet
from flowhub_assets_tests.json_values import json_values
from flowhub_assets_tests.redis_server import RedisServer

JSON = json_values()


def put(context: NodeContext, key: str, value: Any, **config: Any) -> Any:
    return run(RedisSet, config=config, context=context, key=key, value=value)


def test_text_as_it_is_and_everything_else_as_json(with_redis: NodeContext, shared_redis: RedisServer) -> None:
    client = shared_redis.client()
    assert put(with_redis, "a", "말").model_dump() == {"key": "a", "written": True}
    put(with_redis, "b", {"n": [1, None]})
    put(with_redis, "c", True)
    put(with_redis, "d", "말", json=True)
    assert client.mget("a", "b", "c", "d") == ["말", '{"n": [1, null]}', "true", '"말"']


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.text(min_size=1), value=JSON)
def test_json_is_read_as_it_was_written(with_redis: NodeContext, key: str, value: Any) -> None:
    put(with_redis, key, value, json=True)
    assert run(RedisGet, config={"json": True}, context=with_redis, key=key).value == value


def test_a_key_with_a_time_to_live(with_redis: NodeContext, shared_redis: RedisServer) -> None:
    client = shared_redis.client()
    put(with_redis, "a", 1, ttl=600.5)
    assert 0 < client.pttl("a") <= 600_500
    put(with_redis, "a", 2)
    assert client.pttl("a") == -1


@pytest.mark.parametrize("ttl", [0, -1, 10**10])
def test_a_time_to_live_is_some_time(with_redis: NodeContext, ttl: float) -> None:
    with pytest.raises(NodeError, match=r"config\.ttl"):
        put(with_redis, "a", 1, ttl=ttl)


def test_one_of_several_gets_a_key_that_is_absent(with_redis: NodeContext, shared_redis: RedisServer) -> None:
    assert put(with_redis, "lock", "run 1", onlyIfAbsent=True, ttl=60).written
    assert not put(with_redis, "lock", "run 2", onlyIfAbsent=True, ttl=60).written
    assert shared_redis.client().get("lock") == "run 1"


def test_a_full_server_is_told(with_redis: NodeContext, shared_redis: RedisServer) -> None:
    client = shared_redis.client()
    client.config_set("maxmemory", 1)
    try:
        with pytest.raises(NodeError, match="maxmemory") as caught:
            put(with_redis, "a", "x")
    finally:
        client.config_set("maxmemory", 0)
    assert "Redis is full" in caught.value.remedy
