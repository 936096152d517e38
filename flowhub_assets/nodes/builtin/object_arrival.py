"""The kind object-arrival: a run that a new file or object in the storage starts."""

from __future__ import annotations

from typing import Any, Literal

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

    With `per: batch` all that a look finds is one run: `objects` lists it, and `url`, `key` and `size` are null.

    An object that is written anew arrives anew. What a run writes below the prefix arrives, too, but for the values of
    its steps: let a pipeline write elsewhere, or it starts itself for ever.

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
        per: Literal["object", "batch"] = Field("object", description="What a run is for: an object, or all of a look.")
        limit: int = Field(100, ge=1, le=1000, description="The most objects of a look; the next one takes the rest.")
        lateness: Seconds = Field(
            3600, ge=0, description="How late an object may come: a long upload has the time of its start."
        )
        looks: int = Field(
            10, ge=1, le=100, description="Over how many looks a long list is gone through; each sees its end as well."
        )
        existing: bool = Field(True, description="Whether objects count that were there before the first look.")

    class Input(NodeInput):
        """Nothing: the object is what it takes."""

    class Output(TriggerOutput):
        """The object that arrived."""

        url: str | None = Field(description="The object's URL in the storage.")
        key: str | None = Field(description="The object's key: its path below the workspace or bucket.")
        size: int | None = Field(description="The object's size in bytes.")
        objects: list[dict[str, Any]] = Field(description="All objects that the run is for: url, key, size and time.")

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
            objects=_objects(arrived),
        )


def _objects(arrived: dict[str, Any]) -> list[dict[str, Any]]:
    """What a batch lists; the one object of other runs."""
    found = arrived.get("objects")
    if isinstance(found, list):
        return [one for one in found if isinstance(one, dict)]
    return [{name: arrived.get(name) for name in ("url", "key", "size", "time")}] if arrived.get("url") else []
