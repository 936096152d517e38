"""The checks of a task in Dagster: their specs, their results, and what a blocking one stops."""

from __future__ import annotations

from dagster import AssetCheckKey, AssetCheckSeverity, AssetKey, DagsterInstance, ExecuteInProcessResult

from flowhub_assets_tests.workflows import Workflows

FLOW = """
    from flowhub import check, show

    @task(checks={"nulls": "blocking", "ranges": "error", "fresh": "warn"}, kinds=["pandas", "s3"], retries=2)
    def load(args):
        '''Reads the table.'''
        show("rows", args["rows"])
        check("nulls", args["rows"] > 0, "no rows" if args["rows"] <= 0 else "", rows=args["rows"])
        check("ranges", args["rows"] < 10)
        check("fresh", False, "three days old")
        return {"rows": args["rows"]}

    @task
    def store(args):
        return {"stored": args["rows"]}

    @flow(name="checked", params={"rows": 3})
    def main(args):
        return store(load(args))
"""
LOAD = AssetKey(["checked", "load"])


def run(workflows: Workflows, instance: DagsterInstance, rows: int) -> ExecuteInProcessResult:
    return workflows.run("checked", instance, rows=rows)


def verdicts(result: ExecuteInProcessResult) -> dict[str, tuple[bool, AssetCheckSeverity, str | None]]:
    return {one.check_name: (one.passed, one.severity, one.description) for one in result.get_asset_check_evaluations()}


def test_what_the_ui_knows_before_a_run(workflows: Workflows) -> None:
    workflows.write("checked.py", FLOW)
    graph = workflows.repository().asset_graph
    assert graph.asset_check_keys == {AssetCheckKey(LOAD, name) for name in ("nulls", "ranges", "fresh")}
    assert graph.get_check_spec(AssetCheckKey(LOAD, "nulls")).blocking
    assert not graph.get_check_spec(AssetCheckKey(LOAD, "ranges")).blocking
    assert set(graph.get(LOAD).kinds) == {"pandas", "s3"}


def test_what_was_told_is_evaluated(workflows: Workflows, instance: DagsterInstance) -> None:
    workflows.write("checked.py", FLOW)
    result = run(workflows, instance, 30)
    assert result.success
    assert verdicts(result) == {
        "nulls": (True, AssetCheckSeverity.ERROR, None),
        "ranges": (False, AssetCheckSeverity.ERROR, None),
        "fresh": (False, AssetCheckSeverity.WARN, "three days old"),
    }
    (nulls,) = (one for one in result.get_asset_check_evaluations() if one.check_name == "nulls")
    assert nulls.metadata["rows"].value == 30
    (made,) = result.asset_materializations_for_node("checked__load")
    assert made.metadata["rows"].value == 30
    assert "nulls" not in made.metadata


def test_a_blocking_one_stops_what_comes_after_and_is_not_tried_again(
    workflows: Workflows, instance: DagsterInstance
) -> None:
    workflows.write("checked.py", FLOW)
    result = run(workflows, instance, 0)
    assert not result.success
    assert [event.step_key for event in result.get_step_failure_events()] == ["checked__load"]
    (failure,) = result.get_step_failure_events()
    told = failure.step_failure_data.user_failure_data
    assert told is not None
    assert "did not pass its check 'nulls': no rows" in str(told.description)
    assert verdicts(result)["nulls"][0] is False
    assert not [event for event in result.all_events if event.step_key == "checked__store" and event.is_step_start]
    assert not [event for event in result.all_events if event.is_step_up_for_retry]


def test_an_asset_is_made_alone_with_its_checks(workflows: Workflows, instance: DagsterInstance) -> None:
    workflows.write("checked.py", FLOW)
    result = workflows.repository().get_job("checked").execute_in_process(instance=instance, asset_selection=[LOAD])
    assert result.success
    assert set(verdicts(result)) == {"nulls", "ranges", "fresh"}


def test_a_flow_with_branches_says_that_it_takes_none(workflows: Workflows) -> None:
    workflows.write(
        "branched.py",
        """
    @task(checks={"nulls": "error"})
    def load(args):
        return {"large": True}

    @task
    def large(args):
        return {}

    @flow(name="branched")
    def main(args):
        return large(load.branch(args).true)
""",
    )
    graph = workflows.repository().asset_graph
    (key,) = graph.get_all_asset_keys()
    assert key.path[0] == "_invalid"
    assert "has checks, and pipeline 'branched' decides or loops" in str(graph.get(key).metadata)
