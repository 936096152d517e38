"""Graphs nobody thought of: up to twelve tasks, merged or separate, with any JSON value, retries and one failure.

Some have branches: a task that decides is taken by one of its two sides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from flowhub_assets_tests.conformance.workflow_text import HEAD, main

MOST_TASKS = 12

#: Few names, so that merging has to choose; 'env' and 'given' are names that the runtime and the bodies use.
_KEYS = st.sampled_from(["x", "y", "값", "", "env", "given", "$args"]) | st.text(max_size=5)
_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**100), 2**100)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=10)
    | st.sampled_from(["한국어", "🧪", "{{ x }}", 'it\'s "quoted" \\ here'])
)
_JSON = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3), max_leaves=6
)
VALUES = st.dictionaries(_KEYS, _JSON, max_size=4)


#: The number of a task, -1 for the flow's input; for a task that decides, which of its sides is taken.
Need = int | tuple[int, bool]


@dataclass(frozen=True)
class Node:
    """One task: what it needs, and how its function takes it.

    It fails at its first ``failures`` attempts. One that ``decides`` returns that; others return ``value`` beside what
    they have seen.
    """

    needs: tuple[Need, ...]
    merge: bool
    failures: int
    value: Mapping[str, Any]
    decides: bool | None = None

    @property
    def upstream(self) -> set[int]:
        """The numbers of what it needs."""
        return {number_of(need) for need in self.needs}


def number_of(need: Need) -> int:
    """Which task it is that is needed."""
    return need if isinstance(need, int) else need[0]


@dataclass(frozen=True)
class Graph:
    """``result`` numbers what the flow gives back, nothing if None; ``doomed`` is a task that never ends well."""

    nodes: tuple[Node, ...]
    result: tuple[Need, ...] | None
    given: Mapping[str, Any]
    doomed: int | None

    def below(self, number: int) -> set[int]:
        """The tasks that need that one, at whatever distance."""
        found = {number}
        for index, node in enumerate(self.nodes):
            if found & node.upstream:
                found.add(index)
        return found - {number}

    def text(self, *, healthy: bool = False) -> str:
        """The workflow file; a ``healthy`` one has no doomed task."""
        doomed = None if healthy else self.doomed
        tasks = "".join(_task(index, node, index == doomed) for index, node in enumerate(self.nodes))
        calls = [f"v{index} = {_called(index, node)}({_values(node.needs)})" for index, node in enumerate(self.nodes)]
        back = [] if self.result is None else [f"return {_values(self.result)}"]
        return HEAD + tasks + main(*calls, *back, name="random", words="on_failure=note")


def task_name(number: int) -> str:
    """The name of a task; some are Korean."""
    return f"작업{number}" if number % 3 == 2 else f"task_{number}"


def _called(index: int, node: Node) -> str:
    return task_name(index) if node.decides is None else f"{task_name(index)}.branch"


def _task(index: int, node: Node, doomed: bool) -> str:
    names = ["args"] if node.merge else [f"p{place}" for place in range(len(node.needs))]
    fails = "True" if doomed else f"attempt({names[0]}) <= {node.failures}"
    seen = f"{{**seen({', '.join(names)}), **{dict(node.value)!r}}}"
    return (
        f"\n\n@task(retries={node.failures})\n"
        f"def {task_name(index)}({', '.join(names)}):\n"
        f"    if {fails}:\n"
        f"        raise ValueError('실패 of {index}')\n"
        f"    return {seen if node.decides is None else node.decides}\n"
    )


def _values(needs: tuple[Need, ...]) -> str:
    return ", ".join(map(_value, needs))


def _value(need: Need) -> str:
    if isinstance(need, int):
        return "args" if need < 0 else f"v{need}"
    return f"v{need[0]}.{str(need[1]).lower()}"


def _needs(draw: st.DrawFn, nodes: list[Node], most: int) -> tuple[Need, ...]:
    numbers = draw(st.lists(st.integers(-1, len(nodes) - 1), min_size=1, max_size=most))
    decides = {number for number in numbers if number >= 0 and nodes[number].decides is not None}
    return tuple((number, draw(st.booleans())) if number in decides else number for number in numbers)


@st.composite
def graphs(draw: st.DrawFn, *, branches: bool = False) -> Graph:
    """Any graph of at most MOST_TASKS tasks; with ``branches``, some of them decide."""
    count = draw(st.integers(1, MOST_TASKS))
    nodes: list[Node] = []
    for _ in range(count):
        needs = _needs(draw, nodes, 4)
        failures = draw(st.sampled_from([0, 0, 0, 1, 2]))
        decides = draw(st.sampled_from([None, None, True, False])) if branches else None
        # A side of a choice is one merged value where the choice was made on several.
        merge = branches or draw(st.booleans())
        nodes.append(Node(needs, merge, failures, draw(VALUES), decides))
    result = _needs(draw, nodes, 3) if draw(st.booleans()) else None
    doomed = draw(st.none() | st.integers(0, count - 1))
    return Graph(tuple(nodes), result, draw(VALUES), doomed)
