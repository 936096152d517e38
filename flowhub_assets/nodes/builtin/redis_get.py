"""The kind redis-get."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from flowhub_assets.nodes.connection_names import ConnectionName
from flowhub_assets.nodes.databases.redis_client import on_redis
from flowhub_assets.nodes.json_reading import read_json
from flowhub_assets.nodes.sdk import Node, NodeConfig, NodeContext, NodeError, NodeInput, NodeOutput


class RedisGet(Node):
    """Reads the value of a key from Redis.

    `value` is the text that lies under `key`, or with `json: true` what that text is as JSON. Where there is no such
    key, `value` is `inputs.default`, and `found` is false.

    **Connections**: `connection: redis`, the default, reads the URL from `REDIS_URL` of the env profile or the
    environment: `redis://user:password@host:6379/0`, `rediss://` with TLS. It needs
    `pip install 'flowhub-assets[nodes]'`.

    **Errors**: a key that holds no text (a list, a hash, bytes), text that is not JSON, more than `maxBytes`, no
    answer within `timeout` seconds, a refused log-in.
    """

    name = "redis-get"
    category = "database"
    primary = "value"
    example = """\
- id: last-visit
  type: redis-get
  config: {json: true}
  inputs: {key: "visits:kim", default: {count: 0}}
"""

    class Config(NodeConfig):
        """How the value is read."""

        connection: ConnectionName = Field(
            "redis", description="Name of the connection: redis reads REDIS_URL of the profile."
        )
        as_json: bool = Field(False, alias="json", description="Whether the text is read as JSON.")
        max_bytes: int = Field(10_000_000, ge=1, le=512_000_000, description="A longer value is refused.")
        timeout: float = Field(10, gt=0, le=3600, description="Seconds after which the call is given up.")

    class Input(NodeInput):
        """What to read."""

        key: str = Field(min_length=1, description="The key.")
        default: Any = Field(None, description="The value where there is no such key.")

    class Output(NodeOutput):
        """What was there."""

        value: Any = Field(description="The value, or the default.")
        found: bool = Field(description="Whether the key was there.")

    config: Config

    async def execute(self, input: Input, context: NodeContext) -> Output:
        """Reads the value."""
        most = self.config.max_bytes

        def read(client: Any) -> bytes | None:
            # As much as is allowed and one byte more, so that a huge value is not even sent.
            part: bytes = client.getrange(input.key, 0, most)
            # Nothing is what an empty value and an absent key give; GET tells them apart.
            whole: bytes | None = part or client.get(input.key)
            return whole

        data = await on_redis(
            context.connection(self.config.connection),
            read,
            seconds=self.config.timeout,
            doing=f"reading {input.key!r} from Redis",
        )
        if data is None:
            return self.Output(value=input.default, found=False)
        if len(data) > most:
            raise NodeError(
                f"the value of {input.key!r} has more than {most:,} bytes",
                remedy="Raise maxBytes, or keep large data in the storage and its URL in Redis.",
                retry=False,
            )
        return self.Output(value=self._value(input.key, data), found=True)

    def _value(self, key: str, data: bytes) -> Any:
        try:
            text = data.decode()
            return read_json(text) if self.config.as_json else text
        except UnicodeDecodeError:
            raise NodeError(
                f"the value of {key!r} is not text in UTF-8", remedy="Read it in a python node.", retry=False
            ) from None
        except ValueError as error:
            raise NodeError(
                f"the value of {key!r} is not JSON: {error}",
                remedy="Leave out json: true to have it as text.",
                retry=False,
            ) from None
