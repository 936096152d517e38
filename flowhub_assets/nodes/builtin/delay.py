"""The kind delay: a pause."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

from pydantic import Field, model_validator

from flowhub_assets.nodes.durations import Seconds
from flowhub_assets.nodes.sdk import Node, NodeConfig, NodeError, NodeInput, NodeOutput

#: A week: who waits longer needs a schedule.
_LONGEST = 7 * 86_400


class Delay(Node):
    """Waits for some time, or until a time, and hands on what it was given.

    Nothing is held meanwhile but the run itself. When the run is stopped, the wait ends at once.

    **Errors**: a time that is none. A time in the past is no error: there is nothing to wait for.
    """

    name = "delay"
    category = "utility"
    primary = "value"
    example = """\
- id: wait
  type: delay
  config: {seconds: 1.5}
"""

    class Config(NodeConfig):
        """How long."""

        seconds: Seconds | None = Field(None, ge=0, le=_LONGEST, description="How long: seconds, or 30s, 5m, 1h30m.")
        until: str | None = Field(None, description="Until when instead: ISO 8601, in UTC where it names no zone.")

        @model_validator(mode="after")
        def _says_how_long(self) -> Delay.Config:
            if (self.seconds is None) == (self.until is None):
                raise ValueError("must say either seconds or until")
            return self

    class Input(NodeInput):
        """What is handed on."""

        value: Any = Field(None, description="Any value, for the nodes after the pause.")

    class Output(NodeOutput):
        """What was handed on."""

        value: Any = Field(description="The value that was given.")
        waited: float = Field(description="How long the node waited, in seconds.")

    config: Config

    async def execute(self, input: Input) -> Output:
        """Waits."""
        seconds = self.config.seconds if self.config.until is None else _seconds_until(self.config.until)
        assert seconds is not None
        await asyncio.sleep(seconds)
        return self.Output(value=input.value, waited=seconds)


def _seconds_until(text: str) -> float:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise NodeError(
            f"config.until is {text!r}, which is no time", remedy="Write it as 2024-01-31T09:00:00Z.", retry=False
        ) from None
    seconds = ((moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)) - dt.datetime.now(dt.UTC)).total_seconds()
    if seconds > _LONGEST:
        raise NodeError(f"config.until is {text!r}, more than a week away", remedy="Use a schedule.", retry=False)
    return max(0.0, seconds)
