"""Jobs that the real dagster_k8s runs in tests: in a run worker's pod, by execute_k8s_job, by PipesK8sClient."""

import os
import time
from pathlib import Path

import dagster as dg
from dagster_k8s import PipesK8sClient, execute_k8s_job


@dg.op
def add(context: dg.OpExecutionContext) -> int:
    context.log.info(f"on {os.environ['HOSTNAME']}")
    return 2 + 3


@dg.op
def wait(context: dg.OpExecutionContext) -> None:
    Path(os.environ["DAGSTER_HOME"], "waiting").touch()
    time.sleep(60)


@dg.job(executor_def=dg.in_process_executor)
def small_job() -> None:
    add()


@dg.job(executor_def=dg.in_process_executor)
def long_job() -> None:
    wait()


@dg.op
def in_a_job(context: dg.OpExecutionContext) -> None:
    execute_k8s_job(
        context,
        image="python:3.11-slim",
        command=["python", "-c", "print('from the pod'); raise SystemExit(int('0'))"],
        namespace="default",
        load_incluster_config=False,
        kubeconfig_file=os.environ["KUBECONFIG"],
        timeout=60,
    )


@dg.job
def job_in_a_job() -> None:
    in_a_job()


PIPED = """
from dagster_pipes import open_dagster_pipes
with open_dagster_pipes() as pipes:
    pipes.log.info("half way")
    pipes.report_asset_materialization(metadata={"rows": pipes.get_extra("rows")})
"""


@dg.asset
def piped(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    client = PipesK8sClient(kubeconfig_file=os.environ["KUBECONFIG"], load_incluster_config=False, poll_interval=0.1)
    return client.run(
        context=context,
        image="code:1",
        command=["python", "-c", PIPED],
        namespace="default",
        extras={"rows": 7},
    ).get_materialize_result()


defs = dg.Definitions(assets=[piped], jobs=[small_job, long_job, job_in_a_job])
