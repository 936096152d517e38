"""The kind object-arrival: a run that a new file or object in the storage starts."""

from __future__ import annotations

from pydantic import Field

from flowhub_assets.nodes.durations import Seconds
from flowhub_assets.nodes.sdk import Node, NodeContext, NodeInput
from flowhub_assets.nodes.signed_triggers import SignedConfig
from flowhub_assets.nodes.trigger_kinds import TriggerOutput, brought, text_under


class ObjectArrival(Node):
    """Gives the file or object whose arrival in the storage started the run.

    As `trigger: {type: object-arrival, prefix: inbox/, pattern: "*.csv"}` of a pipeline it starts a run for each
    object that arrives there; the same keys are the config of the node. As a node it hands the object's URL and key
    on, which a storage-read node can take; they can as well be read from `{{trigger.url}}` and `{{trigger.key}}`. In
    a run that something else has started all of them are null.

    **Errors**: none of its own.
    """

    name = "object-arrival"
    category = "trigger"
    primary = "url"
    example = """\
- id: new-file
  type: object-arrival
  config: {prefix: inbox/, pattern: "*.csv"}
"""

    class Config(SignedConfig):
        """Which objects start a run."""

        prefix: str = Field("", description="What the object's key begins with: a folder such as inbox/.")
        pattern: str = Field("*", description="What the rest of the key looks like; * stands for anything.")
        every: Seconds = Field(60, gt=0, description="The time between two looks: seconds, or 30s, 5m, 1h30m.")

    class Input(NodeInput):
        """Nothing: the object is what it takes."""

    class Output(TriggerOutput):
        """The object that arrived."""

        url: str | None = Field(description="The object's URL in the storage.")
        key: str | None = Field(description="The object's key: its path below the workspace or bucket.")
        size: int | None = Field(description="The object's size in bytes.")

    async def execute(self, input: Input, context: NodeContext) -> Output:  # noqa: ARG002 - there is none
        """Hands the object on."""
        found = brought(context)
        arrived = found["trigger"]
        size = arrived.get("size")
        return self.Output(
            **found,
            url=text_under(arrived, "url"),
            key=text_under(arrived, "key"),
            size=size if isinstance(size, int) and not isinstance(size, bool) else None,
        )
