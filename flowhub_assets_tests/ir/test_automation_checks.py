"""When Dagster may make a pipeline's assets by itself, and what is told where it cannot."""

from __future__ import annotations

from typing import Any

import pytest

from flowhub_assets.ir.checks import problems
from flowhub_assets.ir.pipeline import Asset, Node
from flowhub_assets_tests.ir.pipelines_as_data import messages, pipeline_of, task_of

OP = task_of("a", node=Node("log"), run_on="engine", function="")
KNOWN = {"deps": ("wines/table",)}


def asset(**words: Any) -> Any:
    return task_of("a", node=Node("log"), run_on="engine", function="", asset=Asset(("own",), **words))


@pytest.mark.parametrize(
    "pipeline",
    [
        pipeline_of(task_of("a"), automation="eager", deps=("wines/table", "two-words/v1.2")),
        pipeline_of(task_of("a"), automation="on_missing"),
        pipeline_of(task_of("a"), automation="0 6 * * *"),
        pipeline_of(task_of("a"), automation="@daily", **KNOWN),
        pipeline_of(task_of("a"), **KNOWN),
        pipeline_of(asset(automation="eager", **KNOWN)),
        pipeline_of(asset(automation="eager"), **KNOWN),
        pipeline_of(asset(**KNOWN)),
    ],
)
def test_what_is_fine(pipeline: Any) -> None:
    assert messages(pipeline) == []


@pytest.mark.parametrize(
    ("pipeline", "what", "remedy"),
    [
        (pipeline_of(OP, automation="on_missing"), "none of its nodes is an asset", "asset: reports/daily"),
        (pipeline_of(OP, **KNOWN), "none of its nodes is an asset", "asset: reports/daily"),
        (pipeline_of(task_of("a"), automation="eager"), "there are no deps", "deps: [wines/table]"),
        (pipeline_of(asset(automation="eager")), "there are no deps", "deps: [wines/table]"),
        (pipeline_of(task_of("a"), automation="eagre", **KNOWN), "'eagre' is not known", "did you mean 'eager'?"),
        (
            pipeline_of(task_of("a"), automation="sometimes", **KNOWN),
            "'sometimes' is not known",
            "write eager, on_missing",
        ),
        (pipeline_of(task_of("a"), automation="", **KNOWN), "'' is not known", "write eager, on_missing"),
        (pipeline_of(task_of("a"), automation="0 25 * * *"), "'0 25 * * *' has '25' as its hour", ""),
        (pipeline_of(task_of("a"), deps=("a b",)), "'a b', which is no asset's key", "wines/table"),
        (pipeline_of(task_of("a"), deps=("",)), "'', which is no asset's key", "wines/table"),
        (pipeline_of(task_of("a"), deps=("flow/a",)), "'flow/a', an asset of the pipeline itself", "leave it out"),
        (pipeline_of(asset(deps=("own",))), "'own', an asset of the pipeline itself", "leave it out"),
        (
            pipeline_of(task_of("a"), automation="on_missing", param_schemas={"city": {"type": "string"}}),
            "its param 'city' has no default",
            "give the param a default",
        ),
    ],
)
def test_what_is_wrong(pipeline: Any, what: str, remedy: str) -> None:
    (problem,) = problems(pipeline)
    assert what in problem.what
    assert remedy in problem.remedy
    assert problem.where is not None
