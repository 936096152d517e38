"""Heavy steps in the code location's own image: dagster-k8s makes their Jobs, a watch tells how they go on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dagster_k8s import K8sRunLauncher
from dagster_k8s.container_context import K8sContainerContext
from dagster_k8s.executor import K8sStepHandler
from dagster_k8s.job import UserDefinedDagsterK8sConfig
from typing_extensions import override

from flowhub_assets.executor.dagster_private import (
    CheckStepHealthResult,
    DagsterEvent,
    DagsterInstance,
    EngineEventData,
    StepHandlerContext,
)
from flowhub_assets.executor.kubernetes.cluster import Cluster
from flowhub_assets.executor.kubernetes.jobs import JobSettings, RunJobs
from flowhub_assets.executor.kubernetes.judging import Patience, Trouble
from flowhub_assets.executor.kubernetes.manifests import ends_at_once, without_restarts

#: The longest name of a Job that leaves room for the number of a new start.
_LONGEST_NAME = 58


class KubernetesStepHandler(K8sStepHandler):
    """One run's. ``jobs`` are its Jobs; those of tasks with an image of their own are made by own_image.py."""

    def __init__(self, instance: DagsterInstance, run_id: str, config: Mapping[str, Any]) -> None:
        """``config`` is that of the executor's ``step_handler.kubernetes``; what it leaves out is the launcher's."""
        launcher = instance.run_launcher if isinstance(instance.run_launcher, K8sRunLauncher) else None
        in_cluster = config.get("load_incluster_config", launcher.load_incluster_config if launcher else True)
        file = config.get("kubeconfig_file", launcher.kubeconfig_file if launcher else None)
        super().__init__(
            image=config.get("job_image"),
            container_context=K8sContainerContext(
                namespace=config.get("job_namespace"),
                service_account_name=config.get("service_account_name"),
                run_k8s_config=_k8s_config(dict(config.get("step_k8s_config", {}))),
            ),
            load_incluster_config=in_cluster,
            kubeconfig_file=file,
        )
        namespace = config.get("job_namespace") or (launcher.job_namespace if launcher else "default")
        settings = JobSettings(
            Patience(config["seconds_to_start"], config["seconds_to_pull_image"], config["seconds_without_node"]),
            config["seconds_without_api"],
            config["max_disruptions"],
        )
        self.jobs = RunJobs(Cluster(namespace, settings.api_patience), run_id, settings)
        self._trouble: dict[str, Trouble] = {}
        self._starts: dict[str, int] = {}  # Job as dagster-k8s names it → how often it was started again
        self._api_client = _InBackground(self.jobs)

    @property
    @override
    def name(self) -> str:
        return "kubernetes"

    @override
    def launch_step(self, step_handler_context: StepHandlerContext) -> Iterator[DagsterEvent]:
        self.jobs.begin()
        first = super()._get_k8s_step_job_name(step_handler_context)
        # What is over keeps its name.
        while self.jobs.is_there(self._get_k8s_step_job_name(step_handler_context)):
            self._starts[first] = self._starts.get(first, 0) + 1
        yield from super().launch_step(step_handler_context)

    @override
    def check_step_health(self, step_handler_context: StepHandlerContext) -> CheckStepHealthResult:
        name = self._get_k8s_step_job_name(step_handler_context)
        trouble = self.jobs.trouble_of(name)
        if trouble is not None:
            self._trouble[name] = trouble
            return CheckStepHealthResult.unhealthy(trouble.why)
        pod = self.jobs.last_pod(name)
        if pod is None or pod.phase != "Succeeded":
            return CheckStepHealthResult.healthy()
        return CheckStepHealthResult.unhealthy(f"the pod {pod.name} ended well, but before the step did")

    def finds(self, context: StepHandlerContext) -> bool:
        """Whether there is a Job of the step. Of several starts of one try the last one counts."""
        self.jobs.begin()
        first = super()._get_k8s_step_job_name(context)
        while self.jobs.is_there(_numbered(first, self._starts.get(first, 0) + 1)):
            self._starts[first] = self._starts.get(first, 0) + 1
        return self.jobs.is_there(self._get_k8s_step_job_name(context))

    def started_again(self, context: StepHandlerContext) -> bool:
        """For a step that is not healthy: no try of its own is spent on what the cluster did. Else it is given up."""
        name, key = self._get_k8s_step_job_name(context), self._get_step_key(context)
        trouble = self._trouble.pop(name, None)
        pod = self.jobs.last_pod(name)
        if pod is None or not pod.over:
            self.jobs.take_away(name)  # one that waits for its image, say, must not run when its step has failed
        most = self.jobs.settings.disruptions
        starts = self._starts.get(super()._get_k8s_step_job_name(context), 0)
        if trouble is None or not trouble.disrupted or starts >= most:
            return False
        message = f"Starting step {key} again ({starts + 1} of {most}): {trouble.why}"
        DagsterEvent.engine_event(context.get_step_context(key), message, EngineEventData())
        for _ in self.launch_step(context):
            pass
        return True

    @override
    def terminate_step(self, step_handler_context: StepHandlerContext) -> Iterator[DagsterEvent]:
        yield DagsterEvent.engine_event(
            step_handler_context.get_step_context(self._get_step_key(step_handler_context)),
            # ChosenHandler.end deletes the Jobs of all steps at once.
            f"Deleting the Job {self._get_k8s_step_job_name(step_handler_context)} of the step.",
            EngineEventData(),
        )

    @override
    def _get_k8s_step_job_name(self, step_handler_context: StepHandlerContext) -> str:
        first = super()._get_k8s_step_job_name(step_handler_context)
        return _numbered(first, self._starts.get(first, 0))


class _InBackground:
    """In the place of dagster-k8s' client: the run worker does not wait for the API, nor give up after 15 seconds."""

    def __init__(self, jobs: RunJobs) -> None:
        self._jobs = jobs

    def create_namespaced_job_with_retries(self, body: Any, namespace: str) -> None:
        """Makes the Job, as a child of the run's own."""
        del namespace  # it is the cluster's
        self._jobs.make(without_restarts(ends_at_once(self._jobs.cluster.plain(body))))


def _k8s_config(values: dict[str, Any]) -> UserDefinedDagsterK8sConfig:
    make: Any = UserDefinedDagsterK8sConfig
    config: UserDefinedDagsterK8sConfig = make.from_dict(values)
    return config


def _numbered(name: str, number: int) -> str:
    return f"{name[:_LONGEST_NAME]}-r{number}" if number else name
