"""Folders of Airflow DAGs as a Dagster code location, in the environment of Airflow 2.11."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flowhub_assets.definitions import location
from flowhub_assets.pods.pod_manifest import PodSettings
from flowhub_assets.to_airflow.dag_data import dag_data
from flowhub_assets.to_airflow.dag_file import dag_file
from flowhub_assets_tests.airflow.drive import read_dags
from flowhub_assets_tests.airflow.environments import ROOT, Environment, environment, settings

DRIVER = ROOT / "flowhub_assets_tests" / "airflow" / "drivers" / "legacy_location.py"

HEAD = """
import os
from datetime import datetime, timedelta

from airflow import DAG
from airflow.datasets import Dataset
from airflow.exceptions import AirflowFailException, AirflowSkipException
from airflow.operators.bash import BashOperator
from airflow.operators.python import BranchPythonOperator, PythonOperator
from airflow.sensors.date_time import DateTimeSensorAsync
from airflow.sensors.python import PythonSensor
from airflow.timetables.trigger import CronTriggerTimetable

ONCE = {"schedule": None, "start_date": datetime(2024, 1, 1), "catchup": False}
RAN = os.environ["RAN"]


def ran(what):
    with open(RAN, "a") as file:
        print(what, file=file)


def say(ti, **context):
    ran(f"{ti.dag_id}.{ti.task_id}")


def fails_once(ti):
    ran(f"{ti.dag_id}.{ti.task_id} {ti.try_number} of {ti.max_tries + 1}")
    if ti.try_number == 1:
        raise ValueError("the first try")


def give():
    return {"n": 3}


def take(ti, data_interval_end, ds, params):
    n = ti.xcom_pull(task_ids="given.first")["n"]
    ran(f"took {n} and {params['extra']} on {ds}, until {data_interval_end:%Y-%m-%d}")


def fail():
    raise AirflowFailException("no use in trying again")


def skip(ti):
    ran(f"{ti.dag_id}.{ti.task_id}")
    raise AirflowSkipException("nothing to do")


def there():
    looks = len(open(RAN).read().split("looked")) if os.path.exists(RAN) else 1
    ran("looked")
    return looks > 2


def python(name, function=say, **words):
    return PythonOperator(task_id=name, python_callable=function, **words)

