"""Pipelines of nodes, as a pipeline file would make them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowhub_assets.ir.pipeline import FLOW_INPUT, LOOP_ITEM, Loop, Node, Pipeline, Source, Task

HERE = Source("/flows/pipeline.yaml", 1)


def node(
    name: str,
    kind: str,
    config: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Any] | None = None,
    needs: tuple[str, ...] = (),
    **more: Any,
) -> Task:
    """A task that is a node of that kind; it needs the flow's input and ``needs``."""
    all_needs = (FLOW_INPUT, *needs)
    settings: dict[str, Any] = {"merge": False, "run_on": "engine", **more}
    return Task(name, all_needs, HERE, node=Node(kind, config or {}, inputs or {}), **settings)


def loop(name: str, items: Any, tasks: tuple[Task, ...], needs: tuple[str, ...] = (), **more: Any) -> Task:
    """A loop over ``items`` whose result is the last of ``tasks``."""
    return node(
        name, "loop", {"items": items}, needs=needs, loop=Loop(str(items), tasks, result=tasks[-1].name, **more)
    )


def pipeline(*tasks: Task, **more: Any) -> Pipeline:
    """A pipeline of them, in this order."""
    return Pipeline("nightly", tasks, HERE, result=(tasks[-1].name,), **more)


ITEM = LOOP_ITEM
ENV: Mapping[str, Any] = {"WORKSPACE": "tmp", "project": "nightly", "run_id": "r1", "task": "t"}


def args_of(task: Task, env: Mapping[str, Any] = ENV, **values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a runner gives the body of ``task``: ``flow_input``, ``item`` and values by the names of its needs."""
    keys = {FLOW_INPUT: "flow_input", LOOP_ITEM: "item"}
    return [{**values.get(keys.get(name, name), {}), "env": dict(env)} for name in task.needs]
