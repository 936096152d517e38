"""A short run through Dagster's queue, from the request to its end: its process forked, and started by Dagster."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path

import yaml

from flowhub_assets_tests.benchmarks.row import Row, alternating
from flowhub_assets_tests.checkout import ROOT
from flowhub_assets_tests.to_dagster.dagster_stack import Stack, dagster_stack

_SHORT = """\
from flowhub import flow, task

@task
def one(args):
    return {"n": 1}

@task
def two(args):
    return {"n": args["n"] + 1}

@flow(env={"default": {"WORKSPACE": "BASE"}})
def short(args):
    return two(one(args))
"""
_SETTINGS = ROOT / "deploy" / "dagster.yaml"


def measure(quick: bool = False) -> list[Row]:
    """Two Dagsters stand side by side, and are asked in turns."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stacks:
        base = Path(name)
        without = base / "dagster.yaml"
        settings = yaml.safe_load(_SETTINGS.read_text("utf-8"))
        del settings["run_launcher"]
        without.write_text(yaml.safe_dump(settings), "utf-8")
        runs = []
        for side, file in (("ours", _SETTINGS), ("other", without)):
            (base / side).mkdir()
            stack = stacks.enter_context(dagster_stack(base / side, {"short.py": _SHORT}, settings=file))
            runs.append(_a_run(stack))
        for run in runs:
            run()  # whatever a Dagster does once
        ours, other = alternating(runs, 1 if quick else 7)
    return [Row("a run of two short tasks, from the request to its end", ours, other, "Dagster's own run launcher")]


def _a_run(stack: Stack) -> Callable[[], object]:
    def run() -> None:
        status = stack.end_of(stack.run("short"), pause=0.05)
        assert status == "SUCCESS", status

    return run
