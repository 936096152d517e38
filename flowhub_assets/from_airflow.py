"""The second, optional code location: folders of legacy Airflow DAGs as Dagster jobs, by dagster-airflow.

It lives in the environment of Airflow 2.11 alone (see deploy/workspace-airflow.yaml), so nothing of ours but the
errors is imported. A file or DAG that does not load becomes a red asset ``_invalid/airflow/<file>``; the others load.
What a DAG does otherwise in Dagster than in Airflow stands in its job's description and is warned of.

dagster-airflow makes an op per task. Left alone it would call green what Airflow never ran (a mapped or deferred
task, one behind a skipped one); therefore the ops' resource ``airflow_db`` is ours: it decides as Airflow's
scheduler does whether a task is due, and fails the op if Airflow has not run a task that was.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import re
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dagster import (
    AssetCheckEvaluation,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetKey,
    AssetSpec,
    DagsterInvalidDefinitionError,
    DefaultSensorStatus,
    Definitions,
    Failure,
    InitResourceContext,
    JobDefinition,
    ResourceDefinition,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    asset_check,
)

from flowhub_assets.errors import DefinitionError, FlowhubError

#: Names folders of DAGs, with os.pathsep between them; without it, the folder ``dags``.
FOLDERS = "FLOWHUB_AIRFLOW_DAGS"

#: Tags of a run: its logical date, and where the interval of a scheduled run's data ends.
DATE, END = "airflow_execution_date", "airflow_data_interval_end"

#: Rules that hold only if nothing before has failed. By any other, Airflow may start a task after a failure.
_AFTER_SUCCESS = {"all_success", "none_failed", "none_failed_min_one_success", "all_skipped"}

#: Operators that ask Airflow's database for other DAGs, of which the database of a run here knows nothing.
_OF_OTHER_DAGS = {"ExternalTaskSensor", "ExternalTaskMarker", "TriggerDagRunOperator", "SubDagOperator"}

#: Settings that say where Airflow's database is; ``core`` is where older ones had it, and still counts.
_DATABASE = re.compile("AIRFLOW__(DATABASE|CORE)__SQL_ALCHEMY_CONN")

_log = logging.getLogger(__name__)


@dataclass
class Loaded:
    """What is loaded so far: jobs by name, their schedules, and the errors of each file or folder."""

    jobs: dict[str, JobDefinition] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    schedules: list[ScheduleDefinition] = field(default_factory=list)
    invalid: dict[tuple[Path, Path], list[FlowhubError]] = field(default_factory=dict)

    def tell(self, path: Path, folder: Path, error: FlowhubError) -> None:
        """Keeps the error for the red asset of ``path`` and warns of it."""
        self.invalid.setdefault((path, folder), []).append(error)
        _warn(str(error))


def folders() -> list[Path]:
    """The folders of DAGs that the environment names."""
    return [Path(name).expanduser().absolute() for name in os.environ.get(FOLDERS, "dags").split(os.pathsep) if name]


def definitions(folders: Iterable[Path]) -> Definitions:
    """All DAGs of the folders; what does not load is a red asset. Raises nothing for bad input."""
    loaded = Loaded()
    if airflow_is_here(loaded):
        for folder in folders:
            read_folder(folder, loaded)
    return Definitions(
        jobs=list(loaded.jobs.values()),
        schedules=loaded.schedules,
        assets=[_asset(key, errors) for key, errors in _by_key(loaded).items()],
        asset_checks=[_check(key, errors) for key, errors in _by_key(loaded).items()],
        sensors=[_sensor(_by_key(loaded))] if loaded.invalid else [],
    )


def airflow_is_here(loaded: Loaded) -> bool:
    """Whether Airflow 2 and dagster-airflow can be imported; told where not. Gives Airflow a home and database."""
    # Runs make databases of their own, where Airflow's settings say; these must never name that of a real Airflow.
    for name in [name for name in os.environ if _DATABASE.match(name)]:
        del os.environ[name]
        _warn(f"{name} is not used: a run in Dagster has a database of its own, and leaves that of Airflow alone.")
    if os.environ.pop("AIRFLOW_CONFIG", None):
        _warn("AIRFLOW_CONFIG is not used: it may name Airflow's own database. Set AIRFLOW__SECTION__KEY instead.")
    # Without it, Airflow warns whoever imports it, at each start.
    os.environ.setdefault("AIRFLOW__METRICS__TIMER_UNIT_CONSISTENCY", "True")
    home = airflow_home()
    try:
        version("apache-airflow")
        with _quiet():
            _make_home(home)
    except Exception as error:  # noqa: BLE001 - beside Airflow 3, dagster-airflow ends in errors of many kinds
        what = f"Airflow 2.11 and dagster-airflow cannot be used here: {type(error).__name__}: {error}"
        remedy = "Start this location from an environment with the extra `airflow` alone: make dev-airflow."
        told = DefinitionError(what, where=FOLDERS, effect="No DAG is loaded.", remedy=remedy)
        loaded.tell(home, home.parent, told)
        return False
    return True


def airflow_home() -> Path:
    """Airflow's home while DAG files are read; its database, empty, is what that of each run begins as."""
    return Path(os.environ.get("DAGSTER_HOME") or tempfile.gettempdir()).absolute() / "airflow_home"


