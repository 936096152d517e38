"""The graphs that every runner must treat alike, each as the text of a workflow file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flowhub_assets_tests.conformance.workflow_text import main, step, workflow

INPUT: Mapping[str, Any] = {"shared": "input", "n": 1}


@dataclass(frozen=True)
class Shape:
    """A workflow and what is known of it by hand.

    ``last_writers`` tells for each task, for each of its parameters, whose 'shared' it finds there: the last
    of those merged. ``result`` names whose outputs the flow gives back. ``told`` is what notes are taken of, and
    ``file`` is the name of the file.
    """

    name: str
    text: str
    last_writers: Mapping[str, list[str | None]] = field(default_factory=dict)
    result: tuple[str, ...] = ()
    given: Mapping[str, Any] = field(default_factory=lambda: dict(INPUT))
    attempts: Mapping[str, int] = field(default_factory=dict)
    told: list[dict[str, Any]] = field(default_factory=list)
    file: str = "workflow.py"


A, B, C = step("a"), step("b"), step("c")
LEFT, RIGHT = step("left"), step("right")
JOIN, JOIN_TWO = step("join"), step("join", "one, two")

_GRAPHS = [
    Shape("one task", workflow(A, main("return a(args)")), {"a": ["input"]}, ("a",)),
    Shape(
        "chain",
        workflow(A, B, C, main("return c(b(a(args)))")),
        {"a": ["input"], "b": ["a"], "c": ["b"]},
        ("c",),
    ),
    Shape(
        "fan-out",
        workflow(A, LEFT, RIGHT, main("start = a(args)", "left(start)", "right(start)")),
        {"a": ["input"], "left": ["a"], "right": ["a"]},
        ("left", "right"),
    ),
    Shape(
        "fan-in merged",
        workflow(LEFT, RIGHT, JOIN, main("one, two = left(args), right(args)", "return join(one, two)")),
        {"left": ["input"], "right": ["input"], "join": ["right"]},
        ("join",),
    ),
    Shape(
        "fan-in merged against the order of the calls",
        workflow(LEFT, RIGHT, JOIN, main("one, two = left(args), right(args)", "return join(two, one)")),
        {"left": ["input"], "right": ["input"], "join": ["left"]},
        ("join",),
    ),
    Shape(
        "fan-in separate",
        workflow(LEFT, RIGHT, JOIN_TWO, main("one, two = left(args), right(args)", "return join(two, one)")),
        {"left": ["input"], "right": ["input"], "join": ["right", "left"]},
        ("join",),
    ),
    Shape(
        "diamond",
        workflow(A, LEFT, RIGHT, JOIN, main("start = a(args)", "return join(left(start), right(start))")),
        {"a": ["input"], "left": ["a"], "right": ["a"], "join": ["right"]},
        ("join",),
    ),
    Shape(
        "two roots",
        workflow(A, B, C, LEFT, main("one, two = a(args), b(args)", "return left(one), c(two)")),
        {"a": ["input"], "b": ["input"], "left": ["a"], "c": ["b"]},
        ("left", "c"),
    ),
]

_CALLS = [
    Shape(
        "keyword call",
        workflow(LEFT, RIGHT, JOIN_TWO, main("return join(two=left(args), one=right(args))")),
        {"left": ["input"], "right": ["input"], "join": ["right", "left"]},
        ("join",),
    ),
    Shape(
        "any number of parameters",
        workflow(A, B, C, step("join", "*many")) + main("return join(c(args), a(args), b(args))"),
        {"a": ["input"], "b": ["input"], "c": ["input"], "join": ["c", "a", "b"]},
        ("join",),
    ),
    Shape(
        "one value twice",
        workflow(A, JOIN_TWO, main("one = a(args)", "return join(one, one)")),
        {"a": ["input"], "join": ["a", "a"]},
        ("join",),
    ),
    Shape(
        "one value merged twice",
        workflow(A, B, JOIN, main("one = a(args)", "return join(one, b(args), one)")),
        {"a": ["input"], "b": ["input"], "join": ["a"]},
        ("join",),
    ),
    Shape(
        "the flow's input merged behind a task's output",
        workflow(A, JOIN, main("return join(a(args), args)")),
        {"a": ["input"], "join": ["input"]},
        ("join",),
    ),
    Shape(
        "the flow's input merged before a task's output",
        workflow(A, JOIN, main("return join(args, a(args))")),
        {"a": ["input"], "join": ["a"]},
        ("join",),
    ),
    Shape(
        "the flow's input beside a task's output",
        workflow(A, JOIN_TWO, main("return join(a(args), args)")),
        {"a": ["input"], "join": ["a", "input"]},
        ("join",),
    ),
    Shape(
        "the same function twice",
        workflow(A, B, main("first = a(args)", "second = a.named('a-again')(first)", "return b(first, second)")),
        {"a": ["input"], "a-again": ["a"], "b": ["a-again"]},
        ("b",),
    ),
    Shape(
        "a flow in a flow",
        workflow(
            A,
            B,
            C,
            main("return b(a(args))", name="inner").replace("def main", "def inner"),
            main("return c(inner(args))"),
        ),
        {"a": ["input"], "b": ["a"], "c": ["b"]},
        ("c",),
    ),
    Shape(
        "a task that hands on its args with env and all, and one that changes them in place",
        workflow(
            step("a", first="return args"),
            step("left", first="args['n'] += 1; args['env']['task'] = 'left'; args['list'][0]['deep'] = 'changed'"),
            RIGHT,
            main("start = a(args)", "return left(start), right(start)"),
        ),
        {"left": ["input"], "right": ["input"]},
        ("left", "right"),
        given={**INPUT, "list": [{"deep": "as it was"}]},
    ),
    Shape("the flow gives back nothing", workflow(A, B, main("b(a(args))")), {"a": ["input"], "b": ["a"]}, ("b",)),
    Shape(
        "the flow gives back an early value",
        workflow(A, B, main("one = a(args)", "b(one)", "return one")),
        {"a": ["input"], "b": ["a"]},
        ("a",),
    ),
    Shape("the flow gives back its input", workflow(A, main("a(args)", "return args")), {"a": ["input"]}, ("$args",)),
    Shape(
        "the flow gives back several, its input too",
        workflow(A, B, main("one, two = a(args), b(args)", "return two, args, one")),
        {"a": ["input"], "b": ["input"]},
        ("b", "$args", "a"),
    ),
]


def wide(width: int) -> Shape:
    """So many tasks side by side between two."""
    between = ", ".join(f"a.named('a{number}')(start)" for number in range(width))
    return Shape(
        f"wide {width}",
        workflow(A, B, main("start = b(args)", f"return a({between})")),
        {"b": ["input"], **{f"a{number}": ["b"] for number in range(width)}, "a": [f"a{width - 1}"]},
        ("a",),
    )


def deep(depth: int) -> Shape:
    """A chain of so many tasks."""
    return Shape(
        f"deep {depth}",
        workflow(
            A,
            main(
                "value = args",
                f"for number in range({depth}):",
                "    value = a.named(f'a{number}')(value)",
                "return value",
            ),
        ),
        {"a0": ["input"], **{f"a{number}": [f"a{number - 1}"] for number in range(1, depth)}},
        (f"a{depth - 1}",),
    )


#: More tasks than a pipeline has.
MANY = [wide(50), deep(100)]
SHAPES = [*_GRAPHS, *_CALLS, *MANY]
