"""Checks of automation: when Dagster makes a pipeline's assets by itself, and after which others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

from flowhub_assets.ir import cron
from flowhub_assets.ir.pipeline import Pipeline, Source
from flowhub_assets.ir.problem import Problem
from flowhub_assets.ir.spelling import did_you_mean
from flowhub_assets.ir.task_checks import KEY_PART
from flowhub_assets.names import dagster_name

#: What automation may say beside a cron expression.
AUTOMATIONS = ("eager", "on_missing")


def automation_is_legal(pipeline: Pipeline) -> Iterator[Problem]:
    """Automation is eager, on_missing or a cron expression, of assets that can be made without being told anything."""
    asked = pipeline.automation is not None or pipeline.deps
    own = _own_keys(pipeline)
    if asked and not own:
        what = "the pipeline has automation or deps, and none of its nodes is an asset"
        effect, remedy = "Dagster has nothing to make", "say of the last node which asset it is: asset: reports/daily"
        yield Problem(what, pipeline.source, effect, remedy)
    of_tasks = [task for task in pipeline.tasks if task.deps]
    parts = [(pipeline.automation, (*pipeline.deps, *(of_tasks[0].deps if of_tasks else ())), pipeline.source)]
    parts += [(None, task.deps, task.source) for task in of_tasks]
    parts += [
        (task.asset.automation, (*pipeline.deps, *task.asset.deps), task.source)
        for task in pipeline.tasks
        if task.asset is not None and (task.asset.automation is not None or task.asset.deps)
    ]
    for automation, deps, where in parts:
        yield from _faults(automation, deps, own, where)
    required = [name for name in pipeline.param_schemas if name not in pipeline.params]
    if required and any(automation is not None for automation, _, _ in parts):
        what = f"the pipeline has automation, and its param {required[0]!r} has no default"
        yield Problem(what, pipeline.source, "nobody gives it to such a run", "give the param a default")


def _faults(automation: Optional[str], deps: tuple[str, ...], own: set[str], where: Source) -> Iterator[Problem]:
    if automation is not None and automation not in AUTOMATIONS:
        is_word = automation.isidentifier() or not automation
        remedy = did_you_mean(automation, AUTOMATIONS) or "write eager, on_missing, or a cron expression: '0 6 * * *'"
        fault = ("is not known", remedy) if is_word else cron.fault(automation)
        if fault:
            yield Problem(f"automation {automation!r} {fault[0]}", where, "nothing would be made", fault[1])
    if automation == "eager" and not deps:
        remedy = "name the assets that it comes after, deps: [wines/table], or write on_missing"
        yield Problem("automation is eager, and there are no deps", where, "nothing would ever be new", remedy)
    for dep in deps:
        if not all(KEY_PART.fullmatch(part) for part in dep.split("/")):
            remedy = "write its parts with / between them: wines/table"
            yield Problem(f"deps has {dep!r}, which is no asset's key", where, "nothing could make it anew", remedy)
        elif dep in own:
            remedy = "leave it out: within a pipeline, each comes after what it takes"
            yield Problem(
                f"deps has {dep!r}, an asset of the pipeline itself", where, "it would wait for itself", remedy
            )


def _own_keys(pipeline: Pipeline) -> set[str]:
    """The assets of the pipeline, as deps would name them; empty if it has none."""
    named = {"/".join(task.asset.key) for task in pipeline.tasks if task.asset is not None}
    functions = [task for task in pipeline.tasks if task.node is None and not task.ports]
    if not named and not functions:
        return set()
    tasks = (*pipeline.tasks, *pipeline.finally_tasks)
    return named | {f"{dagster_name(pipeline.name)}/{dagster_name(task.name)}" for task in tasks}


CHECKS = (automation_is_legal,)
