"""``flowhub demo``: runs the shipped pipelines through Dagster, without a UI, and says where to look."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import click
from dagster import DagsterInstance, ExecuteInProcessResult, JobDefinition

from flowhub_assets import pipelines
from flowhub_assets.to_dagster.failure_sensor import failure_requests
from flowhub_assets.to_dagster.flow_definitions import FlowDefinitions
from flowhub_assets.to_dagster.value_io import SAVED_AS

#: A flow with this tag is there to fail: it is shown, and counts only if it does not.
FAILS_ON_PURPOSE = "fails-on-purpose"

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


@click.command()
def demo() -> None:
    """Run the shipped pipelines through Dagster and print what came out."""
    os.environ.setdefault("DAGSTER_HOME", str(Path(".dagster").absolute()))
    Path(os.environ["DAGSTER_HOME"]).mkdir(parents=True, exist_ok=True)
    from flowhub_assets.definitions import load, location

    shipped = [Path(file) for folder in pipelines.__path__ for file in location.find_files(folder)]
    flows = [location.flow(runnable) for file in shipped for runnable in load(file).runnables]
    with DagsterInstance.get() as instance:
        rows = list(_run_all(flows, instance))
    _print_table(rows)
    raise SystemExit(0 if all(row.good for row in rows) else 1)


def _run_all(flows: list[FlowDefinitions], instance: DagsterInstance) -> Iterable[Row]:
    from rich.console import Console

    console = Console(stderr=True)
    for flow in flows:
        with console.status(f"{flow.pipeline.name}: {len(flow.pipeline.tasks)} tasks"):
            row = _run(flow, instance)
        console.print(f"{flow.pipeline.name}: {row.result}", highlight=False)
        yield row


def _run(flow: FlowDefinitions, instance: DagsterInstance) -> Row:
    start = time.monotonic()
    result = _execute(flow.job, instance)
    meant = FAILS_ON_PURPOSE in flow.pipeline.tags
    told, good = "succeeded", result.success and not meant
    if not result.success:
        handled = _call_on_failure(flow, result, instance)
        told, good = ("failed, as it should" if meant else "FAILED"), meant and handled is True
        if handled is not None:
            told += "; on_failure ran" if handled else "; on_failure FAILED"
    done = len(result.get_step_success_events())
    return Row(
        pipeline=flow.pipeline.name,
        tasks=f"{done}/{len(flow.pipeline.tasks)}",
        result=told,
        seconds=time.monotonic() - start,
        values=_where_values_are(result),
        good=good,
    )


def _execute(job: JobDefinition, instance: DagsterInstance, run_config: object = None) -> ExecuteInProcessResult:
    config = {**_QUIET, **(run_config if isinstance(run_config, dict) else {})}
    return job.execute_in_process(run_config=config, instance=instance, raise_on_error=False)


def _call_on_failure(flow: FlowDefinitions, result: ExecuteInProcessResult, instance: DagsterInstance) -> bool | None:
    """Does what the on_failure sensor would do if the daemon ran. None if the flow has no on_failure."""
    if flow.failure_job is None:
        return None
    requests = failure_requests(instance, result.dagster_run, None, {flow.job.name: flow})
    return all(_execute(flow.failure_job, instance, request.run_config).success for request in requests)


def _where_values_are(result: ExecuteInProcessResult) -> str:
    """The folder of the latest values: <workspace>/<flow>/latest, seen from here where it is below."""
    for event in result.get_asset_materialization_events():
        saved = event.step_materialization_data.materialization.metadata.get(SAVED_AS)
        if saved is not None:
            project = os.path.dirname(os.path.dirname(os.path.dirname(str(saved.value))))
            return f"{project.removeprefix(f'{Path.cwd()}/')}/latest"
    return ""


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
    console.print("Next: [bold]make dev[/], then open http://localhost:3000/asset-groups to see them in Dagster's UI.")
