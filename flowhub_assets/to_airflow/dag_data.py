"""A pipeline → PIPELINE, the plain data that dag_shell.py makes a DAG of. The same pipeline gives the same data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from flowhub_assets.ir.grouping import groups
from flowhub_assets.ir.pipeline import Pipeline, Task
from flowhub_assets.ir.task_tree import with_nested
from flowhub_assets.ir.triggers import Schedule, Trigger
from flowhub_assets.names import airflow_name, dag_id, kubernetes_name
from flowhub_assets.pods.pod_manifest import PodSettings, pod_manifest, runs_in_bare_image
from flowhub_assets.runtime.matrix import cells
from flowhub_assets.runtime.partitions import PARTITION
from flowhub_assets.to_airflow.operators import ARRIVAL, Operator, operators

#: Seconds that a pod may take until it runs: an image of several GiB comes from a registry.
SECONDS_TO_START = 600

#: Airflow's schedule of one run after the other.
CONTINUOUS = "@continuous"

#: A time that Airflow takes for one.
_RFC_3339 = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})")

#: What a task weighs in Airflow that has no priority.
_USUAL_WEIGHT = 1

#: The longest name of a pod, which Airflow and Kubernetes lengthen by a suffix of their own.
_POD_NAME = 50


def dag_data(
    pipeline: Pipeline, settings: PodSettings, *, group_light: bool = False, seconds_to_start: int = SECONDS_TO_START
) -> dict[str, Any]:
    """PIPELINE: what the DAG, its tasks and their pods are. ``group_light`` lets neighbouring light tasks share a pod.

    Raises DefinitionError for names that become one in Airflow.
    """
    grouped = groups(replace(pipeline, fuse=True)) if group_light else groups(pipeline)
    pods = _Pods(pipeline, settings)
    made = operators(pipeline, grouped, _arrival(pipeline, settings.bucket))
    tasks = {one.id: _entry(pipeline, one, pods, seconds_to_start) for one in made}
    return {
        "dag": _dag_words(pipeline, settings.bucket),
        "schedule": schedule_words(pipeline, settings.bucket),
        "params": _params(pipeline),
        "pod": {"startup_timeout_seconds": seconds_to_start, "do_xcom_push": True, "deferrable": False},
        "pods": pods.manifests,
        "tasks": tasks,
    }


def asset_uri(key: Iterable[str]) -> str:
    """The URI of an asset: what Airflow knows it by in every DAG of the cluster."""
    return "flowhub://" + "/".join(quote(part, safe="") for part in key)


class _Pods:
    """The manifests, each once, under the name that says where it runs."""

    def __init__(self, pipeline: Pipeline, settings: PodSettings) -> None:
        self.manifests: dict[str, dict[str, Any]] = {}
        self._pipeline = pipeline
        self._settings = settings
        self._names: dict[str, str] = {}

    def name(self, asks: Task, tasks: tuple[Task, ...]) -> str:
        """Under which name the manifest is for ``tasks`` that run as ``asks`` does."""
        bare = runs_in_bare_image(tasks)
        manifest = pod_manifest(self._pipeline, asks, bare, self._settings)
        same = json.dumps(manifest, sort_keys=True)
        if same not in self._names:
            name = self._names[same] = f"{'python' if bare else 'nodes'}-{len(self._names) + 1}"
            self.manifests[name] = manifest
        return self._names[same]


def _entry(pipeline: Pipeline, one: Operator, pods: _Pods, seconds_to_start: int) -> dict[str, Any]:
    entry: dict[str, Any] = {"kind": one.kind, "upstream": list(one.upstream)}
    words = _words(one)
    if words:
        entry["words"] = words
    if one.arguments:
        entry["arguments"] = dict(one.arguments)
    if one.task is not None and one.task.asset is not None and (one.kind == "loop" or one.task.loop is None):
        entry["outlets"] = [asset_uri(one.task.asset.key)]
    if one.task is None or one.asks is None:
        return entry
    entry["pod"] = pods.name(one.asks, one.tasks)
    entry["name"] = kubernetes_name(f"{pipeline.name}-{one.id}", _POD_NAME)
    entry["step"] = _step(pipeline, one)
    seconds = _seconds(one, seconds_to_start)
    if seconds:
        entry["seconds"] = seconds
    if one.over is not None:
        entry["over"] = one.over
    return entry


def _step(pipeline: Pipeline, one: Operator) -> dict[str, Any]:
    step = dict(one.step)
    if one.task is not None and one.task.continue_on_error:
        step["tolerates"] = True
    if pipeline.airflow_sidecar_image:
        step["sidecar_image"] = pipeline.airflow_sidecar_image
    return step


def _words(one: Operator) -> dict[str, Any]:
    """The operator's words beside its id: those of BaseOperator."""
    words: dict[str, Any] = {} if one.rule == "all_success" else {"trigger_rule": one.rule}
    task = one.task
    if task is None:
        return words
    if task.name != one.id and one.id == airflow_name(task.name):
        words["task_display_name"] = task.name
    if task.description:
        words["doc_md"] = task.description
    priority = max(part.priority for part in one.tasks or (task,))
    if priority:
        words["priority_weight"] = _USUAL_WEIGHT + priority
    if one.most_at_a_time:
        words["max_active_tis_per_dagrun"] = one.most_at_a_time
    if one.kind != "pod":
        return words
    pool = _pool(one)
    if pool:
        words["pool"] = pool
    if _tries_again(one):
        words["retries"] = task.retry.times
        if task.retry.backoff == "exponential":
            words["retry_exponential_backoff"] = True
    return words


