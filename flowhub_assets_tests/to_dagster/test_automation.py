"""Automation: Dagster makes a pipeline's assets by itself once those that they come after were made anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from dagster import (
    AssetKey,
    AssetMaterialization,
    AutomationCondition,
    DagsterInstance,
    evaluate_automation_conditions,
)

from flowhub_assets.to_dagster.automation import may_follow
from flowhub_assets_tests.workflows import Workflows

GRAPH = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: daily-report}
nodes:
- {id: rows, type: template, inputs: {template: [1, 2]}}
- id: save
  type: storage-write
  inputs: {key: report.json, value: "{{rows.output}}"}
  asset: {key: reports/daily, %s, deps: [wines/table]}
"""
FLOW = """
    @task
    def load(args):
        return {"n": 1}

    @task
    def report(args):
        return {"told": args["n"]}

    @flow(name="told", automation=%r, deps=["wines/table"])
    def told(args):
        return report(load(args))
"""


BRANCHES = """
    @task
    def is_many(args):
        return args["n"] > 3

    @task
    def small(args):
        return {"size": "small"}

    @task
    def large(args):
        return {"size": "large"}

    @flow(name="sizes", automation="eager", deps=["wines/table"], params={"n": 1})
    def sizes(args):
        choice = is_many.branch(args)
        large(choice.true)
        return small(choice.false)
"""
SEVERAL = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: several}
automation: eager
deps: [wines/table, orders]
nodes:
- {id: first, type: template, inputs: {template: 1}, asset: several/one}
- {id: other, type: template, inputs: {template: 2}}
- {id: both, type: template, inputs: {template: "{{first.output + other.output}}"}, asset: {key: both, deps: [orders]}}
"""


class Automation:
    """The looks of Dagster's automation sensor at the workflows' assets."""

    def __init__(self, workflows: Workflows, instance: DagsterInstance) -> None:
        self.instance = instance
        self.repository = workflows.repository()
        self.cursor: Any = None

    def asked(self, at: datetime | None = None) -> set[str]:
        """The assets that it asks to be made."""
        assets = list(self.repository.assets_defs_by_key.values())
        result = evaluate_automation_conditions(
            defs=assets, instance=self.instance, cursor=self.cursor, evaluation_time=at
        )
        self.cursor = result.cursor
        return {one.key.to_user_string() for one in result.results if result.get_num_requested(one.key)}

    def make(self, *keys: str) -> None:
        for key in keys:
            self.instance.report_runless_asset_event(AssetMaterialization(AssetKey(key.split("/"))))


@pytest.mark.parametrize(
    ("file", "text", "wanted"),
    [
        ("daily_report.yaml", GRAPH % "automation: eager", {"reports/daily"}),
        ("told.py", FLOW % "eager", {"told/load", "told/report"}),
        ("sizes.py", BRANCHES, {"sizes/small", "sizes/large"}),
    ],
)
def test_assets_are_made_whenever_what_they_come_after_is_new(
    workflows: Workflows, instance: DagsterInstance, file: str, text: str, wanted: set[str]
) -> None:
    workflows.write(file, text, **({"head": ""} if file.endswith("yaml") else {}))
    automation = Automation(workflows, instance)
    assert automation.asked() == set()
    for _ in range(2):
        automation.make("wines/table")
        assert automation.asked() == wanted
        assert automation.asked() == set()
    (sensor,) = automation.repository.sensor_defs
    assert sensor.name == "default_automation_condition_sensor"
    assert sensor.default_status.value == "STOPPED", "its user switches it on"
    assert workflows.run(file.partition(".")[0], instance).success, "by hand it starts as ever"


def test_a_graph_of_several_assets_is_made_as_a_whole(workflows: Workflows, instance: DagsterInstance) -> None:
    workflows.write("several.yaml", SEVERAL, head="")
    automation = Automation(workflows, instance)
    automation.asked()
    automation.make("orders")
    assert automation.asked() == set(), "the other is missing"
    automation.make("wines/table")
    assert automation.asked() == {"several/one", "both"}
    assert workflows.run("several", instance).success


def test_a_partition_that_comes_is_made_once_what_it_comes_after_is_there(
    workflows: Workflows, instance: DagsterInstance
) -> None:
    daily = "partitions={'every': 'daily', 'start': '2026-01-01'}, deps="
    workflows.write("told.py", (FLOW % "on_missing").replace("deps=", daily))
    automation = Automation(workflows, instance)
    noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    assert automation.asked(noon) == set()
    assert automation.asked(noon + timedelta(days=1)) == set(), "the table is missing"
    automation.make("wines/table")
    assert automation.asked(noon + timedelta(days=1)) == {"told/load", "told/report"}
    assert automation.asked(noon + timedelta(days=1)) == set()
    assert automation.asked(noon + timedelta(days=2)) == {"told/load", "told/report"}


def test_a_cron_expression_waits_for_its_moment_and_for_what_is_new(
    workflows: Workflows, instance: DagsterInstance
) -> None:
    workflows.write("daily_report.yaml", GRAPH % 'automation: "0 6 * * *"', head="")
    automation = Automation(workflows, instance)
    assert automation.asked(datetime.now(UTC) - timedelta(days=2)) == set()
    automation.make("wines/table")
    now = datetime.now(UTC)
    assert automation.asked(now) == {"reports/daily"}, "a moment has passed, and the table was made after it"
    assert automation.asked(now + timedelta(days=2)) == set(), "nothing is new since the next moment"


@pytest.mark.parametrize(
    ("asked", "condition"),
    [
        ("eager", AutomationCondition.eager()),
        ("on_missing", AutomationCondition.on_missing()),
        ("0 6 * * *", AutomationCondition.on_cron("0 6 * * *")),
    ],
)
def test_each_asset_has_dagsters_condition_and_the_first_ones_the_deps(
    workflows: Workflows, asked: str, condition: Any
) -> None:
    workflows.write("told.py", FLOW % asked)
    graph = workflows.repository().asset_graph
    load, report = (graph.get(AssetKey(["told", name])) for name in ("load", "report"))
    wanted = (condition & may_follow()).with_label(condition.get_label())
    assert load.automation_condition == report.automation_condition == wanted
    assert load.parent_keys == {AssetKey(["wines", "table"])}
    assert report.parent_keys == {load.key}


def test_what_comes_after_an_asset_waits_until_its_blocking_check_holds(
    workflows: Workflows, instance: DagsterInstance
) -> None:
    workflows.write("wines.py", CHECKED)
    workflows.write("told.py", (FLOW % "eager").replace("wines/table", "wines/rows"))
    automation = Automation(workflows, instance)
    assert automation.asked() == set()
    automation.make("orders")
    assert automation.asked() == {"wines/load", "wines/rows", "wines/last", "told/load", "told/report"}
    assert automation.asked() == set()
    assert not run_wines(workflows, instance, 0)
    assert automation.asked() == set(), "the rows are told as made, but their check does not hold"
    automation.make("orders")
    assert automation.asked() >= {"wines/load", "wines/rows", "wines/last"}, "in one run, which asks the check itself"
    assert automation.asked() == set()
    assert run_wines(workflows, instance, 1)
    assert automation.asked() == {"told/load", "told/report"}


def run_wines(workflows: Workflows, instance: DagsterInstance, rows: int) -> bool:
    config = {"resources": {"wines_params": {"config": {"rows": rows}}}}
    job = workflows.repository().get_job("wines")
    return job.execute_in_process(run_config=config, instance=instance, raise_on_error=False).success


CHECKED = """
    from flowhub_assets import check

    @task
    def load(args):
        return {"rows": args["rows"]}

    @task(checks={"enough": "blocking"})
    def rows(args):
        check("enough", args["rows"] > 0)
        return {"rows": args["rows"]}

    @task
    def last(args):
        return {}

    @flow(name="wines", params={"rows": 1}, automation="eager", deps=["orders"])
    def wines(args):
        return last(rows(load(args)))