"""

LEGACY = {
    "words_of_team.py": "SALT = 'salt'",
    "chain.py": """
        from words_of_team import SALT
        with DAG(
            "nightly-chain", schedule="@daily", start_date=datetime(2024, 1, 1), catchup=False,
            description="Every night.", params={"extra": SALT},
        ):
            first, take = python("given.first", give), python("take", take)
            say = BashOperator(task_id="say", bash_command="echo bash on {{ ds }} >> $RAN", append_env=True)
            first >> take >> say
            first >> say
        """,
    "branch.py": """
        with DAG("branch", **ONCE):
            decide = BranchPythonOperator(task_id="decide", python_callable=lambda: "left")
            left, right, behind_right = python("left"), python("right"), python("behind_right")
            join = python("join", trigger_rule="none_failed_min_one_success")
            decide >> [left, right]
            right >> behind_right
            [left, behind_right] >> join
        """,
    "sub/broken.py": "import no_such_module_anywhere\n",
    "odd.py": """
        with DAG("handled", **ONCE):
            boom = python("boom", fail, retries=3, retry_delay=timedelta(seconds=0))
            boom >> python("handler", trigger_rule="one_failed")
        with DAG("mapped", **ONCE):
            numbers = python("numbers", lambda: [[1], [2]])
            PythonOperator.partial(task_id="each", python_callable=ran).expand(op_args=numbers.output)
        with DAG("deferred", **ONCE):
            DateTimeSensorAsync(task_id="wait", target_time="2099-01-01") >> python("after")
        with DAG("sensed", **ONCE):
            wait = PythonSensor(task_id="wait", python_callable=there, mode="reschedule", poke_interval=0.1)
            wait >> python("after", pool="narrow")
        with DAG("flaky", **ONCE):
            python(
                "once", fails_once, retries=1, retry_delay=timedelta(seconds=1), retry_exponential_backoff=True
            ) >> python("after")
        with DAG("hourly", **{**ONCE, "schedule": timedelta(hours=1)}):
            python("only", depends_on_past=True)
        with DAG("once", **{**ONCE, "schedule": "@once"}):
            python("only")
        with DAG("fed", **{**ONCE, "schedule": [Dataset("s3://bucket/key")]}):
            python("only")
        with DAG("weekly", **{**ONCE, "schedule": CronTriggerTimetable("0 9 * * 1", timezone="Asia/Seoul")}):
            python("only")
        with DAG("dots", **ONCE):
            python("a.b") >> python("a_b")
        with DAG("same.name", **ONCE):
            python("only")
        with DAG("same_name", **ONCE):
            python("only")
        with DAG("roots", **ONCE):
            [python("one"), python("two", skip)] >> python("end")
        """,
}


@dataclass(frozen=True)
class Place:
    """An environment, a home, the folder of legacy DAGs and that of exported ones."""

    airflow: Environment
    home: Path
    legacy: Path
    exported: Path

    @property
    def ran(self) -> list[str]:
        """What tasks have written, in the order of their runs."""
        return (self.home / "ran.txt").read_text("utf-8").splitlines()

    def variables(self, folders: str) -> dict[str, str]:
        """Those of the location's process; the database of another Airflow among them, which nothing may touch."""
        home = {"DAGSTER_HOME": str(self.home), "RAN": str(self.home / "ran.txt"), "FLOWHUB_AIRFLOW_DAGS": folders}
        url = "postgresql://nobody:PASSWORD@127.0.0.1:1/airflow"
        other = {f"AIRFLOW__{section}__SQL_ALCHEMY_CONN": url for section in ("DATABASE", "CORE")}
        return {**settings(self.airflow, self.home, self.legacy), **home, **other, "PYTHONPATH": str(ROOT)}

    def location(self, folders: str, *runs: Mapping[str, Any], python: Path | None = None) -> dict[str, Any]:
        """What drivers/legacy_location.py tells, with what was printed as "printed"."""
        out = self.home / "report.json"
        words = [str(python or self.airflow.python), str(DRIVER), str(out), *map(json.dumps, runs)]
        done = subprocess.run(
            words,
            env=self.variables(folders),
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-4000:]
        report: dict[str, Any] = json.loads(out.read_text("utf-8"))
        return {**report, "printed": done.stdout}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("legacy")
    place = Place(environment("2"), folder / "home", folder / "dags", folder / "exported")
    for path in (place.home, place.legacy / "sub", place.exported, folder / "empty"):
        path.mkdir(parents=True)
    for name, text in LEGACY.items():
        (place.legacy / name).write_text(HEAD + textwrap.dedent(text), "utf-8")
    return place


@pytest.fixture(scope="module")
def pipelines(place: Place) -> dict[str, dict[str, Any]]:
    """PIPELINE of each shipped pipeline by its DAG's id; the DAG files lie in ``place.exported``."""
    written = {}
    for file, _ in location.files():
        for runnable in location.load(file).runnables:
            data = dag_data(runnable.pipeline, PodSettings(["code"], "python:3.11-slim", "flowhub-assets:1"))
            written[data["dag"]["dag_id"]] = data
            (place.exported / f"{data['dag']['dag_id']}_dag.py").write_text(dag_file(data, file.name), "utf-8")
    assert len(written) > 5
    return written


@pytest.fixture(scope="module")
def found(place: Place, pipelines: Mapping[str, object]) -> dict[str, Any]:
    """The location of all folders, one of them missing and one empty."""
    del pipelines
    near = place.legacy.parent
    return place.location(os.pathsep.join(map(str, (place.legacy, place.exported, near / "none", near / "empty"))))


def legal(name: str) -> str:
    return re.sub(r"\W", "_", name, flags=re.ASCII)


