"""Every benchmark runs at a small size and says something; how fast anything is, no test asserts."""

from __future__ import annotations

import importlib
import math
from pathlib import Path

import pytest
from dagster import JobDefinition, OpDefinition

from flowhub_assets.definitions import location
from flowhub_assets.from_python.loading import flows_in, load_module
from flowhub_assets.from_yaml.check import check_file, files_in
from flowhub_assets.from_yaml.loading import load_file, pipelines_in, runnable
from flowhub_assets.nodes.finding import load_nodes
from flowhub_assets.resources.settings import Settings, read_settings
from flowhub_assets_tests.airflow.drive import read_dags
from flowhub_assets_tests.airflow.environments import environment
from flowhub_assets_tests.benchmarks import cluster_flows, cluster_jobs
from flowhub_assets_tests.benchmarks.__main__ import NAMES, main
from flowhub_assets_tests.benchmarks.airflow import bytes_in, write_dags
from flowhub_assets_tests.benchmarks.building import job_of_distinct_ops
from flowhub_assets_tests.benchmarks.dagster_home import SQLITE, instance_in
from flowhub_assets_tests.benchmarks.node_runs import in_dagster, shape_file, write_shapes
from flowhub_assets_tests.benchmarks.row import Row, alternating, interpreter
from flowhub_assets_tests.benchmarks.table import BEGIN, END, as_markdown, replace_table
from flowhub_assets_tests.benchmarks.yaml_files import TEN, ten_nodes, write_files

#: Six run workers and the pods of their steps, one after the other; whole Dagsters.
_SLOW = ("kubernetes", "launching", "training", "webhooks")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.timeout(280)] * (name in _SLOW)) for name in NAMES]
)
def test_it_measures_both_sides(name: str) -> None:
    rows = importlib.import_module(f"flowhub_assets_tests.benchmarks.{name}").measure(quick=True)
    assert rows
    for row in rows:
        assert isinstance(row, Row)
        assert 0 < row.ours < math.inf
        assert 0 < row.other < math.inf
        assert row.what
        assert row.other_name


def test_the_table_shows_both_sides_and_the_ratio() -> None:
    table = as_markdown(
        [Row("a file up", 512.4, 1024.8, "boto3", at_most=0.6), Row("a task", 1.5, 0.5, "Dagster", unit="s")]
    )
    head, rule, first, second = table.splitlines()
    assert {len(line) for line in (head, rule, first, second)} == {len(head)}
    assert [cell.strip() for cell in first.strip("|").split("|")] == [
        "a file up",
        "512 ms",
        "boto3",
        "1,025 ms",
        "0.50",
        "≤ 0.6",
    ]
    assert [cell.strip() for cell in second.strip("|").split("|")][1:] == ["1.5 s", "Dagster", "0.5 s", "3.00", ""]


def test_a_small_ratio_is_told_to_two_digits() -> None:
    *_, line = as_markdown([Row("a light node", 1.534, 1000, "a process")]).splitlines()
    assert [cell.strip() for cell in line.strip("|").split("|")][4] == "0.0015"


@pytest.mark.parametrize("shape", ["chain", "fused", "fan-out", "waiting"])
def test_the_shapes_are_pipelines_of_so_many_nodes(shape: str, tmp_path: Path) -> None:
    write_shapes(tmp_path, 7)
    load_nodes(str(tmp_path))
    (one,) = load_file(str(shape_file(tmp_path, shape, 7)))
    last = [task for task in one.pipeline.tasks if task.name != "first"]
    assert len(last) == 7
    assert one.pipeline.fuse == (shape == "fused")
    waits = [len(task.after) for task in last]
    assert waits == ([1] * 7 if shape in ("fan-out", "waiting") else [0, *[1] * 6])
    assert {task.node.type for task in last if task.node} == {"delay" if shape == "waiting" else "nothing"}


def test_files_of_ten_nodes_are_a_code_location_of_their_own(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "project", 3)
    checked = [check_file(file) for file in files_in(str(folder / "pipelines"))]
    assert [problem for one in checked for problem in one.problems] == []
    assert [name for one in checked for name, *_ in one.pipelines] == [f"pipeline_{number:04d}" for number in range(3)]
    (pipeline,) = pipelines_in(ten_nodes("one"), "one.yaml")
    assert len(pipeline.tasks) == TEN
    assert read_settings({}, folder) == Settings(folders=(folder / "pipelines",), shipped=False)


def test_both_sides_of_building_make_the_same_graph() -> None:
    (pipeline,) = pipelines_in(ten_nodes("one"), "one.yaml")
    ours, theirs = location.flow(runnable(pipeline)).job, job_of_distinct_ops(runnable(pipeline))
    for job in (ours, theirs):
        assert len(job.nodes) == TEN
        assert set(job.resource_defs) - {"io_manager", "mlflow"} == {"params", "profile", "storage"}
        assert job.executor_def is location.executor
        for node in job.nodes:
            assert node.tags["flowhub/placement"] == "light"
            assert node.tags["dagster/compute_kind"] == "template"
            assert isinstance(node.definition, OpDefinition)
            retry = node.retry_policy or node.definition.retry_policy
            assert retry is not None
            assert (retry.max_retries, retry.delay) == (2, 5)
            assert node.definition.required_resource_keys == {"params"}


