"""Re-execution from failure, in other processes than those that ran first: nothing finished runs again."""

from __future__ import annotations

import json
from pathlib import Path

from dagster import DagsterInstance, ReexecutionOptions, execute_job

from flowhub_assets_tests.workflows import Workflows, reconstructable

DIAMOND = """
    def count(name):
        with open(name + ".count", "a") as file:
            file.write("x")

    @task
    def load(args):
        count("load")
        return {"n": args["n"]}

    @task
    def left(args):
        count("left")
        return {"left": args["n"] + 1}

    @task
    def right(args):
        count("right")
        if not os.path.exists("mended"):
            raise RuntimeError("not yet")
        return {"right": args["n"] + 2}

    @task
    def report(args):
        count("report")
        return {"sum": args["left"] + args["right"]}

    @flow(params={"n": 1})
    def diamond(args):
        start = load(args)
        return report(left(start), right(start))
"""


def counts() -> dict[str, int]:
    return {path.stem: len(path.read_text()) for path in Path().glob("*.count")}


def test_from_failure_takes_finished_outputs_from_the_parent_run(
    workflows: Workflows, instance_on_disk: DagsterInstance
) -> None:
    workflows.write("diamond.py", DIAMOND)
    job = reconstructable(workflows.folder, "diamond")
    config = {"resources": {"diamond_params": {"config": {"n": 10}}}}
    first = execute_job(job, instance_on_disk, run_config=config)
    assert not first.success
    assert counts() == {"load": 1, "left": 1, "right": 1}
    # A run in between makes other values the latest: the re-execution must not take those.
    Path("mended").touch()
    between = execute_job(job, instance_on_disk, run_config={"resources": {"diamond_params": {"config": {"n": 99}}}})
    assert between.success
    before = counts()
    again = execute_job(
        job,
        instance_on_disk,
        run_config=config,
        reexecution_options=ReexecutionOptions.from_failure(first.run_id, instance_on_disk),
    )
    assert again.success
    ran = {name: number - before[name] for name, number in counts().items()}
    assert ran == {"load": 0, "left": 0, "right": 1, "report": 1}
    value = json.loads(Path(f"tmp/diamond/runs/{again.run_id}/report.json").read_text())
    assert value == {"sum": 23}
    # And once more, from the re-execution: the outputs are still found two runs back.
    third = execute_job(
        job,
        instance_on_disk,
        run_config=config,
        reexecution_options=ReexecutionOptions(again.run_id, step_selection=["diamond__report"]),
    )
    assert third.success
    assert json.loads(Path(f"tmp/diamond/runs/{third.run_id}/report.json").read_text()) == {"sum": 23}
