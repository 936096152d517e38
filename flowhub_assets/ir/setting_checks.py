"""Checks of what a pipeline's writer said about the whole of it: profiles, params, variables, owners, its queue."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from flowhub_assets.ir import kubernetes_names
from flowhub_assets.ir.pipeline import NAMES_OF_THE_RUN, Pipeline, Source
from flowhub_assets.ir.problem import Problem
from flowhub_assets.ir.task_tree import all_tasks, told

# Dagster's own pattern for an owner's address.
_EMAIL = re.compile(r"\b[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Z|a-z]{2,7}\b")
QUEUE_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")

#: The limit of a pipeline's runs is one of as many run tags.
MOST_CONCURRENT_RUNS = 10

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
        yield from _values(f"env of {told(task)}", task.env, task.source)


def nodes_are_json(pipeline: Pipeline) -> Iterator[Problem]:
    """So do a node's config and inputs, and the variables."""
    yield from _values("variables", pipeline.variables, pipeline.source, reserved=())
    for task in all_tasks(pipeline):
        if task.node is not None:
            yield from _values(f"config of {told(task)}", task.node.config, task.source, reserved=())
            yield from _values(f"inputs of {told(task)}", task.node.inputs, task.source, reserved=())


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


def queue_is_legal(pipeline: Pipeline) -> Iterator[Problem]:
    """How many runs go on at a time, and in which queue the others wait, is what Dagster's run tags can say."""
    if pipeline.concurrency is not None and not 1 <= pipeline.concurrency <= MOST_CONCURRENT_RUNS:
        remedy = f"write how many runs may go on at a time, from 1 to {MOST_CONCURRENT_RUNS}; leave it out for no limit"
        what = f"concurrency={pipeline.concurrency} is not from 1 to {MOST_CONCURRENT_RUNS}"
        yield Problem(what, pipeline.source, "no run queue could keep to it", remedy)
    if pipeline.queue is not None and not QUEUE_NAME.fullmatch(pipeline.queue):
        remedy = "write a word of at most 63 letters, digits, '_', '-' and '.': nightly"
        yield Problem(f"queue {pipeline.queue!r} is not a word", pipeline.source, "it is a tag of each run", remedy)


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
    nodes_are_json,
    params_are_json,
    tags_are_legal,
    owners_are_legal,
    queue_is_legal,
    repository_is_safe,
)