def _make_home(home: Path) -> None:
    # Airflow makes its home when it is imported.
    os.environ["AIRFLOW_HOME"] = str(home)
    from dagster_airflow.resources.airflow_ephemeral_db import AirflowEphemeralDatabase
    from dagster_airflow.utils import Locker

    made = home / f"made_by_airflow_{version('apache-airflow')}"
    with Locker(str(home.parent)):
        if not made.exists():
            (home / "airflow.db").unlink(missing_ok=True)
        AirflowEphemeralDatabase._initialize_database(airflow_home_path=str(home))
        made.touch()
    # The tables of users, which others refer to: without them SQLAlchemy cannot skip a task.
    import_module("airflow.providers.fab.auth_manager.models")


def _make_database_of_run(run_id: str) -> None:
    """Copies that of the home to where dagster-airflow has that of a run: to make one anew takes seconds."""
    from dagster_airflow.utils import Locker

    folder = Path(tempfile.gettempdir()) / f"dagster_airflow_{run_id}"
    folder.mkdir(exist_ok=True)
    with Locker(str(folder)):
        if not (folder / "airflow.db").exists():
            shutil.copyfile(airflow_home() / "airflow.db", folder / "airflow.db.part")
            (folder / "airflow.db.part").rename(folder / "airflow.db")


def read_folder(folder: Path, loaded: Loaded) -> None:
    """Adds the DAGs of one folder, in the order of their ids, and what is wrong with its files."""
    from airflow.models.dagbag import DagBag

    if not folder.is_dir():
        what = "this is a file, not a folder" if folder.exists() else "there is no such folder"
        remedy = f"Name folders of DAGs in {FOLDERS}, with {os.pathsep!r} between them: make dev-airflow DAGS=folder."
        effect = "None of its DAGs is loaded."
        return loaded.tell(folder, folder.parent, DefinitionError(what, where=folder, effect=effect, remedy=remedy))
    # As Airflow has it: DAG files import what lies beside them.
    sys.path += [str(folder)] if str(folder) not in sys.path else []
    with _quiet():
        bag = DagBag(str(folder), include_examples=False, collect_dags=True)
    for file, trace in sorted(bag.import_errors.items()):
        loaded.tell(Path(file), folder, _import_error(Path(file), trace))
    if not bag.dags and not bag.import_errors:
        remedy = "A file is read if the words dag and airflow stand in it and no .airflowignore names it."
        loaded.tell(folder, folder.parent, DefinitionError("no DAG is in this folder", where=folder, remedy=remedy))
    for _, dag in sorted(bag.dags.items()):
        try:
            _take(dag, loaded)
        except FlowhubError as error:
            loaded.tell(Path(dag.fileloc), folder, error)
        except Exception as error:  # noqa: BLE001 - whatever Dagster says of one DAG, the others load
            loaded.tell(Path(dag.fileloc), folder, _refused(dag, error))
    return None


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
    if _is_mapped(task):
        yield f"{name}: dynamic task mapping is not translated; a run fails there."
    if getattr(task, "deferrable", False) or getattr(task, "start_from_trigger", False):
        yield f"{name}: it is deferrable, and Dagster has no triggerer; a run fails there unless deferrable=False."
    if getattr(task, "depends_on_past", False) or getattr(task, "wait_for_downstream", False):
        yield f"{name}: depends_on_past has no effect, because a run in Dagster knows no earlier ones."
    if task.task_type in _OF_OTHER_DAGS:
        yield f"{name} ({task.task_type}): a run in Dagster knows no other DAGs."
    if task.pool != "default_pool":
        yield f"{name}: the pool {task.pool!r} limits nothing in Dagster."


