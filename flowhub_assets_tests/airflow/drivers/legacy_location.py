"""Run in the environment of Airflow 2.11: what the legacy code location holds, and how runs of its jobs end.

python legacy_location.py REPORT [RUN...]      each RUN is {"job": name, "tags": {...}, "config": {...}} in JSON
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dagster import DagsterInstance, JobDefinition, RepositoryDefinition, build_schedule_context

from flowhub_assets.from_airflow.location import defs

TICK = datetime(2026, 3, 2, tzinfo=UTC)
ENDS = {"STEP_SUCCESS", "STEP_FAILURE", "STEP_UP_FOR_RETRY"}


def told(repository: RepositoryDefinition) -> dict[str, Any]:
    jobs = [job for job in repository.get_all_jobs() if job.name != "__ASSET_JOB"]
    return {
        "jobs": {job.name: graph(job) for job in jobs},
        "descriptions": {job.name: job.description for job in jobs},
        "schedules": {one.name: schedule(one) for one in repository.schedule_defs},
        "invalid": {key.to_user_string(): asset.specs_by_key[key].description for key, asset in assets(repository)},
        "checks": sorted(key.to_user_string() for key in repository.asset_checks_defs_by_key),
        "sensors": [sensor.name for sensor in repository.sensor_defs],
    }


def assets(repository: RepositoryDefinition) -> list[tuple[Any, Any]]:
    return [(key, one) for key, one in repository.assets_defs_by_key.items() if key in one.specs_by_key]


def graph(job: JobDefinition) -> dict[str, list[str]]:
    """Op → the ops before it."""
    before = job.graph.dependency_structure.all_upstream_outputs_from_node
    return {node.name: sorted(output.node_name for output in before(node.name)) for node in job.graph.nodes}


def schedule(one: Any) -> dict[str, Any]:
    data = one.evaluate_tick(build_schedule_context(scheduled_execution_time=TICK))
    tags = {name: value for name, value in data.run_requests[0].tags.items() if name.startswith("airflow_")}
    return {"cron": one.cron_schedule, "timezone": one.execution_timezone, "tags": tags}


def run(repository: RepositoryDefinition, asked: dict[str, Any]) -> dict[str, Any]:
    with DagsterInstance.ephemeral() as instance:
        done = repository.get_job(asked["job"]).execute_in_process(
            run_config=asked.get("config"), tags=asked.get("tags"), instance=instance, raise_on_error=False
        )
    ends = [event for event in done.all_events if event.event_type_value in ENDS]
    steps: dict[str, list[str]] = {}
    for event in ends:
        steps.setdefault(str(event.step_key), []).append(event.event_type_value.removeprefix("STEP_"))
    failures = [event.step_failure_data for event in ends if event.event_type_value == "STEP_FAILURE"]
    messages = [failure.error.to_string() for failure in failures if failure.error]
    return {"success": done.success, "steps": steps, "errors": messages}


def main() -> None:
    repository = defs.get_repository_def()
    runs = [run(repository, json.loads(asked)) for asked in sys.argv[2:]]
    Path(sys.argv[1]).write_text(json.dumps({**told(repository), "runs": runs}), "utf-8")


if __name__ == "__main__":
    main()
