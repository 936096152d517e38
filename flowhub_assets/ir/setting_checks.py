"""Checks of what a pipeline's writer said about it: profiles, params, owners, schedule, retries."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from flowhub_assets.ir import cron, kubernetes_names
from flowhub_assets.ir.graph_checks import all_tasks
from flowhub_assets.ir.pipeline import NAMES_OF_THE_RUN, Pipeline, Source
from flowhub_assets.ir.problem import Problem
from flowhub_assets.ir.spelling import did_you_mean

# Dagster's own pattern for an owner's address.
_EMAIL = re.compile(r"\b[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Z|a-z]{2,7}\b")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*")
_LONGEST_TAG = 100  # Airflow's column for a DAG's tag
_PLAIN = (str, int, float, bool, type(None))


def kubernetes_names_are_legal(pipeline: Pipeline) -> Iterator[Problem]:
    """Namespace, service account and annotations are what Kubernetes takes."""
    where, effect = pipeline.source, "Kubernetes would refuse the pods"
    if pipeline.namespace is not None and (legal := kubernetes_names.dns_label(pipeline.namespace)):
        yield Problem(f"namespace {pipeline.namespace!r} is not a legal name", where, effect, f"write {legal}")
    account = pipeline.service_account_name
    if account is not None and (legal := kubernetes_names.dns_subdomain(account)):
        yield Problem(f"service_account_name {account!r} is not a legal name", where, effect, f"write {legal}")
    annotations: Mapping[str, object] = pipeline.annotations
    for key, value in annotations.items():
        if legal := kubernetes_names.qualified_name(key):
            yield Problem(f"annotation {key!r} is not a legal key", where, effect, f"write {legal}")
        if not isinstance(value, str):
            text = str(value).lower() if isinstance(value, bool) else str(value)
            yield Problem(f"annotation {key!r} is {value!r}, not a string", where, effect, f"write {text!r}")


def profiles_are_json(pipeline: Pipeline) -> Iterator[Problem]:
    """A profile maps names to JSON values and leaves the reserved names alone."""
    profiles: Mapping[str, object] = pipeline.profiles
    for name, profile in profiles.items():
        if not isinstance(profile, Mapping):
            yield Problem(
                f"profile {name!r} is a {type(profile).__name__}, not a dict",
                pipeline.source,
                remedy="write env={'default': {'WORKSPACE': './tmp'}}: profiles by name, each with its values",
            )
            continue
        yield from _values(f"profile {name!r}", profile, pipeline.source)


def task_env_is_json(pipeline: Pipeline) -> Iterator[Problem]:
    """So does what a task lays over the profile."""
    for task in all_tasks(pipeline):
        yield from _values(f"env of task {task.name!r}", task.env, task.source)


def params_are_json(pipeline: Pipeline) -> Iterator[Problem]:
    """So do the params; 'env' is the profile's own place in args."""
    yield from _values("params", pipeline.params, pipeline.source, reserved=("env",))


def _values(
    what: str, values: Mapping[str, Any], where: Source, reserved: tuple[str, ...] = NAMES_OF_THE_RUN
) -> Iterator[Problem]:
    for key, value in values.items():
        if key in reserved:
            effect = "each task finds FlowHub's own value under that name"
            yield Problem(f"{what} sets {key!r}", where, effect, f"choose another name than {', '.join(reserved)}")
        fault = _not_json(value, repr(key))
        if fault:
            yield Problem(f"{what} holds a value that is not JSON: {fault}", where, "it could not travel", _AS_JSON)


_AS_JSON = "write a string, number, True, False, None, or a list or dict of these; str(...) for a path or a date"


