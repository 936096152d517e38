"""The kind manual: a run that somebody starts."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from flowhub_assets.nodes.sdk import Node, NodeConfig, NodeContext, NodeInput
from flowhub_assets.nodes.trigger_kinds import TriggerOutput, brought


class Manual(Node):
    """Gives what the person who started the run gave with it.

    As `trigger: {type: manual}` of a pipeline it says that nothing but a person, or a program in their name, starts
    runs. As a node it hands on what was given, in `data`; the params of the run are in `{{params}}`.

    **Errors**: none of its own.
    """

    name = "manual"
    category = "trigger"
    primary = "data"
    example = """\
- id: started
  type: manual
"""

    class Config(NodeConfig):
        """Nothing to say."""

    class Input(NodeInput):
        """Nothing: the start is what it takes."""

    class Output(TriggerOutput):
        """What was given at the start."""

        data: Any = Field(description="What the trigger brought under `data`; null for nothing.")

    async def execute(self, input: Input, context: NodeContext) -> Output:  # noqa: ARG002 - there is none
        """Hands on what was given."""
        found = brought(context)
        return self.Output(**found, data=found["trigger"].get("data"))
