"""What runs beside ours in the benchmarks' cluster: plain ops, all in pods, by Dagster's own k8s_job_executor."""

from __future__ import annotations

import os

import dagster as dg
from dagster_k8s import k8s_job_executor

#: The variables that say how large a job is.
BRANCHES, LENGTH, STEPS = "BENCH_BRANCHES", "BENCH_LENGTH", "BENCH_STEPS"


@dg.op
def first() -> int:
    return 0


@dg.op
def following(number: int) -> int:
    return number + 1


@dg.job(name="mixed", executor_def=k8s_job_executor)
def mixed() -> None:
    """As the flow ``mixed``: branches of steps that follow each other."""
    for _ in range(int(os.environ.get(BRANCHES, "1"))):
        value = first()
        for _ in range(int(os.environ.get(LENGTH, "1")) - 1):
            value = following(value)


@dg.job(name="stubs", executor_def=k8s_job_executor)
def stubs() -> None:
    """As the flow ``stubs``: steps that do not wait for each other."""
    for _ in range(int(os.environ.get(STEPS, "1"))):
        first()


defs = dg.Definitions(jobs=[mixed, stubs])
