"""A DAG → its job and schedule, as dagster-airflow makes them, with a database of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster import DagsterInvalidDefinitionError, JobDefinition, ScheduleDefinition, ScheduleEvaluationContext

from flowhub_assets.from_airflow.run_database import DATE, END, airflow_database


def translate(dag: Any, told: list[str]) -> tuple[JobDefinition, ScheduleDefinition | None]:
    """The job of the DAG and, where it has one that Dagster can have, its schedule; adds to ``told`` where not."""
    from dagster_airflow import make_dagster_job_from_airflow_dag

    made = make_dagster_job_from_airflow_dag(dag)
    schedule = None
    if dag.timetable.summary not in (None, "None"):
        try:
            schedule = _schedule(dag, made.name)
        except DagsterInvalidDefinitionError:
            told.append(f"schedule {dag.timetable.summary}: Dagster's are cron expressions; launch the job by hand.")
    resources = {"airflow_db": airflow_database()}
    job = made.graph.to_job(made.name, description=_description(dag, told), resource_defs=resources, tags=made.tags)
    return job, schedule


def _schedule(dag: Any, job: str) -> ScheduleDefinition:
    cron = dag.timetable.serialize()  # whose timezone need not be the DAG's

    def tags(context: ScheduleEvaluationContext) -> Mapping[str, str]:
        import pendulum

        # A run of Airflow is named by the begin of its data's interval, and starts at the end of it.
        tick = pendulum.instance(context.scheduled_execution_time)
        interval = dag.timetable.infer_manual_data_interval(run_after=tick)
        return {DATE: interval.start.isoformat(), END: interval.end.isoformat()}

    return ScheduleDefinition(
        name=f"{job}_schedule",
        job_name=job,
        cron_schedule=cron.get("expression", ""),
        execution_timezone=str(cron.get("timezone", "UTC")),
        description=dag.description,
        tags_fn=tags,
    )


def _description(dag: Any, told: list[str]) -> str:
    parts = [*dict.fromkeys((dag.description, dag.doc_md)), f"The DAG `{dag.dag_id}` of {dag.fileloc}."]
    if told:
        parts.append("**Otherwise than in Airflow:**\n\n" + "\n".join(f"- {line}" for line in told))
    return "\n\n".join(part for part in parts if part)
