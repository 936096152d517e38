"""``flowhub demo``: runs the shipped pipelines through Dagster, without a UI, and says where to look."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from dagster import DagsterInstance, ExecuteInProcessResult, JobDefinition, MarkdownMetadataValue

from flowhub_assets import pipelines
from flowhub_assets.cli.demo_order import in_order
from flowhub_assets.cli.demo_services import Services, dagster_home, demo_services, stopped_in_order
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.names import dagster_name
from flowhub_assets.to_dagster.failure_sensor import failure_requests, flow_steps, step_name
from flowhub_assets.to_dagster.flow_definitions import FlowDefinitions
from flowhub_assets.to_dagster.params import SHARED_PARAMS, params_key
from flowhub_assets.to_dagster.partitions import last_ended_key, partitions_definition
from flowhub_assets.to_dagster.value_io import SAVED_AS

#: A flow with this tag is there to fail: it is shown, and counts only if it does not.
FAILS_ON_PURPOSE = "fails-on-purpose"

#: A flow with this tag waits for a person's word, or for something to happen: the demo only names it.
ON_DEMAND = "on-demand"

#: What a task shows under this name, a command in a block of Markdown, is what one tries after the demo.
TRY = "ask it"

#: Beside a pipeline that is started with something: what ``flowhub run --input`` and the demo give it.
EXAMPLE_INPUT = "example-input.json"

_WIDTH_OF_A_LOG = 120

# The table tells what happened; Dagster's own log lines stay in its storage, where the UI shows them.
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    pipeline: str
    tasks: str
    result: str
    seconds: float
    values: str
    good: bool
    to_try: str = ""


@click.command()
def demo() -> None:
    """Run the shipped pipelines through Dagster and print what came out."""
    home = dagster_home()
    with stopped_in_order():
        with demo_services(home) as services:
            from flowhub_assets.definitions import load, location

            shipped = [Path(file) for folder in pipelines.__path__ for file in location.find_files(folder)]
            flows = in_order([location.flow(runnable) for file in shipped for runnable in load(file).runnables])
            with DagsterInstance.get() as instance:
                rows = list(_run_all(flows, instance, services))
        _print_table(rows)
    raise SystemExit(0 if all(row.good for row in rows) else 1)


def _run_all(flows: list[FlowDefinitions], instance: DagsterInstance, services: Services) -> Iterable[Row]:
    from rich.console import Console

    console = Console(stderr=True)
    console.print(
        f"For the time of the demo: {'; '.join(services.told)}", highlight=False, markup=False, soft_wrap=True
    )
    for flow in flows:
        if ON_DEMAND in flow.pipeline.tags:
            yield Row(flow.pipeline.name, f"0/{len(flow.pipeline.tasks)}", "is run on demand", 0.0, "", True)
            continue
        with console.status(f"{flow.pipeline.name}: {len(flow.pipeline.tasks)} tasks"):
            row = _run(flow, instance, services)
        console.print(f"{flow.pipeline.name}: {row.result}")
        yield row


def _run(flow: FlowDefinitions, instance: DagsterInstance, services: Services) -> Row:
    start = time.monotonic()
    result = _execute(flow.job, instance, _example_config(flow), partition_key=_example_partition(flow.pipeline))
    meant = FAILS_ON_PURPOSE in flow.pipeline.tags
    told, good = "succeeded", result.success and not meant
    if not result.success:
        handled = _call_on_failure(flow, result, instance)
        told, good = ("failed, as it should" if meant else "FAILED"), meant and handled is True
        if handled is not None:
            told += "; on_failure ran" if handled else "; on_failure FAILED"
        told += "".join(f": {reason}" for reason in _missing_services(result, services))
    return Row(
        pipeline=flow.pipeline.name,
        tasks=_tasks_done(flow, result),
        result=told,
        seconds=time.monotonic() - start,
        values=_where_values_are(result),
        good=good,
        to_try=_to_try(result),
    )


def _example_partition(pipeline: Pipeline) -> str | None:
    """The span of time that ended last, or the first cell; None where the pipeline has no partitions."""
    definition = partitions_definition(pipeline)
    last = last_ended_key(pipeline, datetime.now(UTC))
    return last if last is not None or definition is None else definition.get_first_partition_key()


def _example_config(flow: FlowDefinitions) -> dict[str, Any]:
    """The run config with the example that lies beside the pipeline's file, if there is one."""
    example = Path(flow.pipeline.source.file).parent / EXAMPLE_INPUT
    if not example.is_file():
        return {}
    own = params_key(flow.pipeline)
    key = own if own in flow.job.resource_defs else SHARED_PARAMS
    return {"resources": {key: {"config": json.loads(example.read_text("utf-8"))}}}


