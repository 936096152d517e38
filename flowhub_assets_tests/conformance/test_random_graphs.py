"""Graphs that hypothesis makes, run by the local runtime and by Dagster: equal values, equal failures."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from flowhub_assets_tests.conformance.dagster_runners import DagsterInProcess
from flowhub_assets_tests.conformance.random_graphs import Graph, graphs, task_name
from flowhub_assets_tests.conformance.runners import Local, Ran, Runner, require_same

LOCAL, DAGSTER = Local(in_process=True), DagsterInProcess()
#: What runs graphs with branches beside the local runtime in one process.
OTHERS: list[Runner] = [Local(in_process=False), DAGSTER]


# Making a failing graph smaller takes minutes: it is told as it was found, with the line that brings it back.
@settings(
    max_examples=8,
    deadline=None,
    print_blob=True,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(graph=graphs())
def test_dagster_gives_what_the_local_runtime_gives(graph: Graph, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("random")
    expected = _run(LOCAL, graph, folder / "healthy", healthy=True)
    assert len(expected.values) == len(graph.nodes)
    assert expected.attempts == {task_name(index): node.failures + 1 for index, node in enumerate(graph.nodes)}
    if graph.doomed is None:
        require_same(DAGSTER.name, _run(DAGSTER, graph, folder / "healthy"), expected)
    else:
        _require_same_failure(graph, folder / "doomed", expected, DAGSTER)


@settings(
    max_examples=8,
    deadline=None,
    print_blob=True,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(graph=graphs(branches=True))
def test_branches_end_alike_however_they_are_run(graph: Graph, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("branches")
    expected = _run(LOCAL, graph, folder / "healthy", healthy=True)
    tried = {task_name(index): node.failures + 1 for index, node in enumerate(graph.nodes)}
    assert expected.attempts == {name: tried.get(name, 1) for name in expected.values}
    if graph.doomed is None or task_name(graph.doomed) not in expected.values:
        for runner in OTHERS:
            require_same(runner.name, _run(runner, graph, folder / "healthy"), expected)
    else:
        for runner in OTHERS:
            _require_same_failure(graph, folder / f"doomed {runner.name}", expected, runner)


def _require_same_failure(graph: Graph, folder: Path, expected: Ran, other: Runner) -> None:
    """``expected`` is how the graph ends without its doomed task."""
    assert graph.doomed is not None
    ours, theirs = _run(LOCAL, graph, folder), _run(other, graph, folder)
    doomed = task_name(graph.doomed)
    lost = {doomed, *map(task_name, graph.below(graph.doomed))}
    assert ours.values == {name: text for name, text in expected.values.items() if _task_of(name) not in lost}
    assert theirs.values == ours.values
    assert theirs.attempts == ours.attempts
    assert theirs.attempts[doomed] == graph.nodes[graph.doomed].failures + 1
    assert (ours.result, theirs.result) == (None, None)
    assert ours.told == theirs.told
    assert [told["args"]["failed_task"] for told in ours.told] == [doomed]


def _task_of(name: str) -> str:
    """The task itself, or the one that decides where a side of its choice became a task."""
    return name.partition(".")[0]


def _run(runner: Runner, graph: Graph, folder: Path, *, healthy: bool = False) -> Ran:
    folder.mkdir(exist_ok=True)
    file = folder / "workflow.py"
    file.write_text(graph.text(healthy=healthy), "utf-8")
    workspace = folder / runner.name
    workspace.mkdir()
    return runner.run(file, graph.given, workspace)
