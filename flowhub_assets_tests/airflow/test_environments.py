from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from flowhub_assets_tests.airflow import environments
from flowhub_assets_tests.airflow.drive import DriverFailed, Job, read_dags, run_dags
from flowhub_assets_tests.airflow.environments import Environment, EnvironmentMissing, environment
from flowhub_assets_tests.airflow.fixtures import airflow, cluster, image_python
from flowhub_assets_tests.kubernetes.double import KubeDouble

DAG = '''
"""Four pods."""
from datetime import datetime, timedelta

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator

try:
    from airflow.sdk import DAG, Param
except ImportError:
    from airflow import DAG
    from airflow.models.param import Param

WRITE = "import json, os; print('from the pod'); json.dump({'x': os.environ['X']}, open(os.environ['OUT'], 'w'))"
FLAKY = "import os, sys; print('try', os.environ['TRY']); sys.exit(os.environ['TRY'] == '1')"


def pod(task_id, code, **words):
    return KubernetesPodOperator(
        task_id=task_id, name=task_id, image="python:3.11-slim", cmds=["python", "-c", code], **words
    )


with DAG(
    "by-hand", schedule="@daily", start_date=datetime(2024, 1, 1), catchup=False, tags=["b", "a"], doc_md=__doc__,
    default_args={"owner": "team"}, params={"n": Param(3, type="integer", minimum=1)}, max_active_runs=2,
) as dag:
    out = {"OUT": "/airflow/xcom/return.json"}
    first = pod("first", WRITE, do_xcom_push=True, env_vars={"X": "{{ params.n }}", **out})
    flaky = pod("flaky", FLAKY, env_vars={"TRY": "{{ ti.try_number }}"}, retries=1, retry_delay=timedelta(seconds=30))
    each = KubernetesPodOperator.partial(
        task_id="each", name="each", image="python:3.11-slim", do_xcom_push=True, cmds=["python", "-c", WRITE],
    ).expand(env_vars=[{"X": "a", **out}, {"X": "b", **out}])
    broken = pod("broken", "raise SystemExit('there it broke')", execution_timeout=timedelta(minutes=5))
    after = pod("after", "print('after all')", trigger_rule="all_done", pool="default_pool", priority_weight=7)
    first >> [flaky, each, broken] >> after
'''

FAILING = """
from datetime import datetime

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator as Pod

try:
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG

with DAG("failing", schedule=None, start_date=datetime(2024, 1, 1)):
    for name in ("image", "evicted", "oom"):
        Pod(task_id=name, name=name, image="python", cmds=["python", "-c", "import time; time.sleep(60)"])
    key = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "none", "key": "KEY"}}}
    Pod(task_id="secret", name="secret", image="python", cmds=["python"], env_vars=[key])
"""

__all__ = ["airflow", "cluster", "image_python"]


@pytest.fixture
def dag_file(tmp_path: Path) -> Path:
    file = tmp_path / "dags" / "by_hand_dag.py"
    file.parent.mkdir()
    file.write_text(DAG.strip() + "\n", "utf-8")
    return file


def test_airflow_reads_a_dag(airflow: Environment, dag_file: Path) -> None:
    report = read_dags(airflow, dag_file.parent)
    assert report["airflow"].startswith(airflow.version + ".")
    assert report["import_errors"] == {}
    assert report["warnings"] == []
    (dag,) = report["dags"].values()
    assert {name: dag[name] for name in ("dag_id", "doc", "catchup", "max_active_runs", "tags", "owner")} == {
        "dag_id": "by-hand",
        "doc": "Four pods.",
        "catchup": False,
        "max_active_runs": 2,
        "tags": ["a", "b"],
        "owner": "team",
    }
    assert dag["timetable_data"]["__var"]["expression"] == "0 0 * * *"
    assert dag["params"]["n"]["schema"] == {"type": "integer", "minimum": 1}
    assert dag["params"]["n"]["default"] == 3
    tasks = dag["tasks"]
    assert tasks["after"]["upstream"] == ["broken", "each", "flaky"]
    assert (tasks["after"]["trigger_rule"], tasks["after"]["pool"]) == ("all_done", "default_pool")
    assert (tasks["flaky"]["retries"], tasks["flaky"]["retry_delay"]) == (1, 30)
    assert (tasks["broken"]["execution_timeout"], tasks["each"]["mapped"]) == (300, True)
    for task in tasks.values():
        kubernetes_validate.validate(task["pod"], "1.30", strict=True)
    containers = tasks["first"]["pod"]["spec"]["containers"]
    assert [container["name"] for container in containers] == ["base", "airflow-xcom-sidecar"]


def test_a_file_that_does_not_load_is_told(airflow: Environment, tmp_path: Path) -> None:
    text = "import warnings\nwarnings.warn('이것', DeprecationWarning)\nfrom airflow import DAG\nDAG(nonsense=1)\n"
    (tmp_path / "broken_dag.py").write_text(text)
    report = read_dags(airflow, tmp_path)
    ((file, error),) = report["import_errors"].items()
    assert file.endswith("broken_dag.py")
    assert "nonsense" in error
    assert ("이것", 2) in [(told["message"], told["line"]) for told in report["warnings"]]
    ((_, (captured,)),) = report["captured"].items()
    assert "DeprecationWarning" in captured


