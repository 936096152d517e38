"""When a pipeline starts: ``trigger:``, ``triggers:`` and ``schedule:`` of a file."""

from __future__ import annotations

from typing import Any

from flowhub_assets.from_yaml.kind_values import UNKNOWN
from flowhub_assets.from_yaml.section import Section
from flowhub_assets.ir.spelling import did_you_mean, listed
from flowhub_assets.ir.trigger_checks import SPANS
from flowhub_assets.ir.triggers import Dedupe, Dimension, Partitions, Schedule, Trigger
from flowhub_assets.nodes import implied
from flowhub_assets.nodes.references import template_uses
from flowhub_assets.nodes.scope import DEDUPE_NAMES
from flowhub_assets.nodes.validation import path_text, problems_in

TYPES = ("manual", "webhook", "cron", "interval", "object-arrival", "asset", "run", "model-alias")
KEYS = ("type", "schedule", "every", "timezone", "config")

#: What these are told stands beside their type, or under ``config:``.
OBJECTS = "object-arrival"
OPEN = ("webhook", OBJECTS)
#: Of the others, what stands beside the type.
_OWN: dict[str, tuple[str, ...]] = {
    "asset": ("assets",),
    "run": ("pipeline", "status"),
    "model-alias": ("model", "alias"),
}
_TIMED = {"cron": "schedule", "interval": "every"}


def triggers(pipeline: Section) -> tuple[Trigger, ...]:
    """All triggers of ``pipeline``, in their order."""
    found = []
    one = pipeline.section("trigger", "{type: manual}", "the trigger")
    if one is not None and "triggers" in pipeline:
        remedy = "move the one under trigger: into the list"
        pipeline.tell("trigger", "the pipeline has both trigger: and triggers:", "", remedy, at_key=True)
    many = list(pipeline.sections("triggers", "{type: manual}"))
    for section in [*([one] if one is not None else []), *many]:
        trigger = _trigger(section)
        if trigger is not None:
            found.append(trigger)
    return tuple(found)


def schedule(pipeline: Section) -> Schedule | None:
    """What a flow's ``schedule=`` says, beside any triggers."""
    section = pipeline.section("schedule", "{cron: '0 6 * * *'}", "the schedule")
    if section is None:
        return None
    section.allow(("cron", "every", "timezone"))
    return Schedule(
        cron=section.text("cron", "'0 6 * * *'"),
        interval=section.seconds("every", "5m"),
        timezone=section.text("timezone", "Asia/Seoul") or "UTC",
    )


def partitions(pipeline: Section) -> Partitions | None:
    """The spans of time, or the keys, that runs are about."""
    section = pipeline.section("partitions", "{every: daily, start: '2026-01-01'}", "partitions")
    if section is None:
        return None
    if any(isinstance(keys, list) for keys in section.data.values()):
        names = [str(name) for name in section.data]
        return Partitions(dimensions=tuple(Dimension(name, section.texts(name, "small, large")) for name in names))
    section.allow(("every", "start", "timezone"))
    every, start = section.one_of("every", SPANS), section.text("start", "'2026-01-01'")
    for key, example in (("every", "daily"), ("start", "'2026-01-01'")):
        if key not in section:
            section.tell(None, f"partitions have no {key}", "they cannot be used", f"write {key}: {example}")
    zone = section.text("timezone", "Asia/Seoul") or "UTC"
    return Partitions(every, start, zone) if every is not None and start is not None else None


