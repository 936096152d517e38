"""The context in which light steps run: the resources that they, and only they, need."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Any

from typing_extensions import override

from flowhub_assets.executor.dagster_private import (
    IAttachDifferentObjectToOpContext,
    IExecutionStep,
    PlanExecutionContextManager,
    PlanOrchestrationContext,
    ScopedResourcesBuilder,
    get_required_resource_keys_for_step,
    get_transitive_required_resource_keys,
    resource_initialization_manager,
)


def light_context_manager(
    plan_context: PlanOrchestrationContext, steps: Iterable[IExecutionStep]
) -> PlanExecutionContextManager:
    """Sets up what ``steps`` and their hooks need; a resource of heavy steps alone is not made here."""
    keys = _resource_keys(plan_context, steps)

    def resources(**arguments: Any) -> Any:
        return resource_initialization_manager(**{**arguments, "resource_keys_to_init": keys})

    return PlanExecutionContextManager(
        job=plan_context.job,
        execution_plan=plan_context.execution_plan,
        run_config=plan_context.run_config,
        dagster_run=plan_context.dagster_run,
        instance=plan_context.instance,
        retry_mode=plan_context.retry_mode,
        scoped_resources_builder_cm=resources,
        raise_on_error=plan_context.raise_on_error,
        output_capture=plan_context.output_capture,
        step_dependency_config=plan_context.step_dependency_config,
    )


class SharedResources(ScopedResourcesBuilder):
    """A ScopedResourcesBuilder that builds the object behind ``context.resources`` once for each set of keys.

    Dagster makes a class for it, three times for every step. A resource that gives each context another object is
    still asked every time.
    """

    _built: dict[frozenset[str], Any]

    @classmethod
    def over(cls, builder: ScopedResourcesBuilder) -> SharedResources:
        """The same resources."""
        shared = cls(builder.resource_instance_dict, builder.contains_generator)
        shared._built = {}
        return shared

    @override
    def build(self, required_resource_keys: AbstractSet[str] | None) -> Any:
        keys = frozenset(required_resource_keys or ())
        if keys not in self._built:
            built = super().build(keys)
            used = (self.resource_instance_dict[key] for key in keys if key in self.resource_instance_dict)
            if any(isinstance(resource, IAttachDifferentObjectToOpContext) for resource in used):
                return built
            self._built[keys] = built
        return self._built[keys]


def _resource_keys(plan_context: PlanOrchestrationContext, steps: Iterable[IExecutionStep]) -> frozenset[str]:
    job = plan_context.job.get_definition()
    keys: set[str] = set()
    for step in steps:
        keys.update(get_required_resource_keys_for_step(job, step, plan_context.execution_plan))
        for hook in job.get_all_hooks_for_handle(step.node_handle):
            keys.update(hook.required_resource_keys)
    return frozenset(get_transitive_required_resource_keys(keys, job.resource_defs))
