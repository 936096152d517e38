"""The condition of ``asset: {check: ...}``, asked of the value that a node has given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowhub_assets.errors import RunError
from flowhub_assets.ir.pipeline import Task
from flowhub_assets.nodes.expressions.conditions import holds
from flowhub_assets.nodes.expressions.problem import TemplateProblem
from flowhub_assets.nodes.scope import view


def check_names(task: Task) -> tuple[str, ...]:
    """What the condition may speak of: ``output`` and the fields of the node's value, as templates see them."""
    return tuple(view(task, {}, {}))


def check_holds(task: Task, value: Mapping[str, Any]) -> bool:
    """Whether ``value`` is as the asset of ``task`` wants it. Raises RunError for a condition that cannot be asked."""
    assert task.asset is not None
    assert task.asset.check is not None
    scope = view(task, {task.name: task}, value)
    try:
        return holds(task.asset.check, scope, tuple(scope))
    except TemplateProblem as problem:
        what = f"the check {task.asset.check!r} of task {task.name!r} cannot be asked: {problem.what}"
        raise RunError(what, where=task.source, remedy=problem.remedy) from None