def _is_mapped(task: Any) -> bool:
    from airflow.models.mappedoperator import MappedOperator

    return isinstance(task, MappedOperator) or task.get_closest_mapped_task_group() is not None


def _take(dag: Any, loaded: Loaded) -> None:
    told = differences(dag)
    with _quiet():
        job, schedule = _translate(dag, told)
        alone = Definitions(jobs=[job], schedules=[schedule] if schedule else [])
        alone.get_repository_def().load_all_definitions()
    if other := loaded.files.get(job.name):
        raise DefinitionError(
            f"the DAG {dag.dag_id!r} is the job {job.name!r} in Dagster, and so is a DAG of {other}",
            where=dag.fileloc,
            effect="Only that one is loaded.",
            remedy="Give one of them another dag_id; Dagster takes letters, digits and _.",
        )
    if told:
        _warn(
            "\n  ".join([f"{dag.fileloc}: in Dagster, the DAG {dag.dag_id!r} does otherwise than in Airflow:", *told])
        )
    loaded.jobs[job.name], loaded.files[job.name] = job, dag.fileloc
    loaded.schedules += [schedule] if schedule else []


def _translate(dag: Any, told: list[str]) -> tuple[JobDefinition, ScheduleDefinition | None]:
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


def airflow_database() -> ResourceDefinition:
    """The resource of dagster-airflow's ops: a database for each run, in which tasks end as Airflow would end them."""
    from dagster_airflow import make_ephemeral_airflow_db_resource

    theirs = make_ephemeral_airflow_db_resource()

    def start(context: InitResourceContext) -> RunDatabase:
        _make_database_of_run(str(context.run_id))
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
        if _is_mapped(self.task):
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


def _import_error(file: Path, trace: str) -> DefinitionError:
    lines = re.findall(rf'File "{re.escape(str(file))}", line (\d+)', trace)
    return DefinitionError(
        trace.strip().rpartition("\n")[2] or "it does not load",
        where=f"{file}:{lines[-1]}" if lines else file,
        effect="None of its DAGs is loaded.",
        remedy="Mend the file; what it imports must be installed beside Airflow 2.11 here.",
    )


def _refused(dag: Any, error: Exception) -> DefinitionError:
    return DefinitionError(
        f"dagster-airflow cannot translate the DAG {dag.dag_id!r}: {error}",
        where=dag.fileloc,
        effect="This DAG is not loaded.",
        remedy="Mend what the message names. Ids must differ in letters, digits and _: Dagster takes no others.",
    )


def _by_key(loaded: Loaded) -> dict[AssetKey, str]:
    told: dict[AssetKey, str] = {}
    for (path, folder), errors in loaded.invalid.items():
        parts = path.relative_to(folder if path.is_relative_to(folder) else path.parent).with_suffix("").parts
        key = AssetKey(["_invalid", "airflow", *(re.sub(r"\W", "_", part, flags=re.ASCII) for part in parts)])
        told[key] = "\n".join([*told.get(key, "").splitlines(), *map(str, errors)])
    return told


def _asset(key: AssetKey, told: str) -> AssetSpec:
    described = told.replace("\n", "\n\n")  # a description is Markdown
    return AssetSpec(key, group_name="INVALID_DAGS", description=described, kinds={"airflow"})


def _check(key: AssetKey, told: str) -> AssetChecksDefinition:
    @asset_check(asset=key, name="loads", description="Whether the file's DAGs load.")
    def loads() -> AssetCheckResult:
        return AssetCheckResult(passed=False, metadata={"error": told})

    return loads


def _sensor(told: Mapping[AssetKey, str]) -> SensorDefinition:
    """Turns the checks red without a run, once for each new set of errors."""
    state = repr(sorted((key.to_user_string(), text) for key, text in told.items()))

    def evaluate(context: SensorEvaluationContext) -> SensorResult | SkipReason:
        if context.cursor == state:
            return SkipReason(f"{len(told)} file(s) still do not load")
        events = [
            AssetCheckEvaluation(asset_key=key, check_name="loads", passed=False, metadata={"error": text})
            for key, text in told.items()
        ]
        return SensorResult(asset_events=events, cursor=state)

    status = DefaultSensorStatus.RUNNING
    return SensorDefinition(name="invalid_dags", evaluation_fn=evaluate, default_status=status)


def _warn(text: str) -> None:
    # A step's process loads everything anew; the run's own process has told it.
    if multiprocessing.parent_process() is None:
        _log.warning(text)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what Airflow logs of files that do not load, which we tell, and without warnings of their authors."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


defs = definitions(folders())
