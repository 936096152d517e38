"""What the kinds that stand for triggers have in common: as nodes they give what started the run."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from flowhub_assets.nodes.sdk import NodeContext, NodeError, NodeOutput


class TriggerOutput(NodeOutput):
    """What started the run."""

    type: str = Field(description="The type of the trigger that started the run; manual where nothing else did.")
    time: str | None = Field(description="When it fired, ISO 8601 in UTC; null where that is not known.")
    trigger: dict[str, Any] = Field(description="All that the trigger brought, as `{{trigger}}` has it.")


def brought(context: NodeContext) -> dict[str, Any]:
    """The fields of TriggerOutput. Raises NodeError where what the trigger brought is no object."""
    found: Any = context.trigger
    if not isinstance(found, dict):
        raise NodeError("what the trigger brought is no object", remedy="Start the run with an object.", retry=False)
    kind, time = found.get("type"), found.get("time")
    return {
        "type": kind if isinstance(kind, str) else "manual",
        "time": time if isinstance(time, str) else None,
        "trigger": found,
    }


def object_under(trigger: dict[str, Any], key: str) -> dict[str, Any]:
    """The object under the key; empty if there is none."""
    found = trigger.get(key)
    return found if isinstance(found, dict) else {}


def text_under(trigger: dict[str, Any], key: str) -> str | None:
    """The text under the key; None if there is none."""
    found = trigger.get(key)
    return found if isinstance(found, str) else None