"""


def test_deps_without_automation_are_lineage_alone(workflows: Workflows, instance: DagsterInstance) -> None:
    workflows.write("daily_report.yaml", (GRAPH % "").replace(" , deps", " deps"), head="")
    automation = Automation(workflows, instance)
    graph = automation.repository.asset_graph
    assert graph.get(AssetKey(["reports", "daily"])).parent_keys == {AssetKey(["wines", "table"])}
    automation.make("wines/table")
    assert automation.asked() == set()


AFTER_EACH_OTHER = """
    from dagster import asset

    @asset(deps=["orders", ["told", "report"]], key=["wines", "table"])
    def table():
        return 1
"""


@pytest.mark.parametrize("other", ["flow", "plain"])
def test_the_file_whose_assets_would_wait_for_themselves_does_not_load(workflows: Workflows, other: str) -> None:
    workflows.write("a_told.py", FLOW % "eager")
    if other == "plain":
        workflows.write("z_table.py", AFTER_EACH_OTHER)
    else:
        second = (FLOW % "eager").replace('"told"', '"wines"').replace("wines/table", "told/report")
        workflows.write("z_table.py", second.replace("def report", "def table").replace("report(", "table("))
    workflows.write("b_last.py", (FLOW % "eager").replace('"told"', '"last"').replace("wines/table", "told/report"))
    repository = workflows.repository()
    assert {"told", "last"} <= set(repository.job_names)
    assert "wines" not in repository.job_names
    specs = [spec for asset in repository.assets_defs_by_key.values() for spec in asset.specs]
    told = [f"{spec.metadata} {spec.description}" for spec in specs]
    assert any("z_table.py" in one and "wait for itself" in one for one in told)


@pytest.mark.parametrize("many", [True, False])
def test_what_is_made_in_the_same_run_is_waited_for_and_where_it_is_skipped_so_is_this(
    workflows: Workflows, instance: DagsterInstance, many: bool
) -> None:
    workflows.write(
        "chain.py",
        f"""
        @task
        def is_many(args):
            time.sleep(0.2)
            return {many}

        @task
        def found(args):
            return {{}}

        @flow(name="aaa", automation="eager", deps=["bbb/after"])
        def later(args):
            return found(args)

        @task
        def after(args):
            return {{}}

        @flow(name="bbb", automation="eager", deps=["zzz/found"])
        def middle(args):
            return after(args)

        @flow(name="zzz")
        def first(args):
            choice = is_many.branch(args)
            return found(choice.true)
        """,
    )
    job = workflows.repository().get_implicit_global_asset_job_def()
    result = job.execute_in_process(instance=instance)
    assert result.success
    made = [one.asset_key.to_user_string() for one in result.get_asset_materialization_events() if one.asset_key]
    assert made == (["zzz/found", "bbb/after", "aaa/found"] if many else [])


OF_ONE = """
    @task(deps=["wines/table"])
    def one(args):
        return {}

    @task
    def two(args):
        return {}

    @flow(name="of_one", automation="eager", deps=["wines/list"])
    def main(args):
        one(args)
        two(args)
"""


def test_a_task_comes_after_assets_of_its_own(workflows: Workflows) -> None:
    workflows.write("of_one.py", OF_ONE)
    graph = workflows.repository().asset_graph
    table, everything = AssetKey(["wines", "table"]), AssetKey(["wines", "list"])
    assert graph.get(AssetKey(["of_one", "one"])).parent_keys == {everything, table}
    assert graph.get(AssetKey(["of_one", "two"])).parent_keys == {everything}