def _not_json(value: object, place: str) -> str:
    """Names place and type of what JSON cannot keep, never the value: it may be a secret."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"{place} is {value}"
    if isinstance(value, _PLAIN):
        return ""
    if isinstance(value, (list, tuple)):
        found = (_not_json(item, f"{place}[{number}]") for number, item in enumerate(value))
        return next(filter(None, found), "")
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                return f"{place} has the key {key!r}, a {type(key).__name__}"
            if fault := _not_json(item, f"{place}[{key!r}]"):
                return fault
        return ""
    return f"{place} is a {type(value).__name__}"


def tags_are_legal(pipeline: Pipeline) -> Iterator[Problem]:
    """A tag is a text that Airflow and Dagster can keep."""
    for tag in pipeline.tags:
        if not tag.strip() or len(tag) > _LONGEST_TAG:
            remedy = f"write between 1 and {_LONGEST_TAG} characters"
            yield Problem(f"tag {tag[:40]!r} has {len(tag)} characters", pipeline.source, remedy=remedy)


def owners_are_legal(pipeline: Pipeline) -> Iterator[Problem]:
    """An owner is an e-mail address or team:name, as in Dagster."""
    for owner in pipeline.owners:
        if not _EMAIL.fullmatch(owner) and not (owner.startswith("team:") and len(owner) > len("team:")):
            team = re.sub(r"\s+", "-", owner.strip().lower().replace("team:", "")) or "data"
            remedy = f"write an address, 'name@example.com', or a team, 'team:{team}'"
            yield Problem(f"owner {owner!r} is neither an e-mail address nor a team", pipeline.source, remedy=remedy)


def retries_are_legal(pipeline: Pipeline) -> Iterator[Problem]:
    """Retries, their delay, the timeout and the pool of each task make sense."""
    for task in all_tasks(pipeline):
        of_task = f"of task {task.name!r}"
        if task.retry.times < 0:
            remedy = "write how often to try again: 0 for never, 3 for three times"
            yield Problem(f"retries={task.retry.times} {of_task} is negative", task.source, remedy=remedy)
        if not 0 <= task.retry.delay < math.inf:
            remedy = "write seconds, 30, or timedelta(seconds=30)"
            yield Problem(f"retry_delay={task.retry.delay:g} {of_task} is no delay", task.source, remedy=remedy)
        if task.timeout is not None and not 0 < task.timeout < math.inf:
            remedy = "write the seconds that the task may take, 600 or timedelta(minutes=10); leave it out for no limit"
            yield Problem(f"timeout={task.timeout:g} {of_task} is no time", task.source, remedy=remedy)
        if task.pool is not None and not re.fullmatch(r"\S+", task.pool):
            remedy = "write a word: pool='gpu'"
            yield Problem(f"pool {task.pool!r} {of_task} is empty or holds a blank", task.source, remedy=remedy)


def schedule_is_legal(pipeline: Pipeline) -> Iterator[Problem]:
    """A schedule is a cron expression or an interval, in a timezone that exists."""
    schedule = pipeline.schedule
    if schedule is None:
        return
    if (schedule.cron is None) == (schedule.interval is None):
        remedy = "give a cron expression or an interval"
        yield Problem("a schedule has either a cron expression or an interval", pipeline.source, remedy=remedy)
    if schedule.cron is not None and (fault := cron.fault(schedule.cron)):
        yield Problem(f"schedule {schedule.cron!r} {fault[0]}", pipeline.source, "it would never start", fault[1])
    if schedule.interval is not None and not 0 < schedule.interval < math.inf:
        remedy = "write how long lies between two runs: timedelta(hours=1)"
        yield Problem(f"a schedule of every {schedule.interval:g} seconds", pipeline.source, remedy=remedy)
    yield from _zone_faults(schedule.timezone, pipeline.source)


def _zone_faults(name: str, where: Source) -> Iterator[Problem]:
    if name == "UTC":
        return
    import zoneinfo  # only schedules outside UTC pay for it

    known = zoneinfo.available_timezones()
    # Slim images ship no zone database: there only the shape of the name can be judged.
    if name in known or (not known and _ZONE.fullmatch(name)):
        return
    by_city = {zone.rpartition("/")[2].lower(): zone for zone in sorted(known) if "/" in zone}
    city = by_city.get(name.lower().replace(" ", "_"))
    hint = f"did you mean {city!r}?" if city else did_you_mean(name, known)
    yield Problem(f"timezone {name!r} is not known", where, remedy=hint or "write an IANA name: 'Asia/Seoul'")


def repository_is_safe(pipeline: Pipeline) -> Iterator[Problem]:
    """The repository is named without a password, and the path stays inside it."""
    if pipeline.repo and re.match(r"https?://[^/@]*@|[a-z+]+://[^/@:]*:[^/@]+@", pipeline.repo):
        yield Problem(
            "repo holds a user or a password",
            pipeline.source,
            "it would be written into every export and log",
            "leave user and password out of the address; the cluster's git credentials are used",
        )
    if pipeline.path is not None and (pipeline.path.startswith("/") or ".." in pipeline.path.split("/")):
        remedy = "write it relative to the repository's root: 'pipelines/my_flow'"
        yield Problem(f"path {pipeline.path!r} does not lie inside the repository", pipeline.source, remedy=remedy)


CHECKS = (
    kubernetes_names_are_legal,
    profiles_are_json,
    task_env_is_json,
    params_are_json,
    tags_are_legal,
    owners_are_legal,
    retries_are_legal,
    schedule_is_legal,
    repository_is_safe,
)
