"""Loops: which list they go over, and what they give."""

from __future__ import annotations

import json

from flowhub_assets.from_yaml.entries import LOOP, Entry
from flowhub_assets.from_yaml.section import Section
from flowhub_assets.ir.pipeline import Loop, Task
from flowhub_assets.ir.spelling import did_you_mean, listed
from flowhub_assets.ir.task_tree import waits_for
from flowhub_assets.nodes.references import is_template
from flowhub_assets.nodes.validation import type_text

#: Keys of ``loop:``, with which a file says what a loop's config does not.
LOOP_KEYS = ("over", "result", "into", "maxConcurrency", "maxIterations")


def loop_of(entry: Entry, inner: tuple[Task, ...]) -> Loop:
    """The loop of ``entry`` over the tasks ``inner``: what ``loop:`` says of it, else its config."""
    section = entry.section
    if not inner:
        remedy = "write nodes: and a list of nodes under it, indented like its config"
        section.tell(None, f"loop {entry.id!r} has no nodes", "there is nothing to do for an item", remedy)
    config = section.section("config", '{items: "{{split.output}}"}') or Section(section.report, section.path, {}, "")
    own = section.section("loop", "{over: items}")
    if own is not None:
        own.allow(LOOP_KEYS)
    source = own or config
    most = _number(source, "maxIterations", 1)
    concurrent = _number(source, "maxConcurrency", 0)
    default = Loop(over="", tasks=(), result="")
    return Loop(
        over=(own.text("over", "items") or "") if own is not None and "over" in own else _over(entry),
        tasks=inner,
        result=_result(entry, source, inner),
        into=(own.text("into", "results") if own is not None else None) or default.into,
        max_concurrent=default.max_concurrent if concurrent is None else concurrent,
        most=default.most if most is None else most,
    )


def _number(section: Section, key: str, least: int) -> int | None:
    if is_template(section.data.get(key)):
        remedy = f"write a number: {key}: 4"
        section.tell(key, f"{key} of {section.name} is a template", "it is a bound that must be known before", remedy)
        return None
    return section.whole(key, least)


def _over(entry: Entry) -> str:
    """The template of the list; a list that is written out is its own JSON."""
    section = entry.section
    for place, values in (("config", entry.config), ("inputs", entry.inputs)):
        if "items" not in values:
            continue
        items = values["items"]
        if isinstance(items, str) and is_template(items):
            return items
        if isinstance(items, list):
            return json.dumps(items, ensure_ascii=False)
        what = f"items of loop {entry.id!r} is {type_text(items)}, not a list"
        remedy = 'name a list, in braces: items: "{{split.output.parts}}"'
        section.report.tell((*section.path, place, "items"), what, "there is nothing to go over", remedy)
        return "?"
    if entry.kind_name == LOOP:
        remedy = 'write items: "{{split.output.parts}}" under config'
        section.tell(None, f"loop {entry.id!r} has no items", "there is nothing to go over", remedy)
    return "?"


def _result(entry: Entry, source: Section, inner: tuple[Task, ...]) -> str:
    """The node whose output is collected: the one that is named, else the last that no other one waits for."""
    names = [task.name for task in inner]
    named = source.word("result", "inner-node")
    if named is not None:
        if names and named not in names:
            hint = did_you_mean(named, names) or f"its nodes are {listed(names)}"
            source.tell("result", f"loop {entry.id!r} gives back {named!r}, which is none of its nodes", "", hint)
            return names[-1]
        return named
    return default_result(inner)


def default_result(tasks: tuple[Task, ...]) -> str:
    """What ``result`` is where a loop names none."""
    waited_for = {name for task in tasks for name in waits_for(task)}
    return next((task.name for task in reversed(tasks) if task.name not in waited_for), "?")
