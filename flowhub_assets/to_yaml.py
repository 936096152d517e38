"""Writes a pipeline as a file of the format flume/v1; reading it again gives an equal one (but for its sources).

Only what differs from a default, and what does not follow from the rest, is written. The same pipeline gives the
same text. A task that is a Python function is written as ``task: {function, file}``, its file as seen from the
folder of the pipeline's own.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import yaml
from pydantic.alias_generators import to_camel

from flowhub_assets.ir.pipeline import Asset, Loop, Pipeline, Retry, Task
from flowhub_assets.ir.placement import Placement
from flowhub_assets.ir.task_tree import all_tasks
from flowhub_assets.ir.triggers import Partitions, Schedule, Trigger
from flowhub_assets.nodes import implied
from flowhub_assets.nodes.references import task_uses, used_nodes

_Document = dict[str, Any]


def to_yaml(pipeline: Pipeline) -> str:
    """The text of a YAML file that holds ``pipeline``."""
    return yaml.dump(
        document(pipeline),
        Dumper=_Dumper,
        allow_unicode=True,
        sort_keys=False,
        default_flow_style=False,
        width=_NO_FOLDING,
    )


def document(pipeline: Pipeline) -> _Document:
    """The same as an object: what JSON with the shape of the format holds."""
    writer = _Writer(pipeline)
    ending = pipeline.failure_task
    return _kept(
        {
            "apiVersion": "flume/v1",
            "kind": "Pipeline",
            "metadata": {"name": pipeline.name, **_fields(pipeline, _METADATA)},
            "trigger": _trigger(pipeline.triggers[0]) if len(pipeline.triggers) == 1 else None,
            "triggers": [_trigger(one) for one in pipeline.triggers] if len(pipeline.triggers) > 1 else None,
            "schedule": _schedule(pipeline.schedule, "cron") if pipeline.schedule else None,
            "params": _params(pipeline),
            "profiles": _json(pipeline.profiles) or None,
            "variables": _json(pipeline.variables) or None,
            "partitions": _partitions(pipeline.partitions) if pipeline.partitions else None,
            **_fields(pipeline, ("deadline", "freshness")),
            "dedupe": _fields(pipeline.dedupe, ("key", "lifetime")) if pipeline.dedupe else None,
            **_fields(pipeline, ("automation", "deps", "imports", "concurrency", "priority", "queue", "fuse")),
            "nodes": writer.entries(pipeline.tasks, ()),
            "edges": _edges(pipeline.tasks) or None,
            "result": None if pipeline.result == implied.ends(pipeline.tasks) else list(pipeline.result),
            "onFailure": writer.entry(ending, (), None) if ending else None,
            "finally": [writer.entry(task, (), None) for task in pipeline.finally_tasks] or None,
            **_fields(pipeline, _DEPLOYMENT),
        }
    )


_PARTITIONS = ("every", "start", "timezone")
_METADATA = ("description", "namespace", "owners", "tags", "labels", "annotations")
_DEPLOYMENT = (
    "volumes",
    "service_account_name",
    "image_pull_secrets",
    "airflow_sidecar_image",
    "repo",
    "path",
    "function",
)


class _Writer:
    """Writes the tasks of one pipeline; what they need follows from the names in their templates."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.known = implied.known_names([task.name for task in all_tasks(pipeline)])
        self.folder = os.path.dirname(pipeline.source.file)

    def entries(self, tasks: Sequence[Task], outside: Collection[str], owner: Task | None = None) -> list[_Document]:
        """The tasks of one level; ``outside`` names those of the levels around it."""
        visible = [*(task.name for task in tasks), *outside]
        return [self.entry(task, visible, owner) for task in tasks]

    def entry(self, task: Task, visible: Collection[str], owner: Task | None) -> _Document:
        """One task; ``visible`` names those whose outputs it may use."""
        kind = implied.kind_of(task.node.type) if task.node else None
        config = task.node.config if task.node else {}
        run_on = implied.run_on(kind, task.node is None)
        loop = task.loop
        outside = [name for name in visible if name != task.name]
        return _kept(
            {
                "id": task.name,
                "type": task.node.type if task.node else None,
                "task": None if task.node else self._function(task),
                "runOn": None if task.run_on == run_on else task.run_on,
                "description": task.description or None,
                "config": _json(config) or None,
                "inputs": _json(task.node.inputs) or None if task.node else None,
                "when": task.when,
                "needs": self._needs(task, outside, owner),
                "merge": None if task.merge is (task.node is None) else task.merge,
                "loop": None if loop is None else _loop(task, loop),
                "nodes": None if loop is None else self.entries(loop.tasks, outside, task),
                "edges": None if loop is None else _edges(loop.tasks) or None,
                "ports": None if task.ports == implied.ports(kind, config) else list(task.ports),
                "retry": _retry(task.retry),
                **_fields(task, ("timeout", "continue_on_error", "pool", "priority")),
                "placement": _placement(task.placement, task.run_on),
                "asset": _asset(task.asset) if task.asset else None,
                "env": _json(task.env) or None,
                "checks": {check.name: check.level for check in task.checks} or None,
                **_fields(task, ("kinds", "deps")),
            }
        )

    def _needs(self, task: Task, outside: Collection[str], owner: Task | None) -> list[str] | None:
        over = task.loop.over if task.loop and _loop(task, task.loop) else None
        used = used_nodes(task_uses(task.node, task.when, over, self.known), outside)
        inner = task.loop.tasks if task.loop else ()
        return None if task.needs == implied.needs(used, inner, owner is not None) else list(task.needs)

    def _function(self, task: Task) -> _Document:
        file = os.path.relpath(task.source.file, self.folder) if self.folder else task.source.file
        return {**({"function": task.function} if task.function else {}), "file": file.replace(os.sep, "/")}


