"""The servers that the tests of several kinds speak to, and the profiles that lead there."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowhub_assets.nodes import NodeContext
from flowhub_assets_tests.mongo_double import MongoDouble, mongo
from flowhub_assets_tests.postgres_server import PostgresServer, shared_postgres
from flowhub_assets_tests.redis_server import RedisServer, shared_redis
from flowhub_assets_tests.s3_server import S3Server, s3

__all__ = ["mongo", "s3", "shared_postgres", "shared_redis"]


@pytest.fixture(params=["postgresql", "sqlite"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> NodeContext:
    """A profile whose connection ``shop`` is an empty database."""
    if request.param == "sqlite":
        return NodeContext(profile={"SHOP_URL": f"sqlite:///{tmp_path}/shop.db"})
    server: PostgresServer = request.getfixturevalue("shared_postgres")
    return NodeContext(profile={"SHOP_URL": server.new_database()})


@pytest.fixture
def postgres_shop(shared_postgres: PostgresServer) -> NodeContext:
    """A profile whose connection ``shop`` is an empty database of PostgreSQL."""
    return NodeContext(profile={"SHOP_URL": shared_postgres.new_database()})


@pytest.fixture
def with_redis(shared_redis: RedisServer) -> NodeContext:
    """A profile with Redis, which is empty."""
    shared_redis.client().flushall()
    return NodeContext(profile={"REDIS_URL": shared_redis.url()})


@pytest.fixture
def with_mongo(mongo: MongoDouble) -> NodeContext:
    """A profile with the double of MongoDB, in a run."""
    return NodeContext(profile={"MONGODB_URL": mongo.url, "project": "p", "run_id": "run-1", "task": "save"})


@pytest.fixture(params=["folder", "s3"])
def with_storage(request: pytest.FixtureRequest, tmp_path: Path) -> NodeContext:
    """A profile with an empty storage."""
    if request.param == "folder":
        return NodeContext(profile={"WORKSPACE": str(tmp_path / "workspace")})
    server: S3Server = request.getfixturevalue("s3")
    return NodeContext(profile=server.env())
