"""What a DAG does otherwise in Dagster than in Airflow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

#: Rules that hold only if nothing before has failed. By any other, Airflow may start a task after a failure.
_AFTER_SUCCESS = {"all_success", "none_failed", "none_failed_min_one_success", "all_skipped"}

#: Operators that ask Airflow's database for other DAGs, of which the database of a run here knows nothing.
_OF_OTHER_DAGS = {"ExternalTaskSensor", "ExternalTaskMarker", "TriggerDagRunOperator", "SubDagOperator"}


def differences(dag: Any) -> list[str]:
    """What the DAG does otherwise in Dagster than in Airflow, a sentence each."""
    told = [one for task in dag.tasks for one in _task_differences(task)]
    if dag.catchup and dag.timetable.can_be_scheduled:
        told.append("catchup: Dagster starts no runs for the past; launch those with the tag airflow_execution_date.")
    if dag.max_active_runs < 16:  # Airflow's default
        told.append(f"max_active_runs={dag.max_active_runs}: Dagster's run queue decides how many runs there are.")
    return told


def _task_differences(task: Any) -> Iterator[str]:
    name = f"task {task.task_id!r}"
    if task.trigger_rule not in _AFTER_SUCCESS and task.upstream_task_ids:
        yield (
            f"{name} (trigger_rule {str(task.trigger_rule)!r}): it does not run after a failure, "
            "because Dagster starts nothing behind a task that failed."
        )
    if is_mapped(task):
        yield f"{name}: dynamic task mapping is not translated; a run fails there."
    if getattr(task, "deferrable", False) or getattr(task, "start_from_trigger", False):
        yield f"{name}: it is deferrable, and Dagster has no triggerer; a run fails there unless deferrable=False."
    if getattr(task, "depends_on_past", False) or getattr(task, "wait_for_downstream", False):
        yield f"{name}: depends_on_past has no effect, because a run in Dagster knows no earlier ones."
    if task.task_type in _OF_OTHER_DAGS:
        yield f"{name} ({task.task_type}): a run in Dagster knows no other DAGs."
    if task.pool != "default_pool":
        yield f"{name}: the pool {task.pool!r} limits nothing in Dagster."


def is_mapped(task: Any) -> bool:
    """Whether the task, or a group around it, is mapped over what is only known in a run."""
    from airflow.models.mappedoperator import MappedOperator

    return isinstance(task, MappedOperator) or task.get_closest_mapped_task_group() is not None
