"""Loading is lazy: one flow's job imports that flow's file alone; Dagster's own tools see everything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from dagster import AssetKey, DagsterInstance, RepositoryDefinition, execute_job

import flowhub_assets
from flowhub_assets import definitions
from flowhub_assets.names import dagster_name
from flowhub_assets.runtime.step import Runnable
from flowhub_assets.store.opened import FOLDER
from flowhub_assets.to_dagster.repository import StoredWorkflows
from flowhub_assets_tests.workflows import Workflows, reconstructable

ROOT = Path(flowhub_assets.__path__[0]).parent

MARKED = """
    with open(pathlib.Path(__file__).parents[1] / "imported", "a") as file:
        file.write("{name} " + str(os.getpid()) + "\\n")

    @task
    def one(args):
        return {{"flow": "{name}"}}

    @task
    def two(args):
        return args

    @flow(name={written})
    def main(args):
        return two(one(args))
"""


def imported() -> list[str]:
    path = Path("imported")
    return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []


def write_many(workflows: Workflows, **names: str) -> None:
    for number in range(10):
        workflows.write(f"flow_{number}.py", MARKED.format(name=f"flow_{number}", written=f"'flow-{number}'"))
    for name, written in names.items():
        workflows.write(f"{name}.py", MARKED.format(name=name, written=written))


def test_one_job_imports_one_file(workflows: Workflows) -> None:
    write_many(workflows)
    repository = workflows.repository()
    assert imported() == [], "making the repository imports nothing"
    job = repository.get_job("flow_7")
    assert {node.name for node in job.nodes} == {"flow_7__one", "flow_7__two"}
    assert imported() == ["flow_7"]
    assert repository.get_job("flow_7") is job
    assert imported() == ["flow_7"]


def test_so_it_does_for_a_name_that_is_not_ascii(workflows: Workflows) -> None:
    write_many(workflows, zzz="'회의록-요약.v1'")
    assert workflows.repository().get_job(dagster_name("회의록-요약.v1")) is not None
    assert imported() == ["zzz"]


def test_a_steps_process_imports_one_file(workflows: Workflows, instance_on_disk: DagsterInstance) -> None:
    write_many(workflows)
    job = reconstructable(workflows.folder, "flow_3", "flowhub_assets_tests.to_dagster.forking.forking_job")
    assert execute_job(job, instance_on_disk).success
    assert set(imported()) == {"flow_3"}
    processes = {line.split()[1] for line in Path("imported").read_text().splitlines()}
    assert len(processes) >= 3, "the run's process and one for each step"


def test_a_name_put_together_when_the_file_runs_is_found(workflows: Workflows) -> None:
    write_many(workflows, computed="'computed-' + str(40 + 2)")
    job = workflows.repository().get_job("computed_42")
    assert {node.name for node in job.nodes} == {"computed_42__one", "computed_42__two"}


def test_the_job_of_on_failure_is_found_by_its_flow(workflows: Workflows) -> None:
    write_many(workflows)
    workflows.write(
        "handled.py",
        """
        @task
        def handler(args):
            return args

        @task
        def one(args):
            return args

        @flow(on_failure=handler)
        def handled(args):
            return one(args)
        """,
    )
    repository = workflows.repository()
    assert repository.get_job("handled__on_failure").name == "handled__on_failure"
    assert imported() == []


def test_a_broken_file_does_not_keep_another_flows_job_from_loading(workflows: Workflows) -> None:
    write_many(workflows)
    workflows.write("aaa.py", "flow_7 = (\n")
    assert workflows.repository().get_job("flow_7").name == "flow_7"


def test_everything_is_there_when_everything_is_asked_for(workflows: Workflows) -> None:
    write_many(workflows)
    repository = workflows.repository()
    assert {job.name for job in repository.get_all_jobs()} >= {f"flow_{number}" for number in range(10)}
    assert repository.has_job("flow_1")
    assert not repository.has_job("flow_99")
    assert len(set(imported())) == len(imported()) == 10, "each file once"
    assert set(repository.get_top_level_resources()) == {"profile", "storage"}


def test_two_files_with_one_flow_name_are_told_and_the_first_stays(workflows: Workflows) -> None:
    workflows.write("a.py", MARKED.format(name="a", written="'my-flow'"))
    workflows.write("b.py", MARKED.format(name="b", written="'my_flow'"))
    graph = workflows.repository().asset_graph
    error = graph.get(AssetKey(["_invalid", "b"])).metadata["error"].value
    assert "a second pipeline is named 'my_flow', which is 'my_flow' in Dagster, as 'my-flow' is" in error
    assert f"{workflows.folder / 'a.py'}:" in error
    assert AssetKey(["my_flow", "one"]) in set(graph.get_all_asset_keys())


def stored(workflows: Workflows, *names: str, asked: list[str] | None = None) -> RepositoryDefinition:
    """The repository with workflows that are stored under these names; what it asks the store for goes to ``asked``."""
    asked = [] if asked is None else asked
    text = "apiVersion: flume/v1\nkind: Pipeline\nmetadata: {{name: {}}}\nnodes: [{{id: say, type: manual}}]\n"

    def texts() -> dict[str, str]:
        asked.append("texts")
        return {name: text.format(name) for name in names}

    def load(name: str, text: str) -> Runnable:
        asked.append(name)
        return definitions.load_workflow(name, text)

    return replace(workflows.location(), stored=StoredWorkflows(Path(FOLDER), texts, load)).repository()


def test_a_stored_workflow_is_loaded_alone_and_asked_for_behind_the_files(workflows: Workflows) -> None:
    write_many(workflows)
    asked: list[str] = []
    repository = stored(workflows, "one-more", "다른-것", "another", asked=asked)
    assert repository.get_job("flow_7").name == "flow_7"
    assert asked == [], "a file's job needs no database"
    assert repository.get_job("one_more").name == "one_more"
    assert repository.get_job(dagster_name("다른-것")) is not None
    assert asked == ["texts", "one-more", "texts", "다른-것"]
    assert imported() == ["flow_7"]
    assert {"flow_1", "one_more", "another"} <= set(repository.job_names)


def test_a_stored_workflow_that_clashes_with_a_file_or_is_broken_hurts_nobody(workflows: Workflows) -> None:
    write_many(workflows)
    repository = stored(workflows, "flow-3", "good", "bad name: [")
    graph = repository.asset_graph
    error = graph.get(AssetKey(["_invalid", "flow_3"])).metadata["error"].value
    assert "a second pipeline is named 'flow-3'" in error
    assert f"Only the first, {workflows.folder / 'flow_3.py'}:" in error
    assert AssetKey(["_invalid", dagster_name("bad name: [")]) in set(graph.get_all_asset_keys())
    assert AssetKey(["flow_3", "one"]) in set(graph.get_all_asset_keys())
    assert "good" in repository.job_names


BESIDE = """
    @task
    def one(args):
        return args

    @flow(name="beside-{number}")
    def beside(args):
        return one(args)

    from dagster import *

