"""The kind error: a failure that the pipeline wants."""

from __future__ import annotations

from pydantic import Field

from flowhub_assets.nodes.sdk import Node, NodeConfig, NodeError, NodeInput, NodeOutput


class Refused(NodeError):
    """What a node of the kind error raises."""


class Error(Node):
    """Fails, with a message of the pipeline's own.

    It is for the branch that must not be reached: the run fails here, and `onFailure` gets the message. With
    `retry: true` the node's retries are made first, which helps where a value of the outside decides.

    **Errors**: Refused, always.
    """

    name = "error"
    category = "utility"
    example = """\
- id: refuse
  type: error
  when: "trigger.count < 0"
  inputs: {message: "count is {{trigger.count}}, below 0", remedy: "Start again with another count."}
"""

    class Config(NodeConfig):
        """How it fails."""

        retry: bool = Field(False, description="Whether the node's retries are made.")

    class Input(NodeInput):
        """What is told."""

        message: str = Field(min_length=1, description="What is wrong.")
        remedy: str = Field("", description="What to do about it.")

    class Output(NodeOutput):
        """Nothing: it never ends well."""

    config: Config

    async def execute(self, input: Input) -> Output:
        """Raises Refused."""
        raise Refused(input.message, remedy=input.remedy, retry=self.config.retry)