def _edges(tasks: Iterable[Task]) -> list[_Document]:
    edges = ((edge, task.name) for task in tasks for edge in task.after)
    return [_kept({"from": edge.task, "to": name, "when": edge.port}) for edge, name in edges]


def _loop(task: Task, loop: Loop) -> _Document | None:
    """What the loop's config does not say."""
    node = task.node
    if node is not None and node.type == implied.LOOP and implied.loop(node.config, node.inputs, loop.tasks) == loop:
        return None
    return {
        "over": loop.over,
        "result": loop.result,
        "into": loop.into,
        "maxConcurrency": loop.max_concurrent,
        "maxIterations": loop.most,
    }


def _retry(retry: Retry) -> _Document | None:
    return None if retry == Retry() else {"times": retry.times, **_fields(retry, ("delay", "backoff", "on"))}


def _placement(placement: Placement, run_on: str | None) -> _Document | None:
    if placement == implied.placement(run_on):
        return None
    written = _fields(placement, [field.name for field in dataclasses.fields(placement)])
    if run_on == "gpu" and placement.gpu is None:
        written["gpu"] = None  # it asks for none, though it runs where one is
    return written


def _asset(asset: Asset) -> Any:
    plain = bool(asset.key) and not any("/" in part for part in asset.key)
    key = "/".join(asset.key) if plain else list(asset.key)
    more = _fields(asset, ("check", "automation", "deps"))
    return key if plain and not more else {"key": key, **more}


def _trigger(trigger: Trigger) -> _Document:
    timed = _schedule(trigger.schedule, "schedule") if trigger.schedule else {}
    return _kept({"type": trigger.type, **timed, "config": _json(trigger.config) or None})


def _partitions(partitions: Partitions) -> _Document:
    if partitions.dimensions:
        return {dimension.name: list(dimension.keys) for dimension in partitions.dimensions}
    return _fields(partitions, _PARTITIONS)


def _schedule(schedule: Schedule, cron: str) -> _Document:
    zone = None if schedule.timezone == "UTC" else schedule.timezone
    return _kept({cron: schedule.cron, "every": schedule.interval, "timezone": zone})


def _params(pipeline: Pipeline) -> _Document | None:
    """Each param's JSON Schema with its default in it; apart from it where they could not be told apart again."""
    written: _Document = {}
    for name in dict.fromkeys((*pipeline.params, *pipeline.param_schemas)):
        schema = pipeline.param_schemas.get(name)
        default = {"default": _json(pipeline.params[name])} if name in pipeline.params else {}
        plain = schema is None or (bool(schema) and not {"default", "schema"} & set(schema))
        if plain or (schema == {} and not default):
            written[name] = {**_json(schema or {}), **default}
        else:
            written[name] = {"schema": _json(schema), **default}
    return written or None


def _fields(value: Any, names: Iterable[str]) -> _Document:
    """Those fields of a dataclass that differ from their defaults, as a file names them."""
    fields = {field.name: field for field in dataclasses.fields(value)}
    written = {}
    for name in names:
        item, field = getattr(value, name), fields[name]
        factory = field.default_factory
        if item != (factory() if factory is not dataclasses.MISSING else field.default):
            written[to_camel(name)] = _json(item)
    return written


def _json(value: Any) -> Any:
    """``value`` with its dataclasses and tuples as objects and lists, each its own: a file shows no aliases."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _fields(value, [field.name for field in dataclasses.fields(value)])
    if isinstance(value, (list, tuple)):
        return [_json(item) for item in value]
    if hasattr(value, "items"):
        return {key: _json(item) for key, item in value.items()}
    return value


def _kept(written: _Document) -> _Document:
    return {key: value for key, value in written.items() if value is not None}


_NO_FOLDING = 2**31 - 1

# What a block can show as it is; any other text is quoted and its odd characters escaped. YAML's own line breaks
# beside \n would come back as \n, and a block cannot begin with a blank or end a line with one.
_ODD = re.compile("[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010fffe]")
_BLANK_AT_EDGE = re.compile(r"\A[ \n]|[ \t](\n|\Z)")

#: A text that no version of YAML takes for anything else.
_PLAIN = re.compile(r"(\./|/)?[^\W\d_][\w./@+-]*( [\w./@+-]+)*\.?")
_WORDS = frozenset("y n yes no on off true false null none nan inf".split())


class _Dumper(yaml.SafeDumper):
    """Quotes what looks like another type, and shows a text of several lines as a block."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 - see above
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=_style(text))


def _style(text: str) -> str | None:
    if _ODD.search(text):
        return '"'
    if "\n" in text:
        return '"' if _BLANK_AT_EDGE.search(text) else "|"
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return None
    return "'" if '"' in text or "\\" in text else '"'


_Dumper.add_representer(str, _text)