"""

#: What two files cannot both have: the second file's own definitions, or both files', and what is told.
CLASHES = {
    "asset of a flow": ("@asset(key=['flow_1', 'one'])\ndef clash():\n    return 1\n", "asset 'flow_1/one' is taken"),
    "op of a flow": ("@asset(key='flow_1__one')\ndef clash():\n    return 1\n", "op 'flow_1__one' is taken"),
    "job of a flow": (
        "@op\ndef x():\n    pass\n@job\ndef flow_1():\n    x()\ndefs = Definitions(jobs=[flow_1])\n",
        "job 'flow_1' is taken",
    ),
    "resource of the location": ("defs = Definitions(resources={'profile': 1})\n", "resource 'profile' is taken"),
    "executor": ("defs = Definitions(executor=multiprocess_executor)\n", "executor 'executor' is taken"),
    "asset of another file": ("@asset\ndef same():\n    return 1\n", "asset 'same' is taken"),
    "resource of another file": ("defs = Definitions(resources={'mine': object()})\n", "resource 'mine' is taken"),
    "op of another file": (
        "@op\ndef x():\n    pass\n@job(name='job_NUMBER')\ndef j():\n    x()\ndefs = Definitions(jobs=[j])\n",
        "op 'x' is taken",
    ),
    "schedule of another file": (
        (
            "@op(name='x_NUMBER')\ndef x():\n    pass\n@job(name='job_NUMBER')\ndef j():\n    x()\n"
            "defs = Definitions(jobs=[j], schedules=[ScheduleDefinition('daily', job=j, cron_schedule='@daily')])\n"
        ),
        "schedule or sensor 'daily' is taken",
    ),
    "loggers": ("defs = Definitions(loggers={'mine': colored_console_logger})\n", ""),
}


@pytest.mark.parametrize("kind", CLASHES)
def test_a_name_that_is_taken_costs_only_the_file_that_takes_it(workflows: Workflows, kind: str) -> None:
    text, told = CLASHES[kind]
    write_many(workflows)
    for number in (1, 2):
        path = workflows.folder / f"plain_{number}.py"
        workflows.write(path.name, BESIDE.format(number=number))
        path.write_text(path.read_text() + text.replace("NUMBER", str(number)))
    repository = workflows.repository()
    repository.load_all_definitions()
    graph = repository.asset_graph
    keys = set(graph.get_all_asset_keys())
    assert {AssetKey([f"flow_{number}", "one"]) for number in range(10)} <= keys
    invalid = AssetKey(["_invalid", "plain_2"])
    assert (invalid in keys) == bool(told)
    if told:
        error = graph.get(invalid).metadata["error"].value
        assert f"plain_2.py: its {told}" in error
        by_another = "another file" in kind
        assert (AssetKey(["_invalid", "plain_1"]) in keys) != by_another
        assert ("plain_1.py has one" in error) == by_another
        assert AssetKey(["beside_2", "one"]) not in keys


def test_flows_whose_ops_would_have_one_name(workflows: Workflows) -> None:
    for flow, task in (("a__b", "c"), ("a", "b__c")):
        workflows.write(
            f"{flow}.py",
            f"@task\ndef {task}(args):\n    return args\n\n"
            f"@flow(name='{flow}')\ndef f(args):\n    return {task}(args)\n",
        )
    repository = workflows.repository()
    repository.load_all_definitions()
    error = repository.asset_graph.get(AssetKey(["_invalid", "a__b"])).metadata["error"].value
    assert "its op 'a__b__c' is taken" in error


def test_a_task_whose_op_is_that_of_on_failure(workflows: Workflows) -> None:
    write_many(workflows)
    text = """
        @task
        def handler(args):
            return args

        @task
        def on_failure__handler(args):
            return args

        @flow(on_failure=handler)
        def x(args):
            return on_failure__handler(args)
    """
    workflows.write("x.py", text)
    repository = workflows.repository()
    repository.load_all_definitions()
    error = repository.asset_graph.get(AssetKey(["_invalid", "x"])).metadata["error"].value
    assert "its op 'x__on_failure__handler' is taken" in error


def dagster_tool(workflows: Workflows, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("FLOWHUB_", "DAGSTER_"))}
    home = workflows.folder.parent / "home"
    home.mkdir(exist_ok=True)
    env = {
        **kept,
        "DAGSTER_HOME": str(home),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
        "FLOWHUB_PIPELINES": str(workflows.folder),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "flowhub_assets/from_python/import_name")]),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    return subprocess.run(arguments, env=env, cwd=workflows.folder.parent, capture_output=True, text=True, timeout=100)


def test_dagster_validates_the_location(workflows: Workflows) -> None:
    write_many(workflows)
    workflows.write("bad.py", "def (\n")
    done = dagster_tool(
        workflows, sys.executable, "-m", "dagster", "definitions", "validate", "-w", str(ROOT / "workspace.yaml")
    )
    assert done.returncode == 0, done.stderr
    assert "Validation successful for code location flowhub_assets" in done.stdout + done.stderr
    assert set(imported()) == {f"flow_{number}" for number in range(10)}


def test_dg_lists_and_checks_the_location(workflows: Workflows) -> None:
    write_many(workflows)
    listed = dagster_tool(
        workflows, "dg", "list", "defs", "--json", "--target-path", str(ROOT), "--assets", "key:flow_1/one"
    )
    assert listed.returncode == 0, listed.stderr
    assert [asset["asset_key"] for asset in json.loads(listed.stdout)["assets"]] == ["flow_1/one"]
    checked = dagster_tool(workflows, "dg", "check", "defs", "--target-path", str(ROOT))
    assert checked.returncode == 0, checked.stdout + checked.stderr
