"""One entry of ``nodes:``: what it says about itself, before it is known how the nodes hang together."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from flowhub_assets.errors import FlowhubError
from flowhub_assets.from_yaml.function_names import lacks
from flowhub_assets.from_yaml.placing import PLACEMENT_KEYS, placement
from flowhub_assets.from_yaml.profile_values import profile_values
from flowhub_assets.from_yaml.section import Section
from flowhub_assets.ir.pipeline import Asset, Check, Node, Retry, Source
from flowhub_assets.ir.spelling import did_you_mean, listed
from flowhub_assets.ir.task_checks import LEVELS
from flowhub_assets.nodes import implied, registry
from flowhub_assets.nodes.sdk import Node as Kind

NODE_KEYS = (
    "id",
    "type",
    "runOn",
    "description",
    "config",
    "inputs",
    "when",
    "retry",
    "timeout",
    "continueOnError",
    "pool",
    "priority",
    "placement",
    "asset",
    "env",
    "nodes",
    "edges",
    "loop",
    "task",
    "needs",
    "merge",
    "ports",
    "checks",
    "kinds",
    "deps",
)
RETRY_KEYS = ("times", "delay", "backoff", "on")
ASSET_KEYS = ("key", "check", "automation", "deps")
RUN_ON = ("engine", "cpu", "gpu")
BACKOFFS = ("constant", "linear", "exponential")

_HINTS = {
    "name": "write id",
    "kind": "write type",
    "uses": "write type",
    "with": "write config or inputs",
    "params": "write config or inputs",
    "parameters": "write config or inputs",
    "dependsOn": "write edges: [{from: ..., to: ...}] beside nodes:",
    "depends_on": "write edges: [{from: ..., to: ...}] beside nodes:",
    "after": "write edges: [{from: ..., to: ...}] beside nodes:",
    "if": "write when",
    "condition": "write when",
    "retries": "write retry: {times: 3}",
    "retryDelay": "write retry: {times: 3, delay: 30s}",
    **{key: f"move it under placement: {{{key}: ...}}" for key in PLACEMENT_KEYS},
}


@dataclass
class Entry:
    """A node as it is written. ``kind`` is None where its type is not known or it is a task; then it has ``problem``s.

    ``fields`` holds those of ir.Task that need no knowledge of other nodes; ``inner`` the nodes of a loop.
    """

    section: Section
    id: str
    kind_name: str
    kind: type[Kind] | None
    config: dict[str, Any]
    inputs: dict[str, Any]
    fields: dict[str, Any]
    inner: list[Entry] = field(default_factory=list)
    owner: Entry | None = None

    @property
    def loops(self) -> bool:
        """Whether it runs inner nodes for each item of a list."""
        return self.kind_name == implied.LOOP or "loop" in self.section


def entries(parent: Section, key: str, owner: Entry | None = None) -> list[Entry]:
    """The entries of the list ``key`` of ``parent``, those of loops below the loops."""
    return [_entry(section, owner) for section in parent.sections(key, "{id: step-1, type: log}")]


def one_entry(parent: Section, key: str) -> Entry | None:
    """The entry that stands alone under ``key``."""
    section = parent.section(key, "{id: tell, type: log}", f"the node under {key}")
    return None if section is None else _entry(section, None)


def flat(found: list[Entry]) -> Iterator[Entry]:
    """The entries and, behind each, those inside of it."""
    for entry in found:
        yield entry
        yield from flat(entry.inner)


def _entry(section: Section, owner: Entry | None) -> Entry:
    identifier = section.word("id", "fetch-topic")
    if identifier is None and "id" not in section:
        section.tell(
            None, f"{section.name} has no id", "no edge and no template could name it", "write id: fetch-topic"
        )
    identifier = identifier or ""
    section.name = f"node {identifier!r}" if identifier else section.name
    section.allow(NODE_KEYS, _HINTS)
    is_task = "task" in section
    kind = None if is_task else _kind(section)
    run_on = section.one_of("runOn", RUN_ON) or implied.run_on(kind, is_task)
    entry = Entry(
        section=section,
        id=identifier,
        kind_name=_kind_name(section),
        kind=kind,
        config=dict(section.mapping("config", "{url: 'https://example.com'}")),
        inputs=dict(section.mapping("inputs", "{prompt: '...'}")),
        fields={},
        owner=owner,
    )
    entry.fields = {
        "source": section.report.source(section.path),
        "description": section.text("description", "Fetches the topic.") or "",
        "placement": placement(section, run_on),
        "retry": _retry(section),
        "timeout": section.seconds("timeout", "10m"),
        "pool": section.text("pool", "gpu"),
        "priority": section.whole("priority") or 0,
        "env": profile_values(section, "env"),
        "run_on": run_on,
        "when": _condition(section, "when"),
        "continue_on_error": section.flag("continueOnError"),
        "asset": _asset(section),
        "ports": _ports(section, kind, entry.config),
        "checks": _checks(section),
        "kinds": section.texts("kinds", "xgboost"),
        "deps": section.texts("deps", "wines/table"),
        **(_task(section) if is_task else {"node": Node(entry.kind_name, entry.config, entry.inputs)}),
        "merge": section.flag("merge") if "merge" in section else is_task,
    }
    if entry.loops:
        entry.inner = entries(section, "nodes", entry)
        return entry
    for key in ("nodes", "edges"):
        if key in section:
            section.tell(key, f"{section.name} has {key!r}", "only a loop runs nodes", "write type: loop", at_key=True)
    return entry


def _checks(section: Section) -> tuple[Check, ...]:
    made = []
    for name, level in section.mapping("checks", "{nulls: blocking}").items():
        if level in LEVELS:
            made.append(Check(name, level))
        else:
            what = f"check {name!r} of {section.name} has the level {level!r:.40}"
            remedy = (isinstance(level, str) and did_you_mean(level, LEVELS)) or f"write one of {listed(LEVELS)}"
            section.report.tell((*section.path, "checks", name), what, "it cannot be used", remedy)
    return tuple(made)


def _kind_name(section: Section) -> str:
    name = section.data.get("type")
    return "" if "task" in section else name if isinstance(name, str) and name else "?"


def _kind(section: Section) -> type[Kind] | None:
    name = section.text("type", "http-request")
    if name is None:
        if "type" not in section:
            remedy = "write type: http-request, say; `flowhub nodes` lists them all"
            section.tell(None, f"{section.name} has no type", "nothing says what it does", remedy)
        return None
    try:
        return registry.get(name)
    except FlowhubError as error:
        section.tell("type", f"{section.name}: {error.what}", error.effect, error.remedy)
    except ImportError as error:
        what = f"{section.name}: the kind {name!r} cannot be loaded: {error}"
        section.tell("type", what, "the node cannot run", "install what is missing")
    return None


def _retry(section: Section) -> Retry:
    value = section.data.get("retry")
    if isinstance(value, int) and not isinstance(value, bool):
        return Retry(times=value)
    retry = section.section("retry", "{times: 3, delay: 30s}")
    if retry is None:
        return Retry()
    retry.allow(RETRY_KEYS, {"max": "write times", "attempts": "write times", "retries": "write times"})
    if "times" not in retry:
        retry.tell(None, f"{retry.name} has no times", "nothing would be tried again", "write times: 3")
    return Retry(
        times=retry.whole("times", 0) or 0,
        delay=retry.seconds("delay", "30s") or 0.0,
        backoff=retry.one_of("backoff", BACKOFFS) or "constant",
        on=retry.texts("on", "TimeoutError"),
    )


def _condition(section: Section, key: str) -> str | None:
    value = section.data.get(key)
    if isinstance(value, bool):
        return "true" if value else "false"
    return section.text(key, '"fetch.output.count > 3"')


def _asset(section: Section) -> Asset | None:
    value = section.data.get("asset")
    if value is None:
        return None
    if isinstance(value, str):
        return Asset(tuple(value.split("/")))
    asset = section.section("asset", "{key: reports/daily}")
    if asset is None:
        return None
    asset.allow(ASSET_KEYS)
    if isinstance(asset.data.get("key"), list):
        key = asset.texts("key", "reports")
    else:
        text = asset.text("key", "reports/daily")
        if text is None and "key" not in asset:
            asset.tell(None, f"{asset.name} has no key", "it is no asset without one", "write key: reports/daily")
        if text is None:
            return None
        key = tuple(text.split("/"))
    automation, deps = asset.text("automation", "eager"), asset.texts("deps", "wines/table")
    return Asset(key, _condition(asset, "check"), automation, deps)


def _ports(section: Section, kind: type[Kind] | None, config: dict[str, Any]) -> tuple[str, ...]:
    if "ports" in section:
        return section.texts("ports", "'true'")
    return implied.ports(kind, config)


def _task(section: Section) -> dict[str, Any]:
    """The fields of a task that is a Python function; its file is named as seen from the pipeline's own folder.

    That file is the author's code as a script in a python node is: it is imported where the task runs, in a process
    of its own, and never by whoever reads the pipeline.
    """
    task = section.section("task", "{function: fetch, file: workflow.py}")
    for key in ("type", "config", "inputs"):
        if key in section:
            remedy = f"leave {key} out, or the task"
            section.tell(key, f"{section.name} is a Python function and has {key!r}", "", remedy, at_key=True)
    if task is None:
        return {}
    task.allow(("function", "file"))
    file = task.text("file", "workflow.py")
    source = section.report.source(section.path)
    function = task.text("function", "fetch") or ""
    fields: dict[str, Any] = {"function": function}
    if file is not None:
        path = os.path.normpath(os.path.join(os.path.dirname(source.file), file))
        fields["source"] = Source(path, 1)
        if function and "loop" not in section and os.path.isabs(source.file):
            _check_function(section, task, function, path)
    return fields


def _check_function(section: Section, task: Section, function: str, path: str) -> None:
    others = lacks(path, function)
    if others is not None:
        what = f"{section.name}: there is no function {function!r} in {task.data['file']}"
        remedy = did_you_mean(function, others) or (
            f"its functions are {listed(others)}" if others else "write the function there"
        )
        task.tell("function", what, "the node has nothing to do", remedy)
