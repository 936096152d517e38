"""How the nodes of a file hang together: edges and uses become ``needs`` and ``after``, in an order that runs."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from flowhub_assets.from_yaml.entries import Entry
from flowhub_assets.from_yaml.loops import loop_of
from flowhub_assets.from_yaml.names import Scope
from flowhub_assets.from_yaml.section import Section
from flowhub_assets.ir.pipeline import Edge, Task
from flowhub_assets.ir.spelling import did_you_mean, listed
from flowhub_assets.ir.task_tree import waits_for
from flowhub_assets.nodes import implied

EDGE_KEYS = ("from", "to", "when")


@dataclass
class Graph:
    """Turns the entries of one pipeline into tasks; what an edge or a template names wrongly is told and left out."""

    scope: Scope
    ids: dict[str, Entry] = field(default_factory=dict)

    def tasks(self, parent: Section, entries: list[Entry], owner: Entry | None = None) -> tuple[Task, ...]:
        """The tasks of one level, the pipeline's or a loop's, each behind all that it waits for."""
        after = self._edges(parent, entries)
        made = [self._task(entry, after.get(entry.id, ()), owner) for entry in entries]
        return _ordered([task for task in made if task.name])  # one without an id is told

    def _task(self, entry: Entry, after: tuple[Edge, ...], owner: Entry | None) -> Task:
        uses = self.scope.uses(entry)
        inner = self.tasks(entry.section, entry.inner, entry) if entry.inner else ()
        if "needs" in entry.section:
            needs = entry.section.texts("needs", "fetch-topic")
            for name in uses:
                if name not in needs:
                    what = f"needs of {entry.section.name} lacks {name!r}, which its templates use"
                    entry.section.tell("needs", what, "it would not be given", f"add {name}, or leave needs out")
        else:
            needs = implied.needs(uses, inner, owner is not None)
        loop = loop_of(entry, inner) if entry.loops else None
        return Task(name=entry.id, needs=needs, after=after, loop=loop, **entry.fields)

    def _edges(self, parent: Section, entries: list[Entry]) -> Mapping[str, tuple[Edge, ...]]:
        """The edges of one level by the node that they lead to."""
        beside = {entry.id: entry for entry in entries if entry.id}
        found: dict[str, list[Edge]] = {}
        for section in parent.sections("edges", "{from: a, to: b}"):
            section.allow(EDGE_KEYS, {"port": "write when", "if": "write when", "condition": "write when"})
            ends = [self._end(section, key, beside) for key in ("from", "to")]
            if ends[0] is None or ends[1] is None:
                continue
            edge = Edge(ends[0].id, self._port(section, ends[0]))
            edges = found.setdefault(ends[1].id, [])
            if edge in edges:
                section.tell(
                    None, f"the edge from {edge.task!r} to {ends[1].id!r} stands twice", "", "keep one of them"
                )
            else:
                edges.append(edge)
        return {name: tuple(edges) for name, edges in found.items()}

    def _end(self, section: Section, key: str, beside: Mapping[str, Entry]) -> Entry | None:
        name = section.word(key, "fetch-topic")
        if name is None:
            if key not in section:
                section.tell(
                    None, f"{section.name} has no {key!r}", "it leads nowhere", f"write {key}: the id of a node"
                )
            return None
        if name in beside:
            return beside[name]
        if name in self.ids:
            where = self.ids[name].owner
            place = f"inside the loop {where.id!r}" if where else "in the pipeline itself"
            remedy = "an edge joins two nodes of one list"
            if where is not None and where.id in beside:
                remedy = f"name the loop: {key}: {where.id}"
            section.tell(key, f"an edge names {name!r}, which stands {place}", "the edge leads nowhere", remedy)
        else:
            hint = did_you_mean(name, beside) or f"the nodes here are {listed(beside)}"
            section.tell(key, f"an edge names {name!r}, which is no node", "the edge leads nowhere", hint)
        return None

    def _port(self, section: Section, source: Entry) -> str | None:
        port = section.word("when", "'true'")
        ports = source.fields["ports"]
        if port is None or port in ports:
            return port
        if not ports and source.kind is None:
            return None  # what is wrong with its type is told; its ports cannot be known
        what = f"node {source.id!r} has no port {port!r}"
        remedy = did_you_mean(port, ports) or f"its ports are {listed(ports)}"
        if not ports:
            remedy = f"leave when out: {source.id!r} decides nothing, so the edge is taken when it succeeds"
        section.tell("when", what, "the edge would never be taken", remedy)
        return None


def _ordered(tasks: list[Task]) -> tuple[Task, ...]:
    """Each task behind all that it waits for, else as they are written; those on a circle at the end."""
    number = {task.name: index for index, task in enumerate(tasks)}
    ahead = [sum(1 for name in _waits_here(task, number)) for task in tasks]
    followers: dict[str, list[int]] = {}
    for index, task in enumerate(tasks):
        for name in _waits_here(task, number):
            followers.setdefault(name, []).append(index)
    ready = [index for index, count in enumerate(ahead) if count == 0]
    order: list[int] = []
    while ready:
        index = heapq.heappop(ready)
        order.append(index)
        if number[tasks[index].name] != index:
            continue  # another node with its id comes later: nothing can wait for this one
        for follower in followers.get(tasks[index].name, ()):
            ahead[follower] -= 1
            if ahead[follower] == 0:
                heapq.heappush(ready, follower)
    rest = [index for index in range(len(tasks)) if index not in set(order)]
    return tuple(tasks[index] for index in [*order, *rest])


def _waits_here(task: Task, number: Mapping[str, Any]) -> Iterator[str]:
    return (name for name in waits_for(task) if name in number)
