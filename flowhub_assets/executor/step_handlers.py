"""Which step handler a run's heavy steps have: processes of this machine, or Kubernetes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dagster import Bool, Field, Float, Int, Noneable, Permissive, String

from flowhub_assets.executor.dagster_private import PlanOrchestrationContext, StepHandler
from flowhub_assets.executor.local_handler import LocalStepHandler

if TYPE_CHECKING:
    from flowhub_assets.executor.kubernetes.own_image import KubernetesOwnImages

AUTO, LOCAL, KUBERNETES = "auto", "local", "kubernetes"

_SECONDS_TO_START, _SECONDS_TO_PULL, _SECONDS_WITHOUT_API, _MOST_DISRUPTIONS = 600.0, 120.0, 60.0, 3


_permissive: Any = Permissive
_ANYTHING = _permissive()


def _text(description: str) -> Field:
    return Field(String, is_required=False, description=f"{description} The run launcher's, if left out.")


#: The config of ``step_handler.kubernetes``. Precedence: launcher < this < op tag.
KUBERNETES_CONFIG = {
    "job_image": _text("The image of the code location."),
    "job_namespace": _text("The namespace of the Jobs."),
    "service_account_name": _text("The service account of the steps' pods."),
    "load_incluster_config": Field(Bool, is_required=False, description="Whether to use the pod's own credentials."),
    "kubeconfig_file": Field(Noneable(String), is_required=False, description="A kubeconfig to use instead."),
    "step_k8s_config": Field(
        _ANYTHING, is_required=False, description="container_config, pod_spec_config and so on, as in an op's tag."
    ),
    "seconds_to_start": Field(
        Float, default_value=_SECONDS_TO_START, description="A pod that has not started after so long is given up."
    ),
    "seconds_to_pull_image": Field(
        Float,
        default_value=_SECONDS_TO_PULL,
        description="So long an image may not be there, or a Secret that a pod needs.",
    ),
    "seconds_without_api": Field(
        Float, default_value=_SECONDS_WITHOUT_API, description="So long the Kubernetes API may not answer."
    ),
    "max_disruptions": Field(
        Int,
        default_value=_MOST_DISRUPTIONS,
        description="So often a step is started again whose pod was preempted, evicted or lost with its node. No retry"
        " of its own is spent on that.",
    ),
}


@dataclass(frozen=True)
class ChosenHandler:
    """The handler of one run's heavy steps, and what runs pods of other images, where it is Kubernetes."""

    handler: StepHandler
    own_images: KubernetesOwnImages | None = None

    def end(self, seconds: float) -> None:
        """The run is stopped: nothing that was started for it stays."""
        if isinstance(self.handler, LocalStepHandler):
            self.handler.close(seconds)
        elif self.own_images is not None:
            self.own_images.jobs.take_all_away()

    def leave(self) -> None:
        """Another run worker goes on with the run: what was started in the cluster stays."""
        if self.own_images is not None:
            self.own_images.leave()

    def close(self) -> None:
        """The run is over in this process."""
        if self.own_images is not None:
            self.own_images.jobs.close()


class StepHandlers:
    """Makes the handler of a run by the executor's config ``step_handler``."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        ((self._kind, self._config),) = config.items()

    def of_run(self, plan_context: PlanOrchestrationContext) -> ChosenHandler:
        """The handler for one run."""
        kind = self._kind if self._kind != AUTO else _kind_of(plan_context.instance)
        if kind == LOCAL:
            return ChosenHandler(LocalStepHandler())
        # They cost a second, and only a cluster needs them.
        from flowhub_assets.executor.kubernetes.own_image import KubernetesOwnImages
        from flowhub_assets.executor.kubernetes.step_handler import KubernetesStepHandler

        config = {**_defaults(), **self._config}
        handler = KubernetesStepHandler(plan_context.instance, plan_context.run_id, config)
        return ChosenHandler(handler, KubernetesOwnImages(handler.jobs, plan_context.job_name))


def _kind_of(instance: Any) -> str:
    kinds = type(instance.run_launcher).__mro__
    return KUBERNETES if any(kind.__module__.startswith("dagster_k8s.") for kind in kinds) else LOCAL


def _defaults() -> dict[str, Any]:
    return {name: field.default_value for name, field in KUBERNETES_CONFIG.items() if field.default_provided}
