"""``flowhub export airflow`` and a script's ``--export airflow``: files, what is said of them, what is stale."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

FLOW = '''
from flowhub import flow, get_parser, parse_args, task

parser = get_parser()
parser.add_argument("--count", type=int, default=1)
args = parse_args(parser)

@task
def count(given):
    """Counts."""
    return {"n": args.count}

@flow(name="my_flow", namespace="team", schedule="0 9 * * *", env={
    "default": {"WORKSPACE": "./tmp"},
    "airflow": {"BUCKET": "b", "ACCESS_KEY": "AK-very-secret", "SECRET_KEY": "SK-very-secret"},
})
def main(given):
    return count(given)

if __name__ == "__main__":
    main.run()
'''

PIPELINE = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: notes}
trigger: {type: webhook, path: notes}
nodes:
  - {id: note, type: log, inputs: {message: hello}}
"""


def flowhub(*words: str, cwd: Path, script: str = "", code: int = 0) -> tuple[str, str]:
    """What the command, or the workflow script, says; it must end with ``code``."""
    command = [sys.executable, script] if script else [sys.executable, "-m", "flowhub_assets.cli"]
    env = {**os.environ, "FLOWHUB_PIPELINES": "", "COLUMNS": "200"}
    done = subprocess.run(
        [*command, *words], cwd=cwd, env=env, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout, done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a flow and a pipeline file."""
    (tmp_path / "workflow.py").write_text(FLOW, "utf-8")
    (tmp_path / "notes.yaml").write_text(PIPELINE, "utf-8")
    return tmp_path


def test_a_script_writes_both_files_and_says_what_to_do_next(folder: Path) -> None:
    said, _ = flowhub("--env", "airflow", "--export", "airflow", "--count", "3", cwd=folder, script="workflow.py")
    assert sorted(os.listdir(folder / "dags")) == ["my-flow-code.yaml", "my-flow_dag.py"]
    for line in (
        "dags/my-flow_dag.py",
        "kubectl create secret generic my-flow-secrets --namespace team "
        "--from-literal=ACCESS_KEY='<ACCESS_KEY>' --from-literal=SECRET_KEY='<SECRET_KEY>'",
        "kubectl apply --server-side -f dags/my-flow-code.yaml",
        "cp dags/my-flow_dag.py $AIRFLOW_HOME/dags/",
    ):
        assert line in said
    (config_map,) = yaml.safe_load_all((folder / "dags" / "my-flow-code.yaml").read_text("utf-8"))
    assert '"argv": [\n    "--count",\n    "3"\n  ]' in config_map["data"]["pipeline.json"]
    written = "".join(path.read_text("utf-8") for path in (folder / "dags").iterdir())
    assert "very-secret" not in written + said


def test_the_command_does_the_same_with_the_profile_airflow(folder: Path) -> None:
    flowhub("--env", "airflow", "--export", "airflow", cwd=folder, script="workflow.py")
    flowhub("export", "airflow", "workflow.py", "--out", "again", cwd=folder)
    for name in ("my-flow_dag.py", "my-flow-code.yaml"):
        assert (folder / "dags" / name).read_bytes() == (folder / "again" / name).read_bytes()


def test_what_airflow_cannot_express_is_told_with_its_place(folder: Path) -> None:
    said, _ = flowhub("export", "airflow", "notes.yaml", cwd=folder)
    assert "notes.yaml:1: the webhook 'notes' is not served by Airflow" in said
    assert """POST {"conf": {"trigger": {"body": ...}}} to Airflow's REST API, .../dags/notes/dagRuns.""" in said
    assert "notes.yaml:6: node 'note' needs an image with flowhub_assets" in said
    assert "Write FLOWHUB_IMAGE into the profile" in said


def test_check_writes_nothing_and_fails_while_files_are_missing_or_stale(folder: Path) -> None:
    words = ("export", "airflow", "workflow.py", "notes.yaml", "--check")
    _, said = flowhub(*words, cwd=folder, code=1)
    assert "dags/my-flow_dag.py is missing" in said
    assert not (folder / "dags").exists()
    flowhub(*words[:-1], cwd=folder)
    assert flowhub(*words, cwd=folder)[0] == "All files are up to date.\n"
    (folder / "workflow.py").write_text(FLOW.replace("0 9 * * *", "0 8 * * *"), "utf-8")
    _, said = flowhub(*words, cwd=folder, code=1)
    assert said.splitlines()[:2] == ["dags/my-flow_dag.py is stale", "dags/my-flow-code.yaml is stale"]


def test_all_are_the_shipped_ones_too(folder: Path) -> None:
    said, _ = flowhub("export", "airflow", "--all", "--out", "dags", cwd=folder)
    for name in ("quick-start", "article-generator", "wine-warehouse"):
        assert f"dags/{name}_dag.py" in said


@pytest.mark.parametrize("words", [("--all",), ("quick-start",)])
def test_of_two_pipelines_with_one_name_none_is_dropped(folder: Path, words: tuple[str, ...]) -> None:
    text = (folder / "notes.yaml").read_text("utf-8").replace("name: notes", "name: quick-start")
    (folder / "more").mkdir()
    (folder / "more" / "notes.yaml").write_text(text, "utf-8")
    (folder / "pyproject.toml").write_text('[tool.flowhub]\npipelines = ["more"]\n', "utf-8")
    _, said = flowhub("export", "airflow", *words, cwd=folder, code=2)
    assert "more/notes.yaml" in said
    assert "pipeline 'quick-start' has the name of 'quick-start'" in said
    assert not (folder / "dags").exists()


def test_a_pipeline_is_named_by_its_name_as_well(folder: Path) -> None:
    said, _ = flowhub("export", "airflow", "quick-start", cwd=folder)
    assert "dags/quick-start-code.yaml" in said
    _, said = flowhub("export", "airflow", "quick-strat", cwd=folder, code=2)
    assert "there is no pipeline 'quick-strat'" in said
    assert "did you mean 'quick-start'?" in said.lower()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "no pipeline is named"),
        (("missing.yaml",), "missing.yaml"),
        (("workflow.py", "--env", "airflw"), "has no env profile 'airflw'"),
        (("notes.yaml", "--out", "notes.yaml"), "the DAGs cannot be written"),
    ],
)
def test_mistakes_are_told(folder: Path, words: tuple[str, ...], told: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "flowhub_assets.cli", "export", "airflow", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (1, 2)
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_two_pipelines_with_one_name_in_airflow_are_refused(folder: Path) -> None:
    (folder / "other.yaml").write_text(PIPELINE.replace("name: notes", "name: my-flow"), "utf-8")
    _, said = flowhub("export", "airflow", "workflow.py", "other.yaml", cwd=folder, code=2)
    assert "pipeline 'my-flow' has the name of 'my_flow'" in said
    assert not (folder / "dags").exists()
