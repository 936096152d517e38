"""Dagster on Kubernetes as a runner: every task has an image of its own, and runs in a pod of it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import dagster as dg

from flowhub_assets.definitions import location
from flowhub_assets.ir.pipeline import Task
from flowhub_assets.names import kubernetes_name
from flowhub_assets.runtime.secret_values import is_secret_name
from flowhub_assets.runtime.step import Runnable
from flowhub_assets_tests.conformance.airflow_runs import with_own_paths
from flowhub_assets_tests.conformance.dagster_runners import QUIET, ended, home_in, instance_of, run_config
from flowhub_assets_tests.conformance.runners import Ran, load
from flowhub_assets_tests.kubernetes.double import KubeDouble

#: Has Python and nothing else; the other one has this package.
BARE_IMAGE, NODE_IMAGE = "team/tasks:1", f"flowhub-assets:{metadata.version('flowhub-assets')}"
IMAGES = {NODE_IMAGE: Path(sys.executable)}


class DagsterKubernetes:
    """The flow's job with the hybrid executor; its run worker is this process, its pods are ``cluster``'s."""

    name = "Dagster, pods"

    def __init__(self, cluster: KubeDouble) -> None:
        self._cluster = cluster

    def run(self, file: Path, given: Mapping[str, Any], workspace: Path) -> Ran:
        runnable = in_images(load(file))
        flow = location.flow(runnable)
        self._make_secret(runnable)
        arguments: Any = (str(file),)
        job = dg.build_reconstructable_job(__name__, "job_in_images", arguments)
        kubernetes = {"kubeconfig_file": str(self._cluster.kubeconfig), "load_incluster_config": False}
        execution = {"execution": {"config": {"step_handler": {"kubernetes": kubernetes}}}}
        with instance_of(home_in(workspace)) as instance:
            config = {**QUIET, **execution, **run_config(flow, given, workspace)}
            result = dg.execute_job(job, instance, run_config=config, raise_on_error=False)
            run = instance.get_run_by_id(result.run_id)
            assert run is not None
            ran = ended(flow, instance, run, given, workspace)
        return replace(ran, told=[with_own_paths(told, file) for told in ran.told])

    def _make_secret(self, runnable: Runnable) -> None:
        profile = runnable.pipeline.profiles.get("default", {})
        values = {key: value for key, value in profile.items() if is_secret_name(key)}
        if values:
            self._cluster.objects.secret(f"{kubernetes_name(runnable.pipeline.name, 50)}-secrets", values)


def job_in_images(file: str) -> dg.JobDefinition:
    """The job of the last pipeline in ``file``, whose every task has an image."""
    return location.flow(in_images(load(Path(file)))).job


def in_images(runnable: Runnable) -> Runnable:
    """The same pipeline, each of its tasks, those of loops too, in an image; typed nodes need one with this package."""
    pipeline = runnable.pipeline
    changed = replace(
        pipeline,
        tasks=tuple(map(_in_image, pipeline.tasks)),
        finally_tasks=tuple(map(_in_image, pipeline.finally_tasks)),
    )
    return replace(runnable, pipeline=changed)


def _in_image(task: Task) -> Task:
    inner = () if task.loop is None else tuple(map(_in_image, task.loop.tasks))
    loop = task.loop and replace(task.loop, tasks=inner)
    if task.run_on == "engine":
        return replace(task, loop=loop)
    typed = task.node is not None or any(one.node is not None for one in inner) or task.placement.image == NODE_IMAGE
    return replace(task, loop=loop, placement=replace(task.placement, image=NODE_IMAGE if typed else BARE_IMAGE))
