"""Loops: which list they go over, and what they give."""

from __future__ import annotations

from dataclasses import replace

from flowhub_assets.from_yaml.entries import Entry
from flowhub_assets.from_yaml.section import Section
from flowhub_assets.ir.pipeline import Loop, Task
from flowhub_assets.ir.spelling import did_you_mean, listed
from flowhub_assets.nodes import implied
from flowhub_assets.nodes.references import is_template

#: Keys of ``loop:``, with which a file says what a loop's config cannot.
LOOP_KEYS = ("over", "result", "into", "maxConcurrency", "maxIterations")


def loop_of(entry: Entry, inner: tuple[Task, ...]) -> Loop:
    """The loop of ``entry`` over the tasks ``inner``: its config, and over it what ``loop:`` says."""
    section = entry.section
    said = implied.loop(entry.config, entry.inputs, inner)
    own = section.section("loop", "{over: items}")
    if own is None:
        config = section.section("config", '{items: "{{split.output}}"}')
        if config is not None:
            _refuse_templates(config)
        return said if config is None else replace(said, result=_result(entry, config, said))
    own.allow(LOOP_KEYS)
    if "over" not in own:
        own.tell(None, f"{own.name} has no over", "there is nothing to go over", "write over: and the name of the list")
    concurrent, most = own.whole("maxConcurrency", 0), own.whole("maxIterations", 1)
    return replace(
        said,
        over=own.text("over", "items") or said.over,
        into=own.text("into", "results") or said.into,
        result=_result(entry, own, said),
        max_concurrent=said.max_concurrent if concurrent is None else concurrent,
        most=said.most if most is None else most,
    )


def _refuse_templates(config: Section) -> None:
    for key in ("maxConcurrency", "maxIterations", "max_concurrency", "max_iterations", "result"):
        if is_template(config.data.get(key)):
            what, effect = f"{key} of {config.name} is a template", "it must be known before anything runs"
            config.tell(key, what, effect, "write it out")


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