def _pool(one: Operator) -> str | None:
    """The pool of the task; of an iteration, which is one pod, else the first that a task inside has."""
    if one.task is None:
        return None
    asked = with_nested((one.task,)) if one.over is not None else (one.task,)
    return next((task.pool for task in asked if task.pool), None)


def _tries_again(one: Operator) -> bool:
    """on_failure is called once, as everywhere; tasks that share a pod are tried again there."""
    return one.task is not None and one.task.retry.times > 0 and one.step.get("part") not in ("failure", "group")


def _seconds(one: Operator, seconds_to_start: int) -> dict[str, float]:
    task, seconds = one.task, {}
    if task is None:
        return {}
    if _tries_again(one):
        seconds["retry_delay"] = task.retry.delay
    # A loop's timeout is for its list; tasks that share a pod, and those of an iteration, mind their own in there.
    if task.timeout is not None and one.step.get("part") not in ("group", "iteration"):
        # The pod minds the task's own timeout. Airflow's begins before the pod does, and is for one that hangs.
        seconds["execution_timeout"] = task.timeout + seconds_to_start
    return seconds


def _dag_words(pipeline: Pipeline, bucket: str | None) -> dict[str, Any]:
    words: dict[str, Any] = {"dag_id": dag_id(pipeline.name)}
    if words["dag_id"] != pipeline.name:
        words["dag_display_name"] = pipeline.name
    if pipeline.description:
        words["description"] = pipeline.description.partition("\n")[0]
        # Airflow takes what ends in .md for the name of a file.
        words["doc_md"] = pipeline.description + ("\n" if pipeline.description.endswith(".md") else "")
    words["tags"] = list(pipeline.tags)
    if waits_for_objects(pipeline, bucket):
        words["max_active_runs"] = 1  # as Airflow's @continuous wants it
    elif pipeline.concurrency:
        words["max_active_runs"] = pipeline.concurrency
    # A cluster's own default would give retries that nobody asked for.
    words["default_args"] = {"owner": ", ".join(pipeline.owners) or "flowhub", "retries": 0}
    if any(task.priority for task in pipeline.tasks):
        # Without it a task weighs as much as all that is behind it together.
        words["default_args"]["weight_rule"] = "absolute"
    return words


