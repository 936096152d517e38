"""The names in a node's templates and conditions: each must be something that the node can see."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flowhub_assets.from_yaml.entries import Entry
from flowhub_assets.from_yaml.outputs import output_fault, stands_beside_output, visible_fields
from flowhub_assets.ir.pipeline import NAMES_OF_THE_RUN
from flowhub_assets.ir.spelling import did_you_mean, listed
from flowhub_assets.ir.triggers import Partitions
from flowhub_assets.nodes import implied, references
from flowhub_assets.nodes.expressions.lookup import BY_CONNECTION
from flowhub_assets.nodes.references import Use
from flowhub_assets.nodes.scope import END_ROOTS, LOOP_ROOTS, ROOTS, RUN_NAMES, is_withheld

if TYPE_CHECKING:
    from flowhub_assets.nodes.expressions.templates import Name

_FAILURE_KEYS = ("failed_task", "error", "error_type", "traceback")
_BEFORE = re.compile(r"(\w+-)+$")
_AFTER = re.compile(r"\$?\w+(-\w+)*")
_EFFECT = "the node would fail when it starts"


@dataclass
class Scope:
    """What the templates of one pipeline can name. ``settings`` are the fields of ir.Pipeline beside its graph."""

    settings: Mapping[str, Any]
    ids: Mapping[str, Entry]
    ends: Collection[str] = ()
    known: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.known = implied.known_names(self.ids)

    def uses(self, entry: Entry) -> list[str]:
        """The nodes whose outputs ``entry`` uses, in order, each once; tells every name that it cannot use."""
        found: dict[str, None] = {}
        for use in self._found(entry):
            if use.problem is not None:
                problem, path = use.problem, (*entry.section.path, *use.path)
                entry.section.report.tell(path, problem.what, _EFFECT, problem.remedy, offset=problem.offset)
            elif use.name is not None and use.name.path and self._check(entry, use, use.name):
                found[use.name.path[0]] = None
        return [name for name in found if name in self.ids]

    def _found(self, entry: Entry) -> Iterator[Use]:
        loop = entry.section.data.get("loop")
        over = loop.get("over") if isinstance(loop, dict) else None
        node, when = entry.fields.get("node"), entry.fields["when"]
        return references.task_uses(node, when, over if isinstance(over, str) else None, self.known)

    def _check(self, entry: Entry, use: Use, name: Name) -> bool:
        """Whether ``entry`` may use ``name``; tells what is wrong with it."""
        fault = self._fault(entry, name.path, _run(use.text, name.offset))
        if fault is None:
            return True
        what, remedy = fault
        shown = ".".join(name.path)
        path = (*entry.section.path, *use.path)
        entry.section.report.tell(path, f"{shown!r}: {what}", _EFFECT, remedy, offset=name.offset)
        return False

    def _fault(self, entry: Entry, path: tuple[str, ...], run: str) -> tuple[str, str] | None:
        root, rest = path[0], path[1:]
        if root in self.ids and root in _roots_of(entry, entry.id in self.ends):
            return f"{root!r} is a node, but templates mean something else by it", "give the node another id"
        if root in self.ids:
            return self._node_fault(entry, root, rest)
        if root in LOOP_ROOTS:
            return None if entry.owner is not None else ("there is no item outside of a loop", "move the node into one")
        if root in END_ROOTS:
            if entry.id in self.ends:
                return _key_fault("failure", rest, _FAILURE_KEYS)
            return "nothing has failed while the pipeline runs", "use it under onFailure or finally"
        if root == "params":
            known = {*self.settings["params"], *self.settings["param_schemas"]}
            return _key_fault("params", rest, known, "declare it under params: {%s: {type: string}}")
        if root == "variables":
            return _key_fault("variables", rest, self.settings["variables"], "declare it under variables: {%s: ...}")
        if root == "env":
            return self._env_fault(entry, rest)
        if root == "$partition":
            return self._partition_fault(rest)
        if root in (*ROOTS, *RUN_NAMES):
            return None
        return self._unknown(entry, root, run)

    def _partition_fault(self, rest: tuple[str, ...]) -> tuple[str, str] | None:
        partitions: Partitions | None = self.settings.get("partitions")
        if partitions is None:
            return "the pipeline has no partitions", "write partitions: {every: daily, start: '2026-01-01'}"
        names = [dimension.name for dimension in partitions.dimensions]
        return _key_fault("$partition", rest, ("key", *(names or ("start", "end"))))

    def _node_fault(self, entry: Entry, root: str, rest: tuple[str, ...]) -> tuple[str, str] | None:
        other = self.ids[root]
        if entry.id in self.ends:
            return f"{root!r} is not sure to have run at the end", "use params, variables and failure alone there"
        if root in self.ends:
            return f"{root!r} runs at the end, after this node", "take the value of another node"
        if other is entry:
            return "a node cannot use its own output", "name the node before it"
        if other.owner is not None and other.owner not in _around(entry):
            remedy = f"use the list of all its outputs: {{{{{other.owner.id}.output}}}}"
            return f"{root!r} runs inside the loop {other.owner.id!r}, once for each item", remedy
        if other in _around(entry):
            return f"{root!r} is the loop around this node, which is not done yet", "use item, or another node"
        return output_fault(other, rest)

    def _env_fault(self, entry: Entry, rest: tuple[str, ...]) -> tuple[str, str] | None:
        if not rest:
            return None
        profiles = self.settings["profiles"]
        found = [values.get(rest[0]) for values in (entry.fields["env"], *profiles.values())]
        if any(is_withheld(rest[0], value) for value in found):
            return "templates are not given secrets", BY_CONNECTION
        known = {name for profile in profiles.values() for name in profile}
        if not profiles or rest[0] in known or rest[0] in entry.fields["env"]:
            return None
        remedy = "add it to the profiles: {default: {%s: ...}}"
        return _key_fault("env", rest[:1], {*known, *NAMES_OF_THE_RUN, "WORKSPACE", "BUCKET"}, remedy)

    def _unknown(self, entry: Entry, root: str, run: str) -> tuple[str, str]:
        visible = [name for name in self.ids if self._node_fault(entry, name, ()) is None]
        roots = _roots_of(entry, entry.id in self.ends)
        near = did_you_mean(run, [*visible, *roots]) or did_you_mean(root, [*visible, *roots])
        if root.startswith("$"):
            return f"there is no {root!r}", near or f"there are {listed(RUN_NAMES)}"
        return f"there is no node {root!r}", near or f"it can be {listed([*visible, *roots])}"


def check_asset(entry: Entry) -> None:
    """Tells what is wrong with the condition that an asset's value is checked by: it sees that value alone."""
    asset = entry.fields["asset"]
    known = visible_fields(entry)
    if asset is None or asset.check is None or known is None:
        return
    path = (*entry.section.path, "asset", "check")
    for use in references.condition_uses(asset.check, ("asset", "check"), known):
        effect, report = "the asset could not be checked", entry.section.report
        if use.problem is not None:
            report.tell(path, use.problem.what, effect, use.problem.remedy, offset=use.problem.offset)
        elif use.name is not None and use.name.path and use.name.path[0] not in known:
            root = use.name.path[0]
            remedy = did_you_mean(root, known) or f"the check sees {listed(known)}"
            report.tell(path, f"there is no {root!r} in the value", effect, remedy, offset=use.name.offset)
        elif use.name is not None and stands_beside_output(entry, use.name.path):
            shown, field = ".".join(use.name.path), use.name.path[1]
            what = f"{shown!r}: the output is its {entry.kind.primary if entry.kind else ''} alone, not all fields"
            report.tell(path, what, effect, f"write {field}", offset=use.name.offset)


def _roots_of(entry: Entry, at_end: bool) -> tuple[str, ...]:
    """The names beside nodes' ids that ``entry`` sees."""
    return (*ROOTS, *RUN_NAMES, *(LOOP_ROOTS if entry.owner else ()), *(END_ROOTS if at_end else ()))


def _run(text: str, offset: int) -> str:
    """The whole word with hyphens that ``offset`` lies in: of a misspelt fetch-topic, fetch may be another node."""
    before = _BEFORE.search(text[:offset])
    after = _AFTER.match(text, offset)
    return (before.group() if before else "") + (after.group() if after else "")


def _around(entry: Entry) -> list[Entry]:
    """The loops that ``entry`` is in."""
    found = []
    owner = entry.owner
    while owner is not None:
        found.append(owner)
        owner = owner.owner
    return found


def _key_fault(root: str, rest: tuple[str, ...], known: Collection[str], declare: str = "") -> tuple[str, str] | None:
    if not rest or rest[0] in known:
        return None
    near = did_you_mean(rest[0], known) or (declare.replace("%s", rest[0]) if declare else f"it has {listed(known)}")
    return f"{root} has no {rest[0]!r}", near
