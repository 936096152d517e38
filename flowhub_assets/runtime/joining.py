"""Whether a task runs or is skipped, once all that it waits for is settled."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from flowhub_assets.ir.pipeline import Edge, Task
from flowhub_assets.ir.task_tree import waits_for


def skip_reason(task: Task, outputs: Mapping[str, Mapping[str, Any]], skipped: Container[str]) -> str:
    """Why ``task`` is to be skipped; "" if it is to run.

    The edges in ``after`` decide: one that is live is enough. Where there are none, what the task needs decides:
    one task that was not skipped is enough.
    """
    if task.after:
        if any(_is_live(edge, outputs, skipped) for edge in task.after):
            return ""
        return "not chosen: " + ", ".join(_told(edge, skipped) for edge in task.after)
    upstream = waits_for(task)
    if not upstream or any(name not in skipped for name in upstream):
        return ""
    return f"all that it needs was skipped: {', '.join(upstream)}"


def _is_live(edge: Edge, outputs: Mapping[str, Mapping[str, Any]], skipped: Container[str]) -> bool:
    if edge.task in skipped:
        return False
    return edge.port is None or outputs.get(edge.task, {}).get("port") == edge.port


def _told(edge: Edge, skipped: Container[str]) -> str:
    if edge.task in skipped:
        return f"{edge.task} was skipped"
    return f"{edge.task} did not take {edge.port}"
