"""The launchpad: a flow's params as typed run config, checked before anything runs."""

from __future__ import annotations

from typing import Any

import pytest
from dagster import AssetKey, DagsterInstance, DagsterInvalidConfigError, validate_run_config

from flowhub_assets_tests.workflows import Workflows

TYPED = """
    PARAMS = {
        "on": True, "count": 3, "share": 0.5, "name": "김",
        "rows": [1, {"a": None}], "more": {"deep": [1]}, "open": None,
    }

    @task
    def echo(args):
        return args

    @flow(name="typed", params=PARAMS)
    def main(args):
        return echo(args)

    @task
    def both(first, second):
        return {"given": second["given"]}

    @flow(name="free")
    def free(args):
        return both(echo(args), args)
"""
DEFAULTS = {
    "on": True,
    "count": 3,
    "share": 0.5,
    "name": "김",
    "rows": [1, {"a": None}],
    "more": {"deep": [1]},
    "open": None,
}


@pytest.fixture
def typed(workflows: Workflows) -> Workflows:
    workflows.write("typed.py", TYPED)
    return workflows


def test_defaults_reach_the_task_as_they_are_written(typed: Workflows, instance: DagsterInstance) -> None:
    result = typed.run("typed", instance)
    assert result.asset_value(AssetKey(["typed", "echo"])) == DEFAULTS


@pytest.mark.parametrize(
    "given",
    [
        {"on": False},
        {"count": -1},
        {"share": 2.25},
        {"share": 2},
        {"name": ""},
        {"rows": []},
        {"rows": ["가", [1], {}]},
        {"more": {"other": {"deep": 1}}},
        {"open": "text"},
        {"open": {"a": [1]}},
        {"open": [1]},
        {"open": 1},
    ],
)
def test_run_config_beats_the_default(typed: Workflows, instance: DagsterInstance, given: dict[str, Any]) -> None:
    result = typed.run("typed", instance, **given)
    assert result.asset_value(AssetKey(["typed", "echo"])) == {**DEFAULTS, **given}


@pytest.mark.parametrize(
    "given",
    [
        {"on": "yes"},
        {"count": "3"},
        {"count": 1.5},
        {"count": True},
        {"share": "much"},
        {"name": 5},
        {"rows": {"a": 1}},
        {"more": [1]},
        {"cuont": 3},
    ],
)
def test_a_wrong_type_is_refused_by_name_before_a_run(typed: Workflows, given: dict[str, Any]) -> None:
    job = typed.repository().get_job("typed")
    with pytest.raises(DagsterInvalidConfigError) as refused:
        validate_run_config(job, {"resources": {"typed_params": {"config": given}}})
    (name,) = given
    assert name in str(refused.value)


def test_a_flow_without_params_takes_any_input_as_its_script_does(typed: Workflows, instance: DagsterInstance) -> None:
    result = typed.run("free", instance, given={"a": [1, None]}, 이름="김")
    assert result.asset_value(AssetKey(["free", "echo"])) == {"given": {"a": [1, None]}, "이름": "김"}
    assert result.asset_value(AssetKey(["free", "both"])) == {"given": {"a": [1, None]}}
