"""What must hold for every pipeline, whoever wrote it: an ordered list of small functions.

Each check takes a pipeline and yields a Problem per mistake. The order is that of the message: the
graph first, then each task, where it runs, what its writer said about the whole, its params, and its triggers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Callable

from flowhub_assets.errors import DefinitionError
from flowhub_assets.ir import (
    automation_checks,
    graph_checks,
    param_checks,
    placement_checks,
    setting_checks,
    task_checks,
    trigger_checks,
)
from flowhub_assets.ir.pipeline import Pipeline, Source, Task
from flowhub_assets.ir.placement import Placement, Volume
from flowhub_assets.ir.problem import Problem

Check = Callable[[Pipeline], Iterator[Problem]]

CHECKS: tuple[Check, ...] = (
    *graph_checks.CHECKS,
    *task_checks.CHECKS,
    *placement_checks.CHECKS,
    *setting_checks.CHECKS,
    *param_checks.CHECKS,
    *trigger_checks.CHECKS,
    *automation_checks.CHECKS,
)


def problems(pipeline: Pipeline) -> list[Problem]:
    """All that is wrong with ``pipeline``, in the order of CHECKS."""
    return [problem for check in CHECKS for problem in check(pipeline)]


def require(pipeline: Pipeline) -> None:
    """Raises one DefinitionError that tells all problems of ``pipeline``, if it has any."""
    _refuse(pipeline, problems(pipeline))


def require_placement(name: str, placement: Placement, volumes: tuple[Volume, ...], where: Source) -> None:
    """Raises DefinitionError if ``placement``, of what is called ``name``, is none that Kubernetes takes."""
    alone = Pipeline(name, (Task(name, (), where, name, placement=placement),), where, volumes=volumes)
    _refuse(alone, [problem for check in placement_checks.CHECKS for problem in check(alone)])


def _refuse(pipeline: Pipeline, found: list[Problem]) -> None:
    if not found:
        return
    errors = [DefinitionError(p.what, where=p.where, effect=p.effect, remedy=p.remedy) for p in found]
    if len(errors) == 1:
        raise errors[0]
    told = "\n".join(str(error) for error in errors)
    raise DefinitionError(f"pipeline {pipeline.name!r} has {len(errors)} mistakes\n{told}", where=pipeline.source)