def dedupe(pipeline: Section) -> Dedupe | None:
    """The key of which what starts by itself starts once."""
    section = pipeline.section("dedupe", "{key: '{{$today}}', lifetime: 1h}", "dedupe")
    if section is None:
        return None
    section.allow(("key", "lifetime"))
    key, lifetime = section.text("key", "'{{$today}}'"), section.seconds("lifetime", "1h")
    for name, example in (("key", "'{{$today}}'"), ("lifetime", "1h")):
        if name not in section:
            section.tell(None, f"dedupe has no {name}", "it cannot be used", f"write {name}: {example}")
    if key is None or lifetime is None:
        return None
    for use in template_uses(key, (), DEDUPE_NAMES):
        if use.problem is not None:
            section.tell("key", use.problem.what, "nothing would start", use.problem.remedy)
        elif use.name is not None and use.name.path and use.name.path[0] not in DEDUPE_NAMES:
            root = use.name.path[0]
            remedy = did_you_mean(root, DEDUPE_NAMES) or f"it can be {listed(DEDUPE_NAMES)}"
            section.tell("key", f"the key of dedupe sees no {root!r}", "nothing would start", remedy)
    return Dedupe(key, lifetime)


def _trigger(section: Section) -> Trigger | None:
    kind = section.one_of("type", TYPES)
    if "type" not in section:
        section.tell(None, f"{section.name} has no type", "it would never start a run", "write type: cron, say")
    if kind is None:
        return None
    timed = _timed(section, kind)
    return Trigger(kind, timed, _config(section, kind))


def _timed(section: Section, kind: str) -> Schedule | None:
    wanted = _TIMED.get(kind)
    for key in ("schedule", "every", "timezone"):
        has_effect = key == wanted or (wanted and key == "timezone") or (key, kind) == ("every", OBJECTS)
        if key in section and not has_effect:
            other = next((name for name, own in _TIMED.items() if own == key), "cron")
            remedy = f"leave it out, or write type: {other}"
            section.tell(key, f"a trigger of type {kind} has {key!r}", "it would have no effect", remedy, at_key=True)
    if wanted is None:
        return None
    if wanted not in section:
        example = "schedule: '0 6 * * *' for each day at six" if kind == "cron" else "every: 5m"
        section.tell(
            None, f"a trigger of type {kind} has no {wanted}", "it would never start a run", f"write {example}"
        )
        return Schedule(cron="@daily") if kind == "cron" else Schedule(interval=86_400)
    zone = section.text("timezone", "Asia/Seoul") or "UTC"
    if kind == "interval":
        return Schedule(interval=section.seconds("every", "5m") or 86_400, timezone=zone)
    return Schedule(cron=(section.text("schedule", "'0 6 * * *'") or "@daily").strip(), timezone=zone)


def _config(section: Section, kind: str) -> dict[str, Any]:
    """What the trigger is told, beside its type or under ``config:``: what the kind of node of that name takes."""
    # How often objects are looked for is no schedule: it is config of theirs.
    keys = [key for key in KEYS if (key, kind) != ("every", OBJECTS)]
    beside = {key: value for key, value in section.data.items() if key not in keys}
    config = {**section.mapping("config", "{path: articles}"), **beside}
    for own in _OWN.get(kind, ()):
        beside.pop(own, None)
    node = implied.kind_of(kind) if kind in OPEN else None
    if node is not None and node.Config is not None:
        for problem in problems_in(node.Config, config):
            place = problem.path if problem.path and problem.path[0] in beside else ("config", *problem.path)
            unknown = problem.what == UNKNOWN
            said = "is nothing that it takes" if unknown else problem.what
            what = f"{path_text(problem.path) or 'config'} of the trigger {said}"
            remedy = problem.remedy.removeprefix(f"{path_text(problem.path)}: ")
            section.report.tell((*section.path, *place), what, "it would have no effect", remedy, key=unknown)
    elif kind not in OPEN:
        known = (*KEYS, *_OWN.get(kind, ()))
        for key in beside:
            # The type's own word, cron: "0 9 * * *", is what others call its schedule.
            meant = _TIMED.get(kind) if key == kind else None
            near = f"did you mean {meant!r}?" if meant else did_you_mean(key, known)
            what, remedy = f"a trigger of type {kind} has no key {key!r}", near or "leave it out"
            section.tell(key, what, "it would have no effect", remedy, at_key=True)
            del config[key]
    return config
