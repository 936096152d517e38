"""A library that is not installed is told with what to install."""

from __future__ import annotations

import sys

import pytest

from flowhub_assets.nodes import NodeContext, NodeError, run
from flowhub_assets.nodes.builtin.mongodb_query import MongodbQuery
from flowhub_assets.nodes.builtin.redis_get import RedisGet
from flowhub_assets.nodes.builtin.sql_query import SqlQuery

MONGO = {"database": "d", "collection": "c"}


@pytest.mark.parametrize(
    ("kind", "module", "config", "inputs"),
    [
        (MongodbQuery, "pymongo", MONGO, {}),
        (RedisGet, "redis", {}, {"key": "a"}),
        (SqlQuery, "psycopg2", {"connection": "sql", "query": "SELECT 1"}, {}),
    ],
)
def test_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, kind: object, module: str, config: dict[str, str], inputs: dict[str, str]
) -> None:
    profile = dict.fromkeys(("MONGODB_URL", "REDIS_URL"), f"{module}://127.0.0.1:2/{module}")
    profile["SQL_URL"] = "postgresql://127.0.0.1:2/driver_that_is_missing"
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(NodeError) as caught:
        run(kind, config=config, context=NodeContext(profile=profile), **inputs)  # type: ignore[arg-type]
    assert caught.value.what == f"this Python has no {module}, which speaks to the database"
    assert "pip install 'flowhub-assets[nodes]'" in caught.value.remedy
    assert not caught.value.retry
