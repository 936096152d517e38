"""Graph pipelines from plain functions, and their jobs run in this process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from flowhub_assets.definitions import location
from flowhub_assets.ir.pipeline import FLOW_INPUT, Node, Pipeline, Source, Task
from flowhub_assets.runtime.step import Runnable
from flowhub_assets.runtime.storage import get_storage
from flowhub_assets.runtime.values import Values
from flowhub_assets.to_dagster.flow_definitions import FlowDefinitions

HERE = Source(__file__, 1)
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def light(name: str, *needs: str, **more: Any) -> Task:
    """A light task that looks like a node, whose body is given by hand."""
    given = {"merge": False, "run_on": "engine", "node": Node("by-hand"), **more}
    return Task(name, needs or (FLOW_INPUT,), HERE, **given)


def graph_flow(tasks: list[Task], bodies: Mapping[str, Any], **more: Any) -> FlowDefinitions:
    """The definitions of a pipeline of these tasks; without a body of its own a task lists who has run before it."""
    pipeline = Pipeline(more.pop("name", "by-hand"), tuple(tasks), HERE, **more)
    everything = {**{task.name: _named(task.name) for task in tasks}, **bodies}
    return location.flow(Runnable(pipeline, everything))


def _named(name: str) -> Any:
    return lambda *args: {"ran": [*(one for arg in args for one in arg.get("ran", ())), name]}


@dataclass(frozen=True)
class GraphRan:
    """How a job ended: step keys by how they ended, and its saved values."""

    result: dg.ExecuteInProcessResult
    values: Values

    def steps(self, kind: str) -> list[str]:
        """The keys of the steps with such an event, sorted."""
        return sorted(event.step_key or "" for event in self.result.all_events if event.event_type_value == kind)

    def value(self, task: str, *, step: str = "") -> dict[str, Any]:
        """What the task has saved in this run, alone or in the document of a fused ``step``."""
        value = self.values.load(self.result.run_id, step or task)
        found: dict[str, Any] = value[task] if step else value
        return found

    def metadata(self, step: str) -> Mapping[str, Any]:
        """What the step's output showed."""
        for event in self.result.all_events:
            if event.event_type_value == "STEP_OUTPUT" and event.step_key == step:
                return event.step_output_data.metadata
        raise KeyError(step)


def run_graph(flow: FlowDefinitions, workspace: Path, params: Mapping[str, Any] | None = None, **more: Any) -> GraphRan:
    """Runs the flow's job in this process, its storage in ``workspace``."""
    key = "params" if "params" in flow.job.resource_defs else f"{flow.job.name}_params"
    resources = {"storage": {"config": {"workspace": str(workspace)}}, key: {"config": dict(params or {})}}
    config = {**QUIET, "resources": resources}
    result = flow.job.execute_in_process(run_config=config, raise_on_error=False, **more)
    return GraphRan(result, Values(get_storage({"WORKSPACE": str(workspace)}), flow.pipeline.name))


@contextmanager
def instance_in(folder: Path) -> Iterator[dg.DagsterInstance]:
    """A Dagster instance whose storage is in ``folder``."""
    (folder / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        yield instance
