"""The kind log: a line in the step's log."""

from __future__ import annotations

import json
import logging
from typing import Any, Literal

from pydantic import Field

from flowhub_assets.nodes.sdk import Node, NodeConfig, NodeContext, NodeInput, NodeOutput
from flowhub_assets.runtime.secret_values import mask_secrets


class Log(Node):
    """Writes a message to the step's log, and hands it on.

    Text is written as it is, any other value as JSON. Credentials of the profile, and passwords in URLs, are written
    as `***`.

    **Errors**: none of its own.
    """

    name = "log"
    category = "utility"
    primary = "message"
    example = """\
- id: tell
  type: log
  config: {level: warning}
  inputs: {message: "The run {{$run_id}} has begun."}
"""

    class Config(NodeConfig):
        """How important it is."""

        level: Literal["debug", "info", "warning", "error"] = Field("info", description="The level of the line.")

    class Input(NodeInput):
        """What is written."""

        message: Any = Field(description="The message: text, or any value, which is written as JSON.")

    class Output(NodeOutput):
        """What was written."""

        message: Any = Field(description="The message that was given.")

    config: Config

    async def execute(self, input: Input, context: NodeContext) -> Output:
        """Writes the line."""
        message = input.message
        text = message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)
        level = logging.getLevelNamesMapping()[self.config.level.upper()]
        context.logger.log(level, "%s", mask_secrets(text, context.profile))
        return self.Output(message=message)
