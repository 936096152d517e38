"""Runs inside an Airflow environment: what Airflow reads from a folder of DAG files, as JSON.

    python dagbag.py FOLDER OUT

OUT: {"airflow", "import_errors": {file: text}, "warnings": [{category, message, file, line}],
"captured": {file: [text]}, "seconds": {file: s}, "reading_seconds", "dags": {dag_id: {...}}}; each DAG with its tasks,
each KubernetesPodOperator with the pod that it would start. Airflow 3 repeats every warning of a DAG file as a
UserWarning: its real category stands in "captured".
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any


def main(folder: Path, out: Path) -> None:
    """Loads the folder and writes what was found."""
    from airflow import __version__

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        bag = dag_bag(folder)
        begun = time.perf_counter()
        dags = {dag_id: dag_facts(dag) for dag_id, dag in sorted(bag.dags.items())}
    report = {
        "airflow": __version__,
        "import_errors": dict(bag.import_errors),
        "warnings": [warning_facts(warning) for warning in told],
        "captured": {file: list(texts) for file, texts in bag.captured_warnings.items()},
        "seconds": {stat.file.lstrip("/"): stat.duration.total_seconds() for stat in bag.dagbag_stats},
        "reading_seconds": time.perf_counter() - begun,
        "dags": dags,
    }
    out.write_text(json.dumps(report, ensure_ascii=False, default=str), "utf-8")


def dag_bag(folder: Path) -> Any:
    """A DagBag of the folder or file, as each version has it."""
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:
        from airflow import plugins_manager
        from airflow.models.dagbag import DagBag

        # A stock Airflow has none; Dagster's, which lies in this environment, is slow and warns of itself.
        plugins_manager.load_entrypoint_plugins = lambda: None
    return DagBag(dag_folder=str(folder))


def warning_facts(warning: Any) -> dict[str, Any]:
    """One warning, and the line that it is told of."""
    return {
        "category": warning.category.__name__,
        "message": str(warning.message),
        "file": warning.filename,
        "line": warning.lineno,
    }


def dag_facts(dag: Any) -> dict[str, Any]:
    """What Airflow knows of a DAG."""
    timetable = dag.timetable
    return {
        "dag_id": dag.dag_id,
        "file": dag.fileloc,
        "doc": dag.doc_md,
        "description": dag.description,
        "schedule": getattr(timetable, "summary", None),
        "timetable": type(timetable).__name__,
        "timetable_data": timetable_data(timetable),
        "timezone": str(getattr(dag, "timezone", "")),
        "start_date": dag.start_date,
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "max_active_tasks": getattr(dag, "max_active_tasks", None),
        "dagrun_timeout": seconds(dag.dagrun_timeout),
        "tags": sorted(dag.tags),
        "owner": dag.owner,
        "params": {name: param_facts(dag.params.get_param(name)) for name in dag.params},
        "tasks": {task.task_id: task_facts(task) for task in dag.tasks},
    }


def timetable_data(timetable: Any) -> Any:
    """The timetable as the scheduler stores it: cron text, interval, assets or datasets."""
    try:
        from airflow.serialization.encoders import encode_timetable
    except ImportError:
        from airflow.serialization.serialized_objects import encode_timetable
    return encode_timetable(timetable)


def param_facts(param: Any) -> dict[str, Any]:
    """A Param's default, schema and description; a param without a default has none here."""
    facts = {"schema": param.schema, "description": param.description}
    if type(param.value).__name__ not in ("ArgNotSet", "Undefined"):
        facts["default"] = param.value
    return facts


def task_facts(task: Any) -> dict[str, Any]:
    """What Airflow knows of a task; of a mapped one, with what it is mapped over."""
    facts = {
        "task_id": task.task_id,
        "type": task.task_type,
        "shown_type": getattr(task, "operator_name", task.task_type),
        "mapped": is_mapped(task),
        "trigger_rule": str(getattr(task.trigger_rule, "value", task.trigger_rule)),
        "upstream": sorted(task.upstream_task_ids),
        "downstream": sorted(task.downstream_task_ids),
        "owner": task.owner,
        "retries": task.retries,
        "retry_delay": seconds(task.retry_delay),
        "execution_timeout": seconds(task.execution_timeout),
        "pool": task.pool,
        "pool_slots": task.pool_slots,
        "priority_weight": task.priority_weight,
        "queue": task.queue,
        "depends_on_past": task.depends_on_past,
        "max_active_tis_per_dag": task.max_active_tis_per_dag,
        "template_fields": list(task.template_fields),
        "doc": getattr(task, "doc_md", None) or getattr(task, "doc", None),
        "inlets": [str(getattr(inlet, "uri", inlet)) for inlet in task.inlets],
        "outlets": [str(getattr(outlet, "uri", outlet)) for outlet in task.outlets],
        "deferrable": getattr(task, "deferrable", None),
    }
    if is_mapped(task):
        facts["expands"] = {name: repr(value) for name, value in expansion(task).items()}
    operator = unmapped(task)
    if hasattr(operator, "build_pod_request_obj"):
        facts["pod"] = pod_of(operator)
        facts["startup_timeout"] = operator.startup_timeout_seconds
    return facts


def is_mapped(task: Any) -> bool:
    """Whether it is expanded at run time."""
    return hasattr(task, "partial_kwargs")


def expansion(task: Any) -> dict[str, Any]:
    """What a mapped task is expanded over."""
    value = task.expand_input.value
    return dict(value) if isinstance(value, dict) else {"kwargs": value}


def unmapped(task: Any) -> Any:
    """The operator itself; of a mapped one that of its first index."""
    if not is_mapped(task):
        return task
    return task.unmap(
        {name: next(iter(value), 0) if isinstance(value, list) else 0 for name, value in expansion(task).items()}
    )


def pod_of(operator: Any) -> Any:
    """The pod that the operator would post, without what it adds for a single run."""
    from kubernetes.client import ApiClient

    return ApiClient().sanitize_for_serialization(operator.build_pod_request_obj())


def seconds(duration: Any) -> float | None:
    """A timedelta in seconds."""
    return None if duration is None else duration.total_seconds()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
