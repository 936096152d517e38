"""What a task finds out about its own value: checks, by the names that @task(checks=...) declares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Optional

from flowhub_assets.errors import CheckFailed, ValueRefused
from flowhub_assets.ir.pipeline import Task
from flowhub_assets.ir.spelling import did_you_mean, listed
from flowhub_assets.ir.task_tree import told
from flowhub_assets.runtime.show import CHECK, Shown, collected, shown_value


class Checked(NamedTuple):
    """One check that was made: whether it holds, why, in Markdown, and what is shown beside it."""

    name: str
    passed: bool
    description: str
    shown: tuple[Shown, ...]


def check(name: str, passed: bool, description: str = "", **values: Any) -> None:
    """Tells whether the check ``name`` holds for what the task is about to return.

    The check is declared where the task is, ``@task(checks={"nulls": "blocking"})``; its level there says what comes
    of one that does not hold: after ``blocking`` nothing downstream runs, ``error`` and ``warn`` are told only. In
    Dagster it is an asset check of the task's asset. ``description`` says why, in Markdown; ``values`` are whatever
    ``show`` takes, under their names with spaces for underscores. Told twice, a check has to hold twice. Outside a run
    it only looks at its words. Raises ValueRefused for a verdict that is neither true nor false, or a value that cannot
    be shown.
    """
    verdict: Any = passed
    if hasattr(passed, "item") and getattr(passed, "shape", None) == ():  # numpy's own truth
        verdict = passed.item()
    if not isinstance(verdict, bool):
        raise ValueRefused(
            f"check({name!r}, ...) was given {passed!r:.60} as its verdict",
            effect="Nobody could say whether it holds.",
            remedy="Write what it compares: check('nulls', nulls == 0).",
        )
    shown = [shown_value(word.replace("_", " "), value) for word, value in values.items()]
    data = {"passed": verdict, "description": str(description), "shown": shown}
    collecting = collected()
    if collecting is None:
        return
    collecting.append(Shown(str(name), CHECK, data))
    if not verdict:  # the step's log is there wherever it runs
        print(f"check {name} does not hold{f': {description}' if description else ''}", flush=True)


def checked_in(task: Task, shown: Sequence[Shown]) -> list[Checked]:
    """The checks that ``task`` declares, in that order, by what it has told; one that it did not tell does not hold."""
    return [_settled(one.name, [told for told in _made(shown) if told.name == one.name]) for one in task.checks]


def require_declared(task: Task, shown: Sequence[Shown]) -> None:
    """Raises ValueRefused for a check that the task tells and does not declare."""
    known = [one.name for one in task.checks]
    for one in _made(shown):
        if one.name not in known:
            raise ValueRefused(
                f"{told(task)} tells the check {one.name!r}, which it does not declare",
                where=task.source,
                effect="Nobody would have looked for it.",
                remedy=did_you_mean(one.name, known)
                or f"Write @task(checks={{{one.name!r}: 'error'}}){f'; it declares {listed(known)}' if known else ''}.",
            )


def require_blocking(task: Task, shown: Sequence[Shown]) -> None:
    """Raises CheckFailed if a check that blocks does not hold: nothing that takes the task's value may run."""
    error = blocked(task, shown)
    if error is not None:
        raise error


def blocked(task: Task, shown: Sequence[Shown]) -> Optional[CheckFailed]:
    """What is wrong where a check that blocks does not hold; None where all do."""
    blocking = {one.name for one in task.checks if one.level == "blocking"}
    failed = [one for one in checked_in(task, shown) if one.name in blocking and not one.passed]
    if not failed:
        return None
    names = ", ".join(repr(one.name) for one in failed)
    reasons = "; ".join(one.description for one in failed if one.description)
    checks = f"its check{'s' if len(failed) > 1 else ''} {names}"
    return CheckFailed(
        f"{told(task)} did not pass {checks}{f': {reasons}' if reasons else ''}",
        where=task.source,
        effect="What comes after it is not run.",
        remedy="See what the check shows beside its verdict.",
    )


def _made(shown: Sequence[Shown]) -> Iterator[Checked]:
    for one in shown:
        if one.kind == CHECK:
            yield Checked(one.name, one.data["passed"], one.data["description"], tuple(one.data["shown"]))


def _settled(name: str, made: Sequence[Checked]) -> Checked:
    if not made:
        return Checked(name, False, "the task has ended without telling of it", ())
    failed = [one for one in made if not one.passed]
    reasons = [one.description for one in failed or made if one.description]
    return Checked(name, not failed, "; ".join(reasons), tuple(shown for one in made for shown in one.shown))