def test_both_dags_have_the_same_tasks_edges_and_pods(tmp_path: Path) -> None:
    report = read_dags(environment("3"), write_dags(tmp_path / "dags", 11)[0].parent)
    assert report["import_errors"] == {}
    ours, theirs = report["dags"]["wide"], report["dags"]["usual"]
    assert len(ours["tasks"]) == 11
    for word in ("schedule", "timetable", "tags", "owner", "start_date"):
        assert ours[word] == theirs[word]
    assert set(ours["params"]) == set(theirs["params"])
    for name, task in theirs["tasks"].items():
        same = ("upstream", "retries", "retry_delay", "startup_timeout", "shown_type", "trigger_rule")
        assert {word: ours["tasks"][name][word] for word in same} == {word: task[word] for word in same}
        pods = [one["tasks"][name]["pod"]["spec"] for one in (ours, theirs)]
        assert pods[0]["tolerations"] == pods[1]["tolerations"]
        assert pods[0]["nodeSelector"] == pods[1]["nodeSelector"]
        assert pods[0]["containers"][0]["resources"] == pods[1]["containers"][0]["resources"]
        assert pods[0]["containers"][0]["image"] == pods[1]["containers"][0]["image"]
        assert len(pods[0]["volumes"]) == len(pods[1]["volumes"])


def test_both_sides_of_a_run_in_a_cluster_have_the_same_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mixed.py").write_text(cluster_flows.mixed(tmp_path, 2, "lhl"), "utf-8")
    (tmp_path / "stubs.py").write_text(cluster_flows.stubs(tmp_path, 3), "utf-8")
    monkeypatch.setenv(cluster_jobs.BRANCHES, "2")
    monkeypatch.setenv(cluster_jobs.LENGTH, "3")
    monkeypatch.setenv(cluster_jobs.STEPS, "3")
    theirs = importlib.reload(cluster_jobs)
    for job, placed, follow in ((theirs.mixed, ["light", "heavy", "light"] * 2, 4), (theirs.stubs, ["heavy"] * 3, 0)):
        (flow,) = flows_in(load_module(str(tmp_path / f"{job.name}.py")))
        ours = location.flow(flow.runnable).job
        assert len(ours.nodes) == len(job.nodes) == len(placed)
        assert [sum(map(len, one.graph.dependencies.values())) for one in (ours, job)] == [follow, follow]
        kinds = [{"child": "light", "pod": "heavy"}.get(tag, tag) for tag in _placements(ours)]
        assert sorted(kinds) == sorted(placed)


@pytest.mark.parametrize(("text", "steps"), [("chain", 4), ("many", 4)])
def test_what_runs_in_pods_of_other_images_is_so_many_steps(text: str, steps: int, tmp_path: Path) -> None:
    flows = {
        "chain": cluster_flows.chain(tmp_path, steps),
        "many": cluster_flows.many(tmp_path, steps, tmp_path / "gate", tmp_path / "meal"),
    }
    (tmp_path / "flow.py").write_text(flows[text], "utf-8")
    (flow,) = flows_in(load_module(str(tmp_path / "flow.py")))
    assert _placements(location.flow(flow.runnable).job) == ["own image"] * steps


def _placements(job: JobDefinition) -> list[str]:
    return [str(node.definition.tags["flowhub/placement"]) for node in job.nodes]


def test_the_bytes_of_config_maps_are_those_of_their_decoded_values() -> None:
    text = 'data: {"a": "é"}\n---\nkind: ConfigMap\nbinaryData: {"b": "AAAA"}\n'
    assert bytes_in(text) == 2 + 3


def test_a_run_that_fails_is_no_measurement(tmp_path: Path) -> None:
    write_shapes(tmp_path, 2)
    file = shape_file(tmp_path, "chain", 2)
    file.write_text(file.read_text("utf-8").replace("type: nothing", "type: error, inputs: {message: no}"), "utf-8")
    with instance_in(tmp_path / "home", SQLITE) as instance, pytest.raises(RuntimeError, match="no measurement"):
        in_dagster(file, instance)()


def test_the_table_takes_its_place_and_nothing_else() -> None:
    text = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    once = replace_table(text, "| new |", "README.md")
    assert once == f"before\n{BEGIN}\n\n| new |\n\n{END}\nafter\n"
    assert replace_table(once, "| new |", "README.md") == once


@pytest.mark.parametrize("text", ["", BEGIN, END, f"{END}{BEGIN}"])
def test_a_readme_without_the_markers_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"README.ko.md has no place for the table"):
        replace_table(text, "table", "README.ko.md")


def test_calls_take_turns_and_the_median_counts() -> None:
    order: list[str] = []
    medians = alternating([lambda: order.append("a"), lambda: order.append("b")], 3)
    assert "".join(order) == "ababab"
    assert len(medians) == 2


def test_a_failing_interpreter_is_no_measurement() -> None:
    with pytest.raises(Exception, match="returned non-zero exit status 1"):
        interpreter("raise SystemExit(1)")()


def test_the_readmes_take_no_part_of_the_figures(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--readme", "imports"])
    assert "leave out the names" in capsys.readouterr().err


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["speed"])
    assert "speed" in capsys.readouterr().err