def as_job(dag_id: str, upstream: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The graph that a job of these tasks has: op → ops before it."""
    op = {task: f"{legal(dag_id)}__{legal(task)}" for task in upstream}
    return {op[task]: sorted(op[one] for one in before) for task, before in upstream.items()}


def in_airflow(place: Place, folder: Path) -> dict[str, dict[str, list[str]]]:
    """The same of what Airflow itself reads, by job name."""
    dags = read_dags(place.airflow, folder)["dags"]
    return {
        legal(dag_id): as_job(dag_id, {name: task["upstream"] for name, task in dag["tasks"].items()})
        for dag_id, dag in dags.items()
    }


def test_jobs_have_the_graphs_of_the_dags(place: Place, found: dict[str, Any]) -> None:
    text = HEAD.replace('os.environ["RAN"]', '"ran.txt"')
    folder = place.home / "as_airflow_reads_it"
    folder.mkdir()
    for name, dags in LEGACY.items():
        (folder / Path(name).name).write_text(text + textwrap.dedent(dags), "utf-8")
    wanted = in_airflow(place, folder)
    assert set(wanted) - set(found["jobs"]) == {"dots"}
    for name in wanted.keys() - {"dots"}:
        assert found["jobs"][name] == wanted[name], name
    assert found["jobs"]["nightly_chain"] == {
        "nightly_chain__given_first": [],
        "nightly_chain__take": ["nightly_chain__given_first"],
        "nightly_chain__say": ["nightly_chain__given_first", "nightly_chain__take"],
    }


def test_an_exported_dag_has_the_pipelines_graph(pipelines: dict[str, dict[str, Any]], found: dict[str, Any]) -> None:
    for dag_id, data in pipelines.items():
        tasks = data["tasks"]
        over = {name: [task["over"]] if "over" in task else [] for name, task in tasks.items()}
        upstream = {name: sorted({*task["upstream"], *over[name]}) for name, task in tasks.items()}
        assert found["jobs"][legal(dag_id)] == as_job(dag_id, upstream), dag_id
    assert any(task["upstream"] for data in pipelines.values() for task in data["tasks"].values())


def test_an_exported_dag_has_the_graph_that_airflow_reads(place: Place, found: dict[str, Any]) -> None:
    wanted = in_airflow(place, place.exported)
    assert wanted
    assert {name: found["jobs"][name] for name in wanted} == wanted


def test_what_does_not_load_is_a_red_asset_and_hurts_nobody(place: Place, found: dict[str, Any]) -> None:
    invalid, near = found["invalid"], place.legacy.parent
    assert sorted(invalid) == [f"_invalid/airflow/{name}" for name in ("empty", "none", "odd", "sub/broken")]
    assert found["checks"] == [f"{key}:loads" for key in sorted(invalid)]
    assert found["sensors"] == ["invalid_dags"]
    broken = place.legacy / "sub" / "broken.py"
    line = len(HEAD.splitlines()) + 1
    assert invalid["_invalid/airflow/sub/broken"].startswith(
        f"broken.py does not load.\n\n{broken}:{line}: ModuleNotFoundError: No module named 'no_such_module_anywhere'"
    )
    for name, what in {"none": "there is no such folder", "empty": "no DAG is in this folder"}.items():
        told = invalid[f"_invalid/airflow/{name}"]
        assert told.startswith(f"{name} does not load.\n\n{near / name}: {what}\n")
    odd = invalid["_invalid/airflow/odd"]
    assert "cannot translate the DAG 'dots'" in odd
    assert "'same_name' is the job 'same_name' in Dagster, and so is a DAG of " in odd
    for key in invalid:
        assert [line for line in invalid[key].split("\n\n")[1:] if line not in found["printed"]] == [], key
    assert "Traceback" not in found["printed"]
    assert "PASSWORD" not in found["printed"]


def test_what_is_otherwise_than_in_airflow_is_told(found: dict[str, Any]) -> None:
    described = found["descriptions"]
    assert described["nightly_chain"].startswith("Every night.\n\nThe DAG `nightly-chain` of ")
    for quiet in ("nightly_chain", "branch", "flaky", "roots"):
        assert "Otherwise" not in described[quiet], quiet
    for job, words in {
        "handled": "task 'handler' (trigger_rule 'one_failed'): it does not run after a failure",
        "mapped": "task 'each': dynamic task mapping is not translated; a run fails there",
        "sensed": "task 'after': the pool 'narrow' limits nothing in Dagster",
        "hourly": "schedule 1:00:00: Dagster's are cron expressions; launch the job by hand",
        "once": "schedule @once: Dagster's are cron expressions; launch the job by hand",
        "fed": "schedule Dataset: Dagster's are cron expressions; launch the job by hand",
    }.items():
        assert f"- {words}" in described[job]
        assert f"\n  {words}" in found["printed"]
    assert "- task 'only': depends_on_past has no effect" in described["hourly"]


def test_a_schedule_asks_for_the_dates_that_airflow_gives(found: dict[str, Any], pipelines: dict[str, Any]) -> None:
    scheduled = {legal(dag_id) for dag_id, data in pipelines.items() if "cron" in data["schedule"]}
    assert set(found["schedules"]) == {f"{job}_schedule" for job in {"nightly_chain", "weekly", *scheduled}}
    assert found["schedules"]["nightly_chain_schedule"] == {
        "cron": "0 0 * * *",
        "timezone": "UTC",
        "tags": {
            "airflow_execution_date": "2026-03-01T00:00:00+00:00",
            "airflow_data_interval_end": "2026-03-02T00:00:00+00:00",
        },
    }
    # The tick is Monday, 2026-03-02, 09:00 in Seoul: a trigger has no interval, only its moment.
    weekly = found["schedules"]["weekly_schedule"]
    assert (weekly["cron"], weekly["timezone"]) == ("0 9 * * 1", "Asia/Seoul")
    assert set(weekly["tags"].values()) == {"2026-03-02T00:00:00+00:00"}


@pytest.fixture(scope="module")
def runs(place: Place, found: dict[str, Any]) -> dict[str, Any]:
    """How runs of jobs ended, by the job's name, after one another in one process."""
    tags = found["schedules"]["nightly_chain_schedule"]["tags"]
    config = {"resources": {"airflow_db": {"config": {"dag_run_config": {"extra": "pepper"}}}}}
    names = ["branch", "sensed", "flaky", "handled", "mapped", "deferred"]
    asked = [{"job": "nightly_chain", "tags": tags, "config": config}, *({"job": name} for name in names)]
    return dict(zip(["nightly_chain", *names], place.location(str(place.legacy), *asked)["runs"], strict=True))


def test_a_run_does_what_airflow_would_do(place: Place, runs: dict[str, Any]) -> None:
    for name in ("nightly_chain", "branch", "sensed", "flaky"):
        assert runs[name]["success"], "\n".join(runs[name]["errors"])
    chain = ["took 3 and pepper on 2026-03-01, until 2026-03-02", "bash on 2026-03-01"]
    sensed = ["looked", "looked", "looked", "sensed.after"]
    flaky = ["flaky.once 1 of 2", "flaky.once 2 of 2", "flaky.after"]
    assert place.ran[:11] == [*chain, "branch.left", "branch.join", *sensed, *flaky]
    assert runs["flaky"]["steps"] == {"flaky__once": ["UP_FOR_RETRY", "SUCCESS"], "flaky__after": ["SUCCESS"]}


def test_no_task_is_green_that_airflow_has_not_run(place: Place, runs: dict[str, Any]) -> None:
    # It is of no use to try again, and nothing behind it runs.
    assert runs["handled"]["steps"] == {"handled__boom": ["FAILURE"]}
    assert "no use in trying again" in runs["handled"]["errors"][0]
    assert runs["mapped"]["steps"] == {"mapped__numbers": ["SUCCESS"], "mapped__each": ["FAILURE"]}
    assert "not run the task 'each': its dynamic task mapping is not translated" in runs["mapped"]["errors"][0]
    assert runs["deferred"]["steps"] == {"deferred__wait": ["FAILURE"]}
    assert "not run the task 'wait': it was deferred" in runs["deferred"]["errors"][0]
    assert [line for line in place.ran if "handler" in line or line.startswith("deferred")] == []


def test_dagster_runs_a_job_with_a_process_for_each_task(place: Place) -> None:
    words = [str(place.airflow.folder / "bin" / "dagster"), "job", "execute"]
    done = subprocess.run(
        [*words, "-m", "flowhub_assets.from_airflow.location", "-j", "roots"],
        env=place.variables(str(place.legacy)),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    ran = [line for line in place.ran if line.startswith("roots.")]
    assert sorted(ran) == ["roots.one", "roots.two"]  # and the end is skipped, as one of them was
    assert done.stdout.count("Skipped: Airflow would not run it") == 1
    assert done.stdout.count("sub/broken.py") == 1  # told by the run, and not by each task again


def test_without_airflow_the_location_says_what_is_missing(place: Place) -> None:
    report = place.location(str(place.legacy), python=Path(sys.executable))
    assert report["jobs"] == {}
    (told,) = report["invalid"].values()
    assert "dagster-airflow cannot be used here: PackageNotFoundError: No package metadata" in told
    assert "make dev-airflow" in told


def test_what_it_takes_of_ours_runs_beside_airflow(place: Place) -> None:
    listing = (
        "import sys, flowhub_assets.from_airflow.location;"
        " print(*(n for n in sys.modules if n.startswith('flowhub_assets.') and 'from_airflow' not in n))"
    )
    variables = place.variables(str(place.legacy.parent / "none"))
    words = [str(place.airflow.python), "-c", listing]
    done = subprocess.run(words, env=variables, capture_output=True, text=True, timeout=60, check=True, cwd=place.home)
    told = {"errors", "names", "to_dagster", "to_dagster.invalid_files"}
    assert set(done.stdout.splitlines()[-1].split()) == {f"flowhub_assets.{name}" for name in told}
