"""Graphs nobody thought of: up to twelve tasks, merged or separate, with any JSON value, retries and one failure."""

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


@dataclass(frozen=True)
class Node:
    """One task: the numbers of those it needs (-1 is the flow's input), and how its function takes them.

    It fails at its first ``failures`` attempts and returns ``value`` beside what it has seen.
    """

    needs: tuple[int, ...]
    merge: bool
    failures: int
    value: Mapping[str, Any]


@dataclass(frozen=True)
class Graph:
    """``result`` numbers what the flow gives back, nothing if None; ``doomed`` is a task that never ends well."""

    nodes: tuple[Node, ...]
    result: tuple[int, ...] | None
    given: Mapping[str, Any]
    doomed: int | None

    def below(self, number: int) -> set[int]:
        """The tasks that need that one, at whatever distance."""
        found = {number}
        for index, node in enumerate(self.nodes):
            if found & set(node.needs):
                found.add(index)
        return found - {number}

    def text(self, *, healthy: bool = False) -> str:
        """The workflow file; a ``healthy`` one has no doomed task."""
        doomed = None if healthy else self.doomed
        tasks = "".join(_task(index, node, index == doomed) for index, node in enumerate(self.nodes))
        calls = [f"v{index} = {task_name(index)}({_values(node.needs)})" for index, node in enumerate(self.nodes)]
        back = [] if self.result is None else [f"return {_values(self.result)}"]
        return HEAD + tasks + main(*calls, *back, name="random", words="on_failure=note")


def task_name(number: int) -> str:
    """The name of a task; some are Korean."""
    return f"작업{number}" if number % 3 == 2 else f"task_{number}"


def _task(index: int, node: Node, doomed: bool) -> str:
    names = ["args"] if node.merge else [f"p{place}" for place in range(len(node.needs))]
    fails = "True" if doomed else f"attempt({names[0]}) <= {node.failures}"
    return (
        f"\n\n@task(retries={node.failures})\n"
        f"def {task_name(index)}({', '.join(names)}):\n"
        f"    if {fails}:\n"
        f"        raise ValueError('실패 of {index}')\n"
        f"    return {{**seen({', '.join(names)}), **{dict(node.value)!r}}}\n"
    )


def _values(numbers: tuple[int, ...]) -> str:
    return ", ".join("args" if number < 0 else f"v{number}" for number in numbers)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Any graph of at most MOST_TASKS tasks."""
    count = draw(st.integers(1, MOST_TASKS))
    nodes = []
    for index in range(count):
        needs = draw(st.lists(st.integers(-1, index - 1), min_size=1, max_size=4))
        failures = draw(st.sampled_from([0, 0, 0, 1, 2]))
        nodes.append(Node(tuple(needs), draw(st.booleans()), failures, draw(VALUES)))
    result = draw(st.none() | st.lists(st.integers(-1, count - 1), min_size=1, max_size=3).map(tuple))
    doomed = draw(st.none() | st.integers(0, count - 1))
    return Graph(tuple(nodes), result, draw(VALUES), doomed)