def is_task(name: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda manifest: manifest["metadata"]["labels"]["task_id"] == name


def by_id(report: dict[str, Any]) -> dict[tuple[str, int], dict[str, Any]]:
    return {(task["task_id"], task["map_index"]): task for task in report["tasks"]}


@dataclass(frozen=True)
class Ran:
    """What one process of Airflow made of four runs: two of DAG, one of FAILING, one that does not end."""

    cluster: KubeDouble
    reports: list[dict[str, Any]]


@pytest.fixture(scope="module")
def ran(airflow: Environment, image_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("ran")
    files = {
        "by_hand_dag.py": DAG,
        "failing_dag.py": FAILING,
        "endless_dag.py": DAG.replace("json.dump(", "__import__('time').sleep(60); json.dump("),
    }
    for name, text in files.items():
        (folder / name).write_text(text.strip() + "\n", "utf-8")
    jobs = [
        Job(folder / "by_hand_dag.py", "one", {"n": 5}),
        Job(folder / "endless_dag.py", "endless", seconds=2),
        Job(folder / "failing_dag.py", "failing", startup_timeout=2),
        Job(folder / "by_hand_dag.py", "two"),
    ]
    with KubeDouble(folder / "cluster", image_python) as cluster:
        for what in ("image", "evicted", "oom"):
            cluster.fail(what, is_task(what))
        return Ran(cluster, run_dags(airflow, cluster, jobs))


def test_airflow_runs_pods(ran: Ran) -> None:
    first, _, _, second = ran.reports
    assert (first["error"], first["state"], second["state"]) == (None, "success", "success"), first["log"]
    tasks = by_id(first)
    states = {name: task["state"] for name, task in tasks.items()}
    assert states == {
        ("first", -1): "success",
        ("flaky", -1): "success",
        ("each", 0): "success",
        ("each", 1): "success",
        ("broken", -1): "failed",
        ("after", -1): "success",
    }
    assert tasks["first", -1]["xcoms"]["return_value"] == {"x": "5"}
    assert by_id(second)["first", -1]["xcoms"]["return_value"] == {"x": "3"}
    assert [tasks["each", index]["xcoms"]["return_value"] for index in (0, 1)] == [{"x": "a"}, {"x": "b"}]
    assert ran.cluster.logs("after") == "after all\n"
    # Seven pods for each run: that of flaky twice.
    run_ids = Counter(manifest["metadata"]["labels"]["run_id"] for manifest in ran.cluster.posted)
    assert (run_ids["one"], run_ids["two"], ran.cluster.refused) == (7, 7, [])


def test_a_task_is_tried_again_and_has_a_log_of_its_own(ran: Ran) -> None:
    tasks = by_id(ran.reports[0])
    assert tasks["flaky", -1]["try_number"] == 2
    assert "try 1" in tasks["flaky", -1]["log"]
    assert "try 2" in tasks["flaky", -1]["log"]
    assert "there it broke" in tasks["broken", -1]["log"]
    assert "there it broke" not in tasks["first", -1]["log"]


@pytest.mark.parametrize(
    ("task", "said"),
    [("image", "ErrImagePull"), ("evicted", "Evicted"), ("oom", "OOMKilled"), ("secret", "Pod took too long to start")],
)
def test_a_pod_that_is_hindered_fails_its_task(ran: Ran, task: str, said: str) -> None:
    found = by_id(ran.reports[2])[task, -1]
    assert found["state"] == "failed"
    assert said in found["log"]


def test_a_run_that_does_not_end_is_broken_off(ran: Ran) -> None:
    assert ran.reports[1]["error"] == "the run took more than 2 s"
    assert "[DAG TEST] starting task_id=first" in ran.reports[1]["log"]


def test_a_driver_that_ends_early_is_told(airflow: Environment, cluster: KubeDouble, dag_file: Path) -> None:
    with pytest.raises(DriverFailed, match="took over"):
        run_dags(airflow, cluster, [Job(dag_file)], seconds=0.5)


def test_an_environment_that_cannot_be_made_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "constraints-airflow-2.txt").write_text("no-such-package-anywhere==0.0.1\n")
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    monkeypatch.setattr(environments, "_missing", {})
    monkeypatch.setenv("FLOWHUB_AIRFLOW_ENVIRONMENTS", str(tmp_path / "made"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("UV_OFFLINE", "1")
    for _ in range(2):
        with pytest.raises(EnvironmentMissing, match="no-such-package-anywhere"):
            environment("2")
    assert not environments._is_made(Environment("2", tmp_path / "made" / ".airflow-2"))


def test_an_environment_is_stale_when_its_lock_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = environment("2")
    assert environments._is_made(made)
    lock = (environments.ROOT / "deploy" / "constraints-airflow-2.txt").read_text()
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "constraints-airflow-2.txt").write_text(lock + "# another\n")
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    assert not environments._is_made(made)


def test_the_environments_do_not_have_this_package(airflow: Environment) -> None:
    words = [str(airflow.python), "-I", "-c", "import flowhub_assets"]
    done = subprocess.run(words, capture_output=True, timeout=60, check=False, cwd="/")
    assert b"ModuleNotFoundError" in done.stderr
