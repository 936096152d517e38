"""Loops: which list they go over, and what they give."""

from __future__ import annotations

from dataclasses import replace

from flowhub_assets.from_yaml.entries import Entry
from flowhub_assets.from_yaml.section import Section
from flowhub_assets.ir.pipeline import Loop, Task
from flowhub_assets.ir.spelling import did_you_mean, listed
from flowhub_assets.nodes import implied
from flowhub_assets.nodes.references import is_template
from flowhub_assets.nodes.validation import type_text

#: Keys of ``loop:``, with which a file says what a loop's config cannot.
LOOP_KEYS = ("over", "result", "into", "maxConcurrency", "maxIterations")


def loop_of(entry: Entry, inner: tuple[Task, ...]) -> Loop:
    """The loop of ``entry`` over the tasks ``inner``: its config, and over it what ``loop:`` says."""
    section = entry.section
    if not inner:
        remedy = "write nodes: and a list of nodes under it, indented like its config"
        section.tell(None, f"loop {entry.id!r} has no nodes", "there is nothing to do for an item", remedy)
    said = implied.loop(entry.config, entry.inputs, inner)
    own = section.section("loop", "{over: items}")
    if own is None:
        _check_items(entry)
        config = section.section("config", '{items: "{{split.output}}"}')
        return said if config is None else _with_numbers(config, said, _result(entry, config, said))
    own.allow(LOOP_KEYS)
    said = replace(said, over=own.text("over", "items") or said.over, into=own.text("into", "results") or said.into)
    return _with_numbers(own, said, _result(entry, own, said))


def _with_numbers(section: Section, said: Loop, result: str) -> Loop:
    concurrent, most = _number(section, "maxConcurrency", 0), _number(section, "maxIterations", 1)
    return replace(
        said,
        result=result,
        max_concurrent=said.max_concurrent if concurrent is None else concurrent,
        most=said.most if most is None else most,
    )


def _number(section: Section, key: str, least: int) -> int | None:
    if is_template(section.data.get(key)):
        what, effect = f"{key} of {section.name} is a template", "a bound must be known before anything runs"
        section.tell(key, what, effect, f"write a number: {key}: 4")
        return None
    return section.whole(key, least)


def _check_items(entry: Entry) -> None:
    section = entry.section
    for place, values in (("config", entry.config), ("inputs", entry.inputs)):
        if "items" not in values:
            continue
        items = values["items"]
        if implied.over(items) == "?":
            what = f"items of loop {entry.id!r} is {type_text(items)}, not a list"
            remedy = 'name a list, in braces: items: "{{split.output.parts}}"'
            section.report.tell((*section.path, place, "items"), what, "there is nothing to go over", remedy)
        return
    remedy = 'write items: "{{split.output.parts}}" under config'
    section.tell(None, f"loop {entry.id!r} has no items", "there is nothing to go over", remedy)


def _result(entry: Entry, section: Section, said: Loop) -> str:
    """The node whose output is collected: the one that is named, else the last that no other one waits for."""
    names = [task.name for task in said.tasks]
    named = section.word("result", "inner-node")
    if named is None:
        return said.result
    if names and named not in names:
        hint = did_you_mean(named, names) or f"its nodes are {listed(names)}"
        section.tell("result", f"loop {entry.id!r} gives back {named!r}, which is none of its nodes", "", hint)
        return names[-1]
    return named
