"""The kind redis-set."""

from __future__ import annotations

import json
from typing import Any

from pydantic import Field

from flowhub_assets.nodes.connection_names import ConnectionName
from flowhub_assets.nodes.databases.redis_client import on_redis
from flowhub_assets.nodes.sdk import Node, NodeConfig, NodeContext, NodeInput, NodeOutput


class RedisSet(Node):
    """Writes a value under a key of Redis.

    Text is written as it is, everything else as JSON; with `json: true` text is written as JSON, too, so that
    redis-get with `json: true` gives back exactly what was written. With `ttl` the key is gone after so many
    seconds; without it a time that the key had is gone.

    With `onlyIfAbsent: true` a value that is there stays, and `written` is false: of several runs, one gets the key.
    A retry after an answer that was lost finds the value of its own first try, and says `written: false`.

    **Connections**: as in redis-get.

    **Errors**: a full or read-only server, no answer within `timeout` seconds, a refused log-in.
    """

    name = "redis-set"
    category = "database"
    example = """\
- id: remember-visit
  type: redis-set
  config: {ttl: 3600}
  inputs:
    key: "visits:kim"
    value: {count: 1}
"""

    class Config(NodeConfig):
        """How the value is written."""

        connection: ConnectionName = Field(
            "redis", description="Name of the connection: redis reads REDIS_URL of the profile."
        )
        ttl: float | None = Field(None, ge=0.001, le=10**9, description="Seconds until the key is gone; none: never.")
        only_if_absent: bool = Field(False, description="Whether a value that is there stays.")
        as_json: bool = Field(False, alias="json", description="Whether text is written as JSON, in quotes, too.")
        timeout: float = Field(10, gt=0, le=3600, description="Seconds after which the call is given up.")

    class Input(NodeInput):
        """What to write."""

        key: str = Field(min_length=1, description="The key.")
        value: Any = Field(description="The value: text, or any JSON.")

    class Output(NodeOutput):
        """What was done."""

        key: str = Field(description="The key.")
        written: bool = Field(description="Whether the value was written: false if another one was there and stays.")

    config: Config

    async def execute(self, input: Input, context: NodeContext) -> Output:
        """Writes the value."""
        settings = self.config
        plain = isinstance(input.value, str) and not settings.as_json
        text = input.value if plain else json.dumps(input.value, ensure_ascii=False)
        milliseconds = None if settings.ttl is None else max(1, round(settings.ttl * 1000))
        written = await on_redis(
            context.connection(settings.connection),
            lambda client: client.set(input.key, text, px=milliseconds, nx=settings.only_if_absent),
            seconds=settings.timeout,
            doing=f"writing {input.key!r} to Redis",
        )
        return self.Output(key=input.key, written=bool(written))
