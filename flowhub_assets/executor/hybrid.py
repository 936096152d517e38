"""The executor of every job: light steps in threads of the run worker, heavy ones where a step handler takes them.

The module is a table of contents: the config here, one run in run.py.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from dagster import (
    DagsterEvent,
    Enum,
    EnumValue,
    ExecutorDefinition,
    Field,
    InitExecutorContext,
    Int,
    Noneable,
    Selector,
    executor,
)
from typing_extensions import override

from flowhub_assets.executor.dagster_private import (
    ExecutionPlan,
    PlanOrchestrationContext,
    RetryMode,
    StepDelegatingExecutor,
    StepDependencyConfig,
    executor_config,
)
from flowhub_assets.executor.local_handler import LocalStepHandler
from flowhub_assets.executor.placement import HEAVY, PLACEMENT_TAG, PLACEMENTS
from flowhub_assets.executor.run import Limits, run_plan
from flowhub_assets.executor.step_handlers import (
    AUTO,
    KUBERNETES,
    KUBERNETES_CONFIG,
    LOCAL,
    StepHandlers,
    require_settings,
)

_selector: Any = Selector
_CONFIG = executor_config(
    max_concurrent=Field(
        Int, default_value=128, is_required=False, description="The most light steps of a run at a time."
    ),
    max_concurrent_children=Field(
        Noneable(Int),
        default_value=None,
        is_required=False,
        description="The most steps of a run at a time in children of the run worker; the number of cores, at least 4,"
        " if left out.",
    ),
    max_concurrent_heavy=Field(
        Noneable(Int),
        default_value=None,
        is_required=False,
        description="The most heavy steps of a run at a time. If left out: the number of cores on this machine, as"
        " many as there are on Kubernetes.",
    ),
    untagged=Field(
        Enum("Placement", [EnumValue(placement) for placement in PLACEMENTS]),
        default_value=HEAVY,
        is_required=False,
        description=f"Where a step runs whose op has no tag {PLACEMENT_TAG}: {' or '.join(PLACEMENTS)}.",
    ),
    step_handler=Field(
        _selector({AUTO: Field(KUBERNETES_CONFIG), LOCAL: Field({}), KUBERNETES: Field(KUBERNETES_CONFIG)}),
        default_value={AUTO: {}},
        is_required=False,
        description="Where heavy steps run. local: in a process each, on this machine. kubernetes: in a Job each. auto:"
        " on Kubernetes where Dagster's run launcher is the K8sRunLauncher, on this machine otherwise.",
    ),
)


class HybridExecutor(StepDelegatingExecutor):
    """Runs one plan with light and heavy steps side by side."""

    def __init__(self, config: dict[str, Any], kubernetes: Mapping[str, Any]) -> None:
        self.step_handlers = StepHandlers(config["step_handler"], kubernetes)
        super().__init__(
            LocalStepHandler(),  # each run has a handler of its own
            retries=RetryMode.from_config(config["retries"]) or RetryMode.ENABLED,
            tag_concurrency_limits=config.get("tag_concurrency_limits"),
            step_dependency_config=StepDependencyConfig.from_config(config.get("step_dependency_config")),
        )
        self.limits = Limits(
            light=config["max_concurrent"],
            child=config["max_concurrent_children"] or max(4, os.cpu_count() or 1),
            heavy=config["max_concurrent_heavy"],
            by_tag=config.get("tag_concurrency_limits") or [],
            untagged=config["untagged"],
        )

    @override
    def execute(self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
        from flowhub_assets.executor.event_batch import batched_events  # it imports SQLAlchemy

        with batched_events(plan_context.instance, plan_context.run_id) as flush:
            yield from run_plan(self, plan_context, execution_plan, flush)


def hybrid_executor_with(kubernetes: Mapping[str, Any]) -> ExecutorDefinition:
    """Light steps (op tag ``flowhub/placement: light``) in the run worker, heavy ones through a step handler.

    ``kubernetes`` are the code location's own values for ``step_handler.auto``, which a run's config beats. Raises
    ProfileError for what is none of them.
    """
    require_settings(kubernetes)

    @executor(name="hybrid", config_schema=_CONFIG)
    def hybrid(init_context: InitExecutorContext) -> HybridExecutor:
        """Light steps in the run worker, heavy ones in processes of this machine or on Kubernetes."""
        return HybridExecutor(dict(init_context.executor_config), kubernetes)

    return hybrid


hybrid_executor = hybrid_executor_with({})
