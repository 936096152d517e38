"""What a pipeline says of automation → Dagster's conditions, which its own automation sensor asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dagster import AssetDep, AssetKey, AssetSpec, AutomationCondition

from flowhub_assets.ir.automation_checks import AUTOMATIONS
from flowhub_assets.ir.pipeline import Pipeline, Task

_CONDITIONS: Mapping[str, Callable[[], AutomationCondition[Any]]] = {
    "eager": AutomationCondition.eager,
    "on_missing": AutomationCondition.on_missing,
}
assert tuple(_CONDITIONS) == AUTOMATIONS


def automated(pipeline: Pipeline, task: Task, spec: AssetSpec) -> AssetSpec:
    """The spec of a task's asset with its condition, and with what it comes after beside what its task takes.

    The deps of the pipeline are those of its first assets, which come after no other of its own.
    """
    own = task.asset
    asked = own.automation if own is not None and own.automation is not None else pipeline.automation
    keys = outside_of(pipeline, task, is_first=not spec.deps)
    if asked is None and not keys:
        return spec
    deps = [*spec.deps, *map(AssetDep, keys)]
    return spec.replace_attributes(deps=deps, automation_condition=_condition(asked))


def outside_of(pipeline: Pipeline, task: Task, *, is_first: bool) -> list[AssetKey]:
    """The assets of others that a task's asset comes after; those of the pipeline are its first ones'."""
    return _keys([*(pipeline.deps if is_first else ()), *_own(task)])


def outside(pipeline: Pipeline) -> list[AssetKey]:
    """All assets of others that those of the pipeline come after."""
    return _keys([*pipeline.deps, *(name for task in pipeline.tasks for name in _own(task))])


def _own(task: Task) -> tuple[str, ...]:
    return (*task.deps, *(task.asset.deps if task.asset is not None else ()))


def _keys(names: Iterable[str]) -> list[AssetKey]:
    return [AssetKey(name.split("/")) for name in dict.fromkeys(names)]


def _condition(asked: str | None) -> AutomationCondition[Any] | None:
    if asked is None:
        return None
    made = _CONDITIONS.get(asked)
    condition = AutomationCondition.on_cron(asked) if made is None else made()
    return (condition & may_follow()).with_label(condition.get_label() or asked)


def may_follow() -> AutomationCondition[Any]:
    """Whether what an asset comes after may be followed: an asset whose blocking check does not hold is made, too.

    One that is made in the same run is asked there, by the run itself.
    """
    made_with_it = AutomationCondition.any_deps_match(AutomationCondition.will_be_requested())
    return AutomationCondition.all_deps_blocking_checks_passed() | made_with_it
