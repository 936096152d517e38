"""One run of a plan: what it needs around it, set up and taken down."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from flowhub_assets.errors import RunError
from flowhub_assets.executor.dagster_private import (
    DagsterEvent,
    EngineEventData,
    ExecutionPlan,
    IExecutionStep,
    PlanExecutionContext,
    PlanOrchestrationContext,
    ReconstructableJob,
)
from flowhub_assets.executor.heavy import HeavySteps
from flowhub_assets.executor.light import LightSteps
from flowhub_assets.executor.light_context import light_context_manager
from flowhub_assets.executor.own_images import offering
from flowhub_assets.executor.placement import (
    CHILD,
    HEAVY,
    IN_RUN_WORKER,
    LIGHT,
    ON_KUBERNETES,
    ON_THIS_MACHINE,
    OWN_IMAGE,
    PLACEMENT_TAG,
    concurrency_limit,
    placement_of,
)
from flowhub_assets.executor.plan_state import PlanState
from flowhub_assets.executor.pools import Pools
from flowhub_assets.executor.run_loop import RunLoop
from flowhub_assets.executor.step_handlers import ChosenHandler
from flowhub_assets.executor.step_log import routed_python_logs
from flowhub_assets.executor.step_output import routed_streams
from flowhub_assets.runtime.open_files import allow_open_files

if TYPE_CHECKING:
    from flowhub_assets.executor.hybrid import HybridExecutor

#: Seconds between two looks whether heavy steps live.
_HEALTH = 0.5


@dataclass(frozen=True)
class Limits:
    """``light``, ``child``, ``heavy``: the most steps at a time; ``untagged``: the placement where no tag is."""

    light: int
    child: int
    heavy: int | None
    by_tag: list[dict[str, Any]]
    untagged: str


def run_plan(
    executor: HybridExecutor,
    plan_context: PlanOrchestrationContext,
    plan: ExecutionPlan,
    flush: Callable[[], None],
) -> Iterator[DagsterEvent]:
    """Runs the plan to its end; yields the events. Raises DagsterExecutionInterruptedError if it is stopped.

    ``flush`` makes durable what has been told so far.
    """
    allow_open_files()
    untagged = executor.limits.untagged if _can_leave_this_process(plan_context) else LIGHT
    chosen = executor.step_handlers.of_run(plan_context)
    placed = partial(_placement, untagged=untagged, handler=chosen)
    light_steps = _light_steps(plan_context, plan, placed)
    handler = chosen.handler.name
    yield DagsterEvent.engine_event(
        plan_context,
        f"Running light steps in threads (pid: {os.getpid()}), heavy ones by the step handler {handler!r}.",
        EngineEventData.in_process(os.getpid(), plan.step_keys_to_execute),
    )
    if not light_steps:
        yield from _run(executor, plan_context, plan, placed, chosen, None, flush)
        return
    manager = light_context_manager(plan_context, light_steps)
    yield from manager.prepare_context()
    closed = False
    try:
        yield from _run(executor, plan_context, plan, placed, chosen, manager.get_context(), flush)
    except GeneratorExit:
        closed = True
        raise
    finally:
        for event in manager.shutdown_context():
            if not closed:
                yield event


def _run(
    executor: HybridExecutor,
    plan_context: PlanOrchestrationContext,
    plan: ExecutionPlan,
    placed: Callable[[IExecutionStep], str],
    chosen: ChosenHandler,
    context: PlanExecutionContext | None,
    flush: Callable[[], None],
) -> Iterator[DagsterEvent]:
    limits = executor.limits
    heavy_places = limits.heavy or (None if chosen.own_images else os.cpu_count() or 1)
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.closing(chosen))
        stack.enter_context(offering(chosen.own_images))
        pools = stack.enter_context(Pools(plan_context.instance, plan_context.dagster_run))
        light = None
        if context is not None:
            at_once = not executor.step_dependency_config.require_upstream_step_success
            light = stack.enter_context(contextlib.closing(LightSteps(context, tell_at_once=at_once)))
            stack.enter_context(routed_streams())
            stack.enter_context(routed_python_logs(context.log))
        state = stack.enter_context(
            PlanState(
                plan,
                placement=placed,
                places={LIGHT: limits.light, CHILD: limits.child, HEAVY: heavy_places, OWN_IMAGE: heavy_places},
                retry_mode=executor.retries,
                tag_concurrency_limits=limits.by_tag,
                instance_concurrency_context=pools,
                step_dependency_config=executor.step_dependency_config,
            )
        )
        heavy = HeavySteps(executor, chosen, plan_context, state, check_health_every=_HEALTH)
        yield from RunLoop(plan_context, state, pools, light, heavy, flush).events()


def _placement(step: IExecutionStep, *, untagged: str, handler: ChosenHandler) -> str:
    found = placement_of(step.tags, untagged)
    return (ON_THIS_MACHINE if handler.own_images is None else ON_KUBERNETES).get(found, found)


def _light_steps(
    plan_context: PlanOrchestrationContext, plan: ExecutionPlan, placed: Callable[[IExecutionStep], str]
) -> list[IExecutionStep]:
    """The light steps of the plan. Raises RunError for tags that say nothing, and for heavy steps that cannot be."""
    light = []
    for handle, step in plan.step_dict.items():
        if handle not in plan.step_handles_to_execute:
            continue
        concurrency_limit(step.tags)
        if placed(step) in IN_RUN_WORKER:
            light.append(step)
        elif not _can_leave_this_process(plan_context):
            raise RunError(
                f"step {step.key!r} is heavy (tag {PLACEMENT_TAG}), and no other process can run it",
                effect="Nothing of this run was started.",
                remedy="Run it on a persistent instance (DAGSTER_HOME) and from a file or module, or"
                f" set the tag to {LIGHT!r}.",
            )
    return light


def _can_leave_this_process(plan_context: PlanOrchestrationContext) -> bool:
    return isinstance(plan_context.job, ReconstructableJob) and plan_context.instance.is_persistent
