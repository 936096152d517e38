"""Checks of what one task is: a function or a node, one that decides, one that loops, one that is an asset."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from flowhub_assets.ir.pipeline import Loop, Pipeline, Retry, Task
from flowhub_assets.ir.problem import Problem
from flowhub_assets.ir.spelling import did_you_mean, listed
from flowhub_assets.ir.task_tree import all_tasks, told

#: Where a task may say that it runs; None is a function in a process of its own.
RUN_ON = ("engine", "cpu", "gpu")

#: How the delay between two tries may grow.
BACKOFFS = ("constant", "linear", "exponential")

#: What a check that does not hold may come to.
LEVELS = ("blocking", "error", "warn")
#: Dagster takes three kinds of an asset; that of the task's own place is one of them where it is heavy.
_MOST_KINDS = 3
_CHECK_NAME = re.compile(r"[A-Za-z0-9_]{1,100}")

KEY_PART = re.compile(r"[\w.-]+")
_CLASS_NAME = re.compile(r"[^\W\d]\w*")


def tasks_do_one_thing(pipeline: Pipeline) -> Iterator[Problem]:
    """A task is a function or a node, not both; where it runs is one of three places."""
    for task in all_tasks(pipeline):
        if task.node is not None and task.function:
            what = f"{told(task)} has both a function, {task.function!r}, and a node of type {task.node.type!r}"
            yield Problem(what, task.source, "only one of them could run", "leave one of them out")
        if task.node is None and not task.function and task.loop is None:
            remedy = "give it a node, with a type, or the name of a function"
            yield Problem(f"{told(task)} has neither a function nor a node", task.source, "nothing would run", remedy)
        if task.node is not None and not task.node.type:
            yield Problem(
                f"{told(task)} has no type", task.source, "nothing would run", "write type: http-request, say"
            )
        if task.run_on is not None and task.run_on not in RUN_ON:
            hint = did_you_mean(task.run_on, RUN_ON) or f"it is one of {listed(RUN_ON)}"
            yield Problem(f"{told(task)} runs on {task.run_on!r}", task.source, "there is no such place", hint)
        if task.when is not None and not task.when.strip():
            remedy = "write a condition, or leave it out"
            yield Problem(f"the condition 'when' of {told(task)} is empty", task.source, remedy=remedy)


def ports_are_legal(pipeline: Pipeline) -> Iterator[Problem]:
    """The ports of a task that decides are words, each once."""
    for task in all_tasks(pipeline):
        if "" in task.ports:
            what = f"a port of {told(task)} has no name"
            yield Problem(what, task.source, "no edge could name it", "write a word for each port")
        for port in sorted({port for port in task.ports if port and task.ports.count(port) > 1}):
            what, effect = f"{told(task)} has the port {port!r} twice", "nobody could say which of them is meant"
            yield Problem(what, task.source, effect, "rename one of them")
        if task.ports and task.loop is not None:
            what, remedy = f"{told(task)} both loops and decides", "let a task behind the loop decide"
            yield Problem(what, task.source, "its value is the loop's list", remedy)


def loops_are_legal(pipeline: Pipeline) -> Iterator[Problem]:
    """A loop has tasks, gives the value of one of them, and has bounds."""
    for task in all_tasks(pipeline):
        if task.loop is not None:
            for what, effect, remedy in _loop_faults(task.loop):
                yield Problem(f"loop {task.name!r} {what}", task.source, effect, remedy)


def _loop_faults(loop: Loop) -> Iterator[tuple[str, str, str]]:
    inner = [task.name for task in loop.tasks]
    if not inner:
        yield "has no tasks", "there is nothing to do for an item", "give it at least one task"
    elif loop.result not in inner:
        hint = did_you_mean(loop.result, inner) or f"its tasks are {listed(inner)}"
        yield f"gives back {loop.result!r}, which is not one of its tasks", "", hint
    if not loop.over.strip():
        yield "does not say what it loops over", "", "name the list"
    if not loop.into or loop.into == "env":
        yield f"keeps its list under {loop.into!r}", "nobody could take it", "write another key: 'results'"
    if loop.most < 1:
        yield f"takes at most {loop.most} items", "it could never run", "write how many items a list may have: 1000"
    if loop.max_concurrent < 0:
        yield f"runs {loop.max_concurrent} items at a time", "", "write 1 or more, or 0 for no limit of its own"


def assets_are_legal(pipeline: Pipeline) -> Iterator[Problem]:
    """An asset's key is a path of plain words, one asset's alone; what runs many times in a run is no asset."""
    seen: dict[tuple[str, ...], Task] = {}
    own = {id(task) for task in pipeline.tasks}
    for task in all_tasks(pipeline):
        if task.asset is None:
            continue
        key, shown = task.asset.key, "/".join(task.asset.key)
        if not key or not all(KEY_PART.fullmatch(part) for part in key):
            remedy = "write words of letters, digits, '_', '-' and '.', with '/' between them: reports/daily"
            yield Problem(f"the asset key {shown!r} of {told(task)} is not legal", task.source, remedy=remedy)
        if key in seen:
            what = f"{told(seen[key])} and {told(task)} are both the asset {shown!r}"
            yield Problem(what, task.source, "one value would hide the other", "give each a key of its own")
        seen.setdefault(key, task)
        if id(task) not in own:
            what = f"{told(task)} is the asset {shown!r}, and it runs inside a loop or at the end of a run"
            yield Problem(what, task.source, "an asset has one value in a run", "put the asset on the loop itself")
        if task.asset.check is not None and not task.asset.check.strip():
            remedy = "write a condition on the value, or leave it out"
            yield Problem(f"the check of the asset {shown!r} is empty", task.source, remedy=remedy)


def retries_are_legal(pipeline: Pipeline) -> Iterator[Problem]:
    """Retries, their delay, the timeout and the pool of each task make sense."""
    for task in all_tasks(pipeline):
        of_task = f"of {told(task)}"
        times, delay = ("retries", "retry_delay") if task.node is None else ("retry.times", "retry.delay")
        if task.retry.times < 0:
            remedy = "write how often to try again: 0 for never, 3 for three times"
            yield Problem(f"{times}={task.retry.times} {of_task} is negative", task.source, remedy=remedy)
        if not 0 <= task.retry.delay < math.inf:
            remedy = "write seconds, 30" + (", or timedelta(seconds=30)" if task.node is None else ", or '30s'")
            yield Problem(f"{delay}={task.retry.delay:g} {of_task} is no delay", task.source, remedy=remedy)
        yield from _retry_faults(task, task.retry)
        if task.timeout is not None and not 0 < task.timeout < math.inf:
            ten_minutes = "timedelta(minutes=10)" if task.node is None else "'10m'"
            remedy = f"write the seconds that the task may take, 600 or {ten_minutes}; leave it out for no limit"
            yield Problem(f"timeout={task.timeout:g} {of_task} is no time", task.source, remedy=remedy)
        if task.pool is not None and not re.fullmatch(r"\S+", task.pool):
            remedy = "write a word: " + ("pool='gpu'" if task.node is None else "pool: gpu")
            yield Problem(f"pool {task.pool!r} {of_task} is empty or holds a blank", task.source, remedy=remedy)


def _retry_faults(task: Task, retry: Retry) -> Iterator[Problem]:
    backoff, on = ("retry_backoff", "retry_on") if task.node is None else ("retry.backoff", "retry.on")
    if retry.backoff not in BACKOFFS:
        hint = did_you_mean(retry.backoff, BACKOFFS) or f"it is one of {listed(BACKOFFS)}"
        yield Problem(f"{backoff}={retry.backoff!r} of {told(task)} is not known", task.source, remedy=hint)
    for name in retry.on:
        if not _CLASS_NAME.fullmatch(name):
            what = f"{on} of {told(task)} has {name!r}, which is no class of errors"
            yield Problem(what, task.source, "no error would match it", "write its name alone: ConnectionError")


def checks_are_legal(pipeline: Pipeline) -> Iterator[Problem]:
    """The checks of a task have names and levels; each is of one value, that of a task which runs once in a run."""
    own = {id(task) for task in pipeline.tasks}
    for task in all_tasks(pipeline):
        seen = set()
        for check in task.checks:
            what = f"the check {check.name!r} of {told(task)}"
            if not _CHECK_NAME.fullmatch(check.name):
                remedy = "write letters, digits and '_': 'no_nulls'"
                yield Problem(f"{what} has a name that Dagster does not take", task.source, remedy=remedy)
            if check.name in seen:
                yield Problem(f"{what} is declared twice", task.source, remedy="leave one of them out")
            seen.add(check.name)
            if check.level not in LEVELS:
                hint = did_you_mean(check.level, LEVELS) or f"it is one of {listed(LEVELS)}"
                yield Problem(f"{what} has the level {check.level!r}", task.source, remedy=hint)
        if task.checks and (id(task) not in own or task.loop is not None):
            what = f"{told(task)} has checks, and it runs inside a loop or at the end of a run"
            yield Problem(what, task.source, "a check is of one value in a run", "check what a task makes of them all")
        if len(task.kinds) > _MOST_KINDS or any(not KEY_PART.fullmatch(kind) for kind in task.kinds):
            what = f"the kinds of {told(task)} are {listed(task.kinds)}"
            remedy = f"write at most {_MOST_KINDS} words: kinds=['xgboost', 's3']"
            yield Problem(what, task.source, "Dagster's UI cannot show them", remedy)


CHECKS = (tasks_do_one_thing, ports_are_legal, loops_are_legal, assets_are_legal, retries_are_legal, checks_are_legal)
