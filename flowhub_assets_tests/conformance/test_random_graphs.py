"""Graphs that hypothesis makes, run by the local runtime and by Dagster: equal values, equal failures."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from flowhub_assets_tests.conformance.dagster_runners import DagsterInProcess
from flowhub_assets_tests.conformance.random_graphs import Graph, graphs, task_name
from flowhub_assets_tests.conformance.runners import Local, Ran, Runner, require_same

LOCAL, DAGSTER = Local(in_process=True), DagsterInProcess()


# Making a failing graph smaller takes minutes: it is told as it was found, with the line that brings it back.
@settings(
    max_examples=30,
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
        _require_same_failure(graph, folder / "doomed", expected)


def _require_same_failure(graph: Graph, folder: Path, expected: Ran) -> None:
    """``expected`` is how the graph ends without its doomed task."""
    assert graph.doomed is not None
    ours, theirs = _run(LOCAL, graph, folder), _run(DAGSTER, graph, folder)
    doomed = task_name(graph.doomed)
    lost = {doomed, *map(task_name, graph.below(graph.doomed))}
    assert ours.values == {name: text for name, text in expected.values.items() if name not in lost}
    assert theirs.values == ours.values
    assert theirs.attempts == ours.attempts
    assert theirs.attempts[doomed] == graph.nodes[graph.doomed].failures + 1
    assert (ours.result, theirs.result) == (None, None)
    assert ours.told == theirs.told
    assert [told["args"]["failed_task"] for told in ours.told] == [doomed]


def _run(runner: Runner, graph: Graph, folder: Path, *, healthy: bool = False) -> Ran:
    folder.mkdir(exist_ok=True)
    file = folder / "workflow.py"
    file.write_text(graph.text(healthy=healthy), "utf-8")
    workspace = folder / runner.name
    workspace.mkdir()
    return runner.run(file, graph.given, workspace)
