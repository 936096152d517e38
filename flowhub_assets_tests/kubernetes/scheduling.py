"""Nodes of the Kubernetes double, and which of them a pod fits on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flowhub_assets_tests.kubernetes.admission import quantity

Demand = Mapping[str, float]


@dataclass(frozen=True)
class Node:
    """``allocatable`` holds quantities by resource (``pods`` is how many may run); what it does not name is endless,
    but for extended resources (a name with a slash), of which a node has only those that it names.

    ``taints`` are dicts as in a node's spec (key, value, effect).
    """

    name: str = "node"
    allocatable: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: Sequence[Mapping[str, str]] = ()
    anything: bool = False


# Where no nodes are named: whatever a pod asks for is there.
ENDLESS = Node(anything=True)


def demand(spec: Mapping[str, Any]) -> dict[str, float]:
    """What a pod asks for: the sum of its containers' requests, a limit where there is no request."""
    asked: Counter[str] = Counter({"pods": 1})
    for container in spec["containers"]:
        resources = container.get("resources") or {}
        for name, text in {**(resources.get("limits") or {}), **(resources.get("requests") or {})}.items():
            asked[name] += quantity(text) or 0  # type: ignore[assignment]
    return dict(asked)


def place(
    spec: Mapping[str, Any], nodes: Sequence[Node], taken: Iterable[tuple[str, Demand]]
) -> tuple[Node | None, str]:
    """The first node that a pod fits on, or None and the scheduler's message; ``taken`` is by node's name."""
    used: dict[str, Counter[str]] = {node.name: Counter() for node in nodes}
    for name, amounts in taken:
        if name in used:
            used[name].update(amounts)
    reasons: Counter[str] = Counter()
    for node in nodes:
        if not (found := obstacles(spec, node, used[node.name])):
            return node, ""
        reasons.update(found)
    total = len(nodes)
    why = ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
    helpless = f"preemption: 0/{total} nodes are available: {total} Preemption is not helpful for scheduling."
    return None, f"0/{total} nodes are available: {why}. {helpless}"


def obstacles(spec: Mapping[str, Any], node: Node, used: Demand) -> list[str]:
    """The scheduler's words for why a pod does not fit on a node."""
    if not node.anything:
        if any(node.labels.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()):
            return ["node(s) didn't match Pod's node affinity/selector"]
        for taint in node.taints:
            if taint["effect"] != "PreferNoSchedule" and not _is_tolerated(taint, spec.get("tolerations") or []):
                return [f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"]
    found = []
    for name, amount in demand(spec).items():
        endless = float("inf") if node.anything or "/" not in name else 0.0
        there = quantity(node.allocatable[name]) if name in node.allocatable else endless
        if used.get(name, 0) + amount > (there or 0):
            found.append("Too many pods" if name == "pods" else f"Insufficient {name}")
    return found


def _is_tolerated(taint: Mapping[str, str], tolerations: Sequence[Mapping[str, str]]) -> bool:
    return any(
        toleration.get("key") in (None, "", taint["key"])
        and toleration.get("effect") in (None, "", taint["effect"])
        and (toleration.get("operator") == "Exists" or toleration.get("value", "") == taint.get("value", ""))
        for toleration in tolerations
    )
