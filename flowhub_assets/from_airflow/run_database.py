"""Airflow's database of one run in Dagster, in which tasks end as Airflow would end them.

dagster-airflow makes an op per task. Left alone it would call green what Airflow never ran (a mapped or deferred
task, one behind a skipped one); therefore the ops' resource ``airflow_db`` is ours: it decides as Airflow's
scheduler does whether a task is due, and fails the op if Airflow has not run a task that was.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from dagster import Failure, InitResourceContext, ResourceDefinition

from flowhub_assets.from_airflow.differences import is_mapped
from flowhub_assets.from_airflow.home import make_database_of_run

#: Tags of a run: its logical date, and where the interval of a scheduled run's data ends.
DATE, END = "airflow_execution_date", "airflow_data_interval_end"


def airflow_database() -> ResourceDefinition:
    """The resource of dagster-airflow's ops: a database for each run, in which tasks end as Airflow would end them."""
    from dagster_airflow import make_ephemeral_airflow_db_resource

    theirs = make_ephemeral_airflow_db_resource()

    def start(context: InitResourceContext) -> RunDatabase:
        make_database_of_run(str(context.run_id))
        return RunDatabase(theirs.resource_fn(context))

    return ResourceDefinition(start, config_schema=theirs.config_schema, description=theirs.description)


class RunDatabase:
    """Airflow's database of one Dagster run, as dagster-airflow's ops use it."""

    def __init__(self, theirs: Any) -> None:
        self._theirs = theirs

    def get_dagrun(self, dag: Any) -> RunOfDag:
        """The DAG's run of this Dagster run, made by the first op that asks."""
        from airflow.models.pool import Pool
        from airflow.timetables.base import DataInterval
        from airflow.utils.state import DagRunState
        from airflow.utils.types import DagRunType
        from dagster_airflow.utils import Locker

        tags = self._theirs.dagster_run.tags  # Dagster gives each run of such a job its date
        start, end = _moment(tags.get(DATE, ""), dag), tags.get(END)
        interval = DataInterval(start, _moment(end, dag)) if end else None
        # Tasks without upstream start at once, each in a process of its own.
        with Locker(self._theirs.airflow_home_path):
            run = dag.get_dagrun(execution_date=start)
            if run is None:
                for name in {task.pool for task in dag.tasks} - {"default_pool"}:
                    Pool.create_or_update_pool(name, slots=-1, description="", include_deferred=False)
                run = dag.create_dagrun(
                    state=DagRunState.RUNNING,
                    execution_date=start,
                    run_type=DagRunType.SCHEDULED if end else DagRunType.MANUAL,
                    data_interval=interval or dag.timetable.infer_manual_data_interval(run_after=start),
                    conf=self._theirs.dag_run_config,
                )
        return RunOfDag(run)


@dataclass(frozen=True)
class RunOfDag:
    """A DagRun that gives task instances which end as they should."""

    run: Any

    def get_task_instance(self, task_id: str) -> TaskOfRun:
        """The task's instance; an op sets its ``task`` and calls run()."""
        return TaskOfRun(self.run.get_task_instance(task_id=task_id))


class TaskOfRun:
    """A task instance that runs if it is due, is skipped if Airflow would skip it, and fails where it was not run."""

    def __init__(self, instance: Any) -> None:
        self._instance = instance
        self.task: Any = None

    def run(self, **_: object) -> None:
        """Runs the task as often as it asks to be. Raises what the task raises, and Failure if it was never run."""
        from airflow.exceptions import AirflowFailException

        instance, instance.task = self._instance, self.task
        if is_mapped(self.task):
            raise _not_run(self.task, "its dynamic task mapping is not translated")
        if self._state_before() == "skipped":
            instance.log.info("Skipped: Airflow would not run it, because of what its upstream tasks have chosen.")
            return
        try:
            while self._state_after() == "up_for_reschedule":
                time.sleep(getattr(self.task, "poke_interval", 60))
        except AirflowFailException as error:
            raise Failure(str(error), allow_retries=False) from error
        if instance.state == "deferred":
            raise _not_run(self.task, "it was deferred, and Dagster has no triggerer: give it deferrable=False")
        if instance.state not in ("success", "skipped"):
            raise _not_run(self.task, "; ".join(self._reasons()) or f"its state is {instance.state}")

    def _state_before(self) -> Any:
        from airflow.ti_deps.dep_context import DepContext
        from airflow.utils.session import create_session

        with create_session() as session:
            # As the scheduler looks: what is to be skipped gets that state.
            self._instance.are_dependencies_met(DepContext(flag_upstream_failed=True), session=session)
            self._instance.refresh_from_db(session)
            if self._instance.state != "skipped":
                # What the scheduler does before each try; Dagster has waited for it already.
                self._instance.try_number += 1
                self._instance.state = None
                session.merge(self._instance)
            return self._instance.state

    def _state_after(self) -> Any:
        self._instance.run(ignore_ti_state=True)
        self._instance.refresh_from_db()
        return self._instance.state

    def _reasons(self) -> list[str]:
        from airflow.ti_deps.dep_context import DepContext
        from airflow.ti_deps.dependencies_deps import RUNNING_DEPS
        from airflow.utils.session import create_session

        with create_session() as session:
            found = self._instance.get_failed_dep_statuses(DepContext(RUNNING_DEPS, ignore_ti_state=True), session)
            return [status.reason.rstrip(".") for status in found]


def _not_run(task: Any, why: str) -> Failure:
    return Failure(f"Airflow has not run the task {task.task_id!r}: {why}.", allow_retries=False)


def _moment(text: str, dag: Any) -> Any:
    import pendulum

    try:
        return pendulum.parse(text, tz=dag.timezone)
    except ValueError:
        what = f"the run's tag {DATE} or {END} is {text!r}, which is no date"
        raise Failure(f"{what}: write it as 2026-01-31T00:00:00+00:00.", allow_retries=False) from None
