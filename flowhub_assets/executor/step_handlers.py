"""Which step handler a run's heavy steps have: processes of this machine, or Kubernetes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from dagster import Bool, Field, Float, Int, Noneable, Permissive, String

from flowhub_assets.errors import ProfileError
from flowhub_assets.executor.dagster_private import PlanOrchestrationContext, StepHandler, StepHandlerContext
from flowhub_assets.executor.local_handler import LocalStepHandler

if TYPE_CHECKING:
    from flowhub_assets.executor.kubernetes.own_image import KubernetesOwnImages
    from flowhub_assets.executor.kubernetes.step_handler import KubernetesStepHandler

AUTO, LOCAL, KUBERNETES = "auto", "local", "kubernetes"
_FILE = "pyproject.toml"


_permissive: Any = Permissive
_ANYTHING = _permissive()


def _text(description: str) -> Field:
    return Field(String, is_required=False, description=f"{description} The run launcher's, if left out.")


def _number(kind: Any, description: str) -> Field:
    told = "; else as [tool.flowhub.kubernetes] of pyproject.toml says, which goes before the built-in default."
    return Field(kind, is_required=False, description=f"{description}{told}")


#: The config of ``step_handler.kubernetes`` and ``step_handler.auto``. Precedence: launcher < this < op tag.
KUBERNETES_CONFIG = {
    "job_image": _text("The image of the code location."),
    "job_namespace": _text("The namespace of the Jobs."),
    "service_account_name": _text("The service account of the steps' pods."),
    "load_incluster_config": Field(Bool, is_required=False, description="Whether to use the pod's own credentials."),
    "kubeconfig_file": Field(Noneable(String), is_required=False, description="A kubeconfig to use instead."),
    "step_k8s_config": Field(
        _ANYTHING, is_required=False, description="container_config, pod_spec_config and so on, as in an op's tag."
    ),
    "seconds_to_start": _number(Float, "A pod that has not started after so long is given up"),
    "seconds_to_pull_image": _number(Float, "So long an image may not be there, or a Secret that a pod needs"),
    "seconds_without_api": _number(Float, "So long the Kubernetes API may not answer"),
    "seconds_without_node": _number(Float, "So long a node may not answer on which a pod is to end"),
    "max_disruptions": _number(
        Int,
        "So often a step is started again whose pod was preempted, evicted or lost with its node, at no cost to its"
        " own retries",
    ),
}
_DEFAULTS: Mapping[str, float] = {
    "seconds_to_start": 600.0,
    "seconds_to_pull_image": 120.0,
    "seconds_without_api": 60.0,
    "seconds_without_node": 60.0,
    "max_disruptions": 3,
}


@dataclass(frozen=True)
class ChosenHandler:
    """The handler of one run's heavy steps, and what runs pods of other images, where it is Kubernetes."""

    handler: StepHandler
    own_images: KubernetesOwnImages | None = None

    def finds(self, context: StepHandlerContext) -> bool:
        """Whether a run worker before this one has started the step somewhere where it can still be looked after."""
        return self._kubernetes is not None and self._kubernetes.finds(context)

    def started_again(self, context: StepHandlerContext) -> bool:
        """Whether a step that is found dead was started once more, for the cluster has taken its place away."""
        return self._kubernetes is not None and self._kubernetes.started_again(context)

    def end(self, seconds: float) -> None:
        """The run is stopped: nothing that was started for it stays."""
        if isinstance(self.handler, LocalStepHandler):
            self.handler.close(seconds)
        elif self.own_images is not None:
            self.own_images.jobs.take_all_away()

    def take_over(self) -> Sequence[str]:
        """Ends the run workers before this one that still run; what they were called."""
        if self.own_images is None:
            return ()
        from flowhub_assets.executor.kubernetes.other_workers import end_workers_before_this_one

        jobs = self.own_images.jobs
        return end_workers_before_this_one(jobs.cluster, jobs.run_id)

    def leave(self) -> None:
        """Another run worker goes on with the run: what was started in the cluster stays."""
        if self.own_images is not None:
            self.own_images.jobs.leave()

    def close(self) -> None:
        """The run is over in this process."""
        if self.own_images is not None:
            self.own_images.jobs.close()

    @property
    def _kubernetes(self) -> KubernetesStepHandler | None:
        return None if self.own_images is None else cast("KubernetesStepHandler", self.handler)


class StepHandlers:
    """Makes the handler of a run by the executor's config ``step_handler``."""

    def __init__(self, config: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
        """``defaults`` are the code location's, for runs whose config does not say."""
        ((self._kind, given),) = config.items()
        self._config = {**_DEFAULTS, **defaults, **given}

    def of_run(self, plan_context: PlanOrchestrationContext) -> ChosenHandler:
        """The handler for one run."""
        kind = self._kind if self._kind != AUTO else _kind_of(plan_context.instance)
        if kind == LOCAL:
            return ChosenHandler(LocalStepHandler())
        # They cost a second, and only a cluster needs them.
        from flowhub_assets.executor.kubernetes.own_image import KubernetesOwnImages
        from flowhub_assets.executor.kubernetes.step_handler import KubernetesStepHandler

        handler = KubernetesStepHandler(plan_context.instance, plan_context.run_id, self._config)
        return ChosenHandler(handler, KubernetesOwnImages(handler.jobs, plan_context.job_name))


def in_cluster() -> bool:
    """Whether this process runs in a pod: Kubernetes says so to every container."""
    return "KUBERNETES_SERVICE_HOST" in os.environ


def is_kubernetes(instance: Any) -> bool:
    """Whether heavy steps of runs of this instance go to Kubernetes unless they are told otherwise."""
    return _kind_of(instance) == KUBERNETES


def _kind_of(instance: Any) -> str:
    kinds = type(instance.run_launcher).__mro__
    return KUBERNETES if any(kind.__module__.startswith("dagster_k8s.") for kind in kinds) else LOCAL


def require_settings(settings: Mapping[str, Any]) -> None:
    """Raises ProfileError for a word of [tool.flowhub.kubernetes] that is none, or a value of a wrong type."""
    for name, value in settings.items():
        known = KUBERNETES_CONFIG.get(name)
        if known is None:
            remedy = f"It has {', '.join(KUBERNETES_CONFIG)}."
            raise ProfileError(f"[tool.flowhub.kubernetes] has no setting {name!r}", where=_FILE, remedy=remedy)
        if name in _DEFAULTS and (isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0):
            what = f"[tool.flowhub.kubernetes] {name} is {value!r}"
            raise ProfileError(what, where=_FILE, remedy="Write a number from 0.")