def schedules(pipeline: Pipeline) -> list[Schedule]:
    """All that start the pipeline at a time of the day or after a while."""
    own = [pipeline.schedule] if pipeline.schedule is not None else []
    return [*own, *(trigger.schedule for trigger in pipeline.triggers if trigger.schedule is not None)]


def schedule_words(pipeline: Pipeline, bucket: str | None) -> dict[str, Any]:
    """The one schedule that a DAG can have: the first at a time, else the assets that it waits for, else none.

    Where objects that arrive in ``bucket`` are all that starts it, one run comes after the other: each waits for one.
    """
    for schedule in schedules(pipeline):
        if schedule.cron is not None:
            return {"cron": schedule.cron, "timezone": schedule.timezone}
        return {"every": schedule.interval}
    for trigger in of_type(pipeline, "asset"):
        return {"assets": [asset_uri(key.split("/")) for key in trigger.config["assets"]]}
    return {"cron": CONTINUOUS} if bucket is not None and of_type(pipeline, "object-arrival") else {}


def waits_for_objects(pipeline: Pipeline, bucket: str | None) -> bool:
    """Whether objects that arrive in ``bucket`` are what starts the pipeline."""
    return schedule_words(pipeline, bucket).get("cron") == CONTINUOUS


def of_type(pipeline: Pipeline, kind: str) -> list[Trigger]:
    """The pipeline's triggers of that type."""
    return [trigger for trigger in pipeline.triggers if trigger.type == kind]


def _arrival(pipeline: Pipeline, bucket: str | None) -> Operator | None:
    """A sensor that the tasks wait for, where objects that arrive in the profile's bucket start the pipeline."""
    if not waits_for_objects(pipeline, bucket):
        return None
    trigger = of_type(pipeline, "object-arrival")[0]
    key = f"{trigger.config.get('prefix', '')}{trigger.config.get('pattern', '*')}"
    arguments = {"bucket_name": bucket, "bucket_key": key, "wildcard_match": True, "deferrable": True}
    return Operator(ARRIVAL, "arrival", arguments={**arguments, "poke_interval": 60})


def _params(pipeline: Pipeline) -> dict[str, Any]:
    """The pipeline's own; where its partitions are keys, the one that a run is about: the first, if none is chosen."""
    own = {name: _param(pipeline, name) for name in dict.fromkeys([*pipeline.params, *pipeline.param_schemas])}
    if pipeline.partitions is None or not pipeline.partitions.dimensions:
        return own
    keys = [cell["key"] for cell in cells(pipeline.partitions)]
    what = "What the run is about: " + ", ".join(sorted(one.name for one in pipeline.partitions.dimensions))
    return {PARTITION: {"default": keys[0], "type": "string", "enum": keys, "description": what}, **own}


def _param(pipeline: Pipeline, name: str) -> dict[str, Any]:
    """The words of Airflow's Param: the JSON Schema, and the default, which may be missing."""
    schema: Mapping[str, Any] = pipeline.param_schemas.get(name, {})
    words = {key: _without_formats(value) for key, value in schema.items() if key != "default"}
    default = pipeline.params.get(name)
    if isinstance(default, str) and words.get("format") == "date-time" and not _RFC_3339.fullmatch(default):
        del words["format"]
    return {**({"default": default} if name in pipeline.params else {}), **words}


def _without_formats(schema: Any) -> Any:
    """What lies inside a schema: Airflow wants a time there to have a zone, which no other door does.

    A param that is a time itself keeps its format: Airflow shows a calendar for it.
    """
    if isinstance(schema, Mapping):
        formed = isinstance(schema.get("format"), str) and "type" in schema
        return {key: _without_formats(one) for key, one in schema.items() if key != "format" or not formed}
    return [_without_formats(one) for one in schema] if isinstance(schema, (list, tuple)) else schema