def _tasks_done(flow: FlowDefinitions, result: ExecuteInProcessResult) -> str:
    """How many of the tasks have ended well, of how many, and how many were skipped, which decisions do."""
    pipeline, steps = flow.pipeline, flow_steps(flow.pipeline)
    # A loop has several steps; the one with the task's own name comes last.
    ends = {name: task for name, task in steps.items() if name == dagster_name(task) or dagster_name(task) not in steps}
    done, skipped = set(), set()
    for event in result.all_events:
        task = ends.get(step_name(pipeline, event.step_key or ""))
        if task and event.is_step_success:
            done.add(task)
        elif task and event.is_step_skipped:
            skipped.add(task)
    told = f"{len(done)}/{len(pipeline.tasks)}"
    return f"{told}, {len(skipped)} skipped" if skipped and result.success else told


def _missing_services(result: ExecuteInProcessResult, services: Services) -> list[str]:
    """Why a run failed that asked for a service which could not be started."""
    said = "\n".join(str(event.event_specific_data) for event in result.all_events if event.is_step_failure)
    return [reason for variable, reason in services.missing.items() if variable in said]


def _execute(
    job: JobDefinition, instance: DagsterInstance, run_config: Mapping[str, Any], **more: Any
) -> ExecuteInProcessResult:
    return job.execute_in_process(run_config={**_QUIET, **run_config}, instance=instance, raise_on_error=False, **more)


def _call_on_failure(flow: FlowDefinitions, result: ExecuteInProcessResult, instance: DagsterInstance) -> bool | None:
    """Does what the on_failure sensor would do if the daemon ran. None if the flow has no on_failure."""
    if flow.failure_job is None:
        return None
    requests = failure_requests(instance, result.dagster_run, None, {flow.job.name: flow})
    job = flow.failure_job
    return all(_execute(job, instance, one.run_config, tags=dict(one.tags)).success for one in requests)


def _where_values_are(result: ExecuteInProcessResult) -> str:
    """The folder of the values, seen from here where it is below.

    That is <workspace>/<flow>/latest of a flow with assets; others have <workspace>/<flow>, where each run is a folder.
    """
    for event in result.get_asset_materialization_events():
        folder = _values_folder(event.step_materialization_data.materialization.metadata)
        if folder:
            return f"{folder}/latest"
    outputs = [event.step_output_data.metadata for event in result.all_events if event.is_successful_output]
    return next(filter(None, map(_values_folder, outputs)), "")


def _to_try(result: ExecuteInProcessResult) -> str:
    """The command that a task has shown for what it made; "" if none has."""
    for event in result.get_asset_materialization_events():
        shown = event.step_materialization_data.materialization.metadata.get(TRY)
        if isinstance(shown, MarkdownMetadataValue) and shown.md_str:
            return "\n".join(line for line in shown.md_str.splitlines() if not line.startswith("```"))
    return ""


def _values_folder(metadata: Mapping[str, Any]) -> str:
    saved = metadata.get(SAVED_AS)
    if saved is None:
        return ""
    # <folder>/runs/<run>/<task>.json
    return os.path.dirname(os.path.dirname(os.path.dirname(str(saved.value)))).removeprefix(f"{Path.cwd()}/")


def _print_table(rows: list[Row]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="The shipped pipelines, run by Dagster", title_justify="left")
    for heading in ("pipeline", "tasks", "result", "seconds", "values"):
        table.add_column(heading, justify="right" if heading == "seconds" else "left", overflow="fold")
    for row in rows:
        colour = "green" if row.good else "red"
        table.add_row(row.pipeline, row.tasks, f"[{colour}]{row.result}[/]", f"{row.seconds:.1f}", row.values)
    # A log or a pipe has no width of its own; folded cells would be hard to search there.
    console = Console(width=None if sys.stdout.isatty() else _WIDTH_OF_A_LOG)
    console.print(table)
    for row in rows:
        if row.to_try:
            end = os.path.relpath(Path(pipelines.__path__[0]) / "stop_serving" / "workflow.py")
            console.print(f"{row.pipeline} has left a server that goes on. Ask it, and end it:", highlight=False)
            print(f"\n    {row.to_try}\n    flowhub run {end}\n")
    console.print("Next: [bold]make dev[/], then open http://localhost:3000/asset-groups to see them in Dagster's UI.")
