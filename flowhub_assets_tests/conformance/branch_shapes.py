"""Python flows in which some tasks are skipped and some run once for each item of a list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flowhub_assets_tests.conformance.failing_shapes import FailingShape
from flowhub_assets_tests.conformance.shapes import INPUT, JOIN, LEFT, RIGHT, A, B, C, Shape
from flowhub_assets_tests.conformance.workflow_text import main, step, workflow


@dataclass(frozen=True)
class TakenShape(Shape):
    """``ran`` are the tasks that ran, ``values`` what some of them gave, ``output`` what the pipeline gave."""

    ran: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    output: Mapping[str, Any] | None = None


_DECIDE = "\n\n@task\ndef decide(args):\n    return args['n'] > 0\n"
_KIND = "\n\n@task\ndef kind(args):\n    return args['kind']\n"
_NUMBER = "\n\n@task\ndef number(args):\n    return {'n': args['item'] * args.get('by', 1), 'at': args['index']}\n"
_SQUARE = "\n\n@task\ndef square(args):\n    return {'n': args['item']['n'] ** 2, 'at': args['index']}\n"
_LISTS = "\n\n@task\ndef lists(args):\n    return {'items': args['list'], 'by': 10, 'shared': 'lists'}\n"
_TOTAL = "\n\n@task\ndef total(args):\n    return {'total': sum(one['n'] for one in args.get('items', []))}\n"

_BRANCH = main(
    "start = a(args)", "choice = decide.branch(start)", "return join(left(choice.true), right(choice.false))"
)
_DEFAULT = main(
    "choice = kind.branch(args, cases=('pdf', '두 단어'))",
    "return join(left(choice['pdf']), right(choice['두 단어']), c(choice.default))",
)
_ONE_SIDED = main("choice = decide.branch(a(args))", "return join(left(choice.true), choice.false)")
_BOTH_SIDES = main("choice = decide.branch(args)", "return left(choice.true, choice.false)")
_NESTED = main(
    "outer = decide.branch(args)",
    "inner = kind.branch(outer.true, cases=('x',))",
    "return join(left(inner['x']), b(inner.default)), right(outer.false)",
)
_SKIPPED_CHAIN = main(
    "start = a(args)",
    "choice = decide.branch(start)",
    "end = c(b(left(choice.true)))",
    "return join(end, start), right(end)",
)


def _taken(name: str, text: str, given: Mapping[str, Any], ran: str, **more: Any) -> TakenShape:
    return TakenShape(name, text, given={**INPUT, **given}, ran=tuple(ran.split()), **more)


#: What the decider saw, handed on by a task that takes no part in ``seen``.
_SMALL = "\n\n@task\ndef a(args):\n    return {'n': args['n'], 'shared': 'a'}\n"

BRANCHES = [
    _taken(
        "a branch is taken",
        workflow(A.replace("seen(args)", "{**seen(args), 'n': 1}"), _DECIDE, LEFT, RIGHT, JOIN, _BRANCH),
        {},
        "a decide left join",
        last_writers={"left": ["a"], "join": ["left"]},
        values={"decide": {"port": "true"}},
        result=("join",),
    ),
    _taken(
        "the other branch is taken",
        workflow(_SMALL, _DECIDE, LEFT, RIGHT, JOIN, _BRANCH),
        {"n": 0},
        "a decide right join",
        last_writers={"right": ["a"], "join": ["right"]},
        values={"a": {"n": 0, "shared": "a"}, "decide": {"port": "false"}},
        result=("join",),
    ),
    *(
        _taken(
            f"the case {found!r}",
            workflow(_KIND, LEFT, RIGHT, C, JOIN, _DEFAULT),
            {"kind": found},
            f"kind {task} join",
            last_writers={task: ["input"], "join": [task]},
            values={"kind": {"port": port}},
            result=("join",),
        )
        for found, port, task in [
            ("pdf", "pdf", "left"),
            ("두 단어", "두 단어", "right"),
            ("none of them", "default", "c"),
            (None, "default", "c"),
        ]
    ),
    _taken(
        "a branch that does nothing is not taken",
        workflow(_SMALL, _DECIDE, LEFT, JOIN, _ONE_SIDED),
        {},
        "a decide left join",
        last_writers={"join": ["left"]},
        result=("join",),
    ),
    _taken(
        "a branch that does nothing is taken",
        workflow(_SMALL, _DECIDE, LEFT, JOIN, _ONE_SIDED),
        {"n": 0},
        "a decide decide.false join",
        last_writers={"join": ["a"]},
        values={"decide.false": {"n": 0, "shared": "a"}},
        result=("join",),
    ),
    *(
        _taken(
            f"both sides lead to one task, {port} is taken",
            workflow(_DECIDE, LEFT, _BOTH_SIDES),
            {"n": n},
            "decide left",
            last_writers={"left": ["input"]},
            values={"decide": {"port": port}},
            result=("left",),
        )
        for n, port in [(1, "true"), (0, "false")]
    ),
    _taken(
        "a branch in a branch",
        workflow(_DECIDE, _KIND, LEFT, RIGHT, B, JOIN, _NESTED),
        {"kind": "x"},
        "decide kind left join",
        last_writers={"left": ["input"], "join": ["left"]},
        result=("join",),
    ),
    _taken(
        "a branch in a branch that is not taken",
        workflow(_DECIDE, _KIND, LEFT, RIGHT, B, JOIN, _NESTED),
        {"kind": "x", "n": 0},
        "decide right",
        last_writers={"right": ["input"]},
        result=("right",),
    ),
    _taken(
        "what needs only skipped tasks is skipped, what needs another is not",
        workflow(_SMALL, _DECIDE, LEFT, RIGHT, B, C, JOIN, _SKIPPED_CHAIN),
        {"n": 0},
        "a decide join",
        last_writers={"join": ["a"]},
        result=("join",),
    ),
    _taken(
        "the flow gives back what was skipped",
        workflow(_DECIDE, LEFT, main("return left(decide.branch(args).true)")),
        {"n": 0},
        "decide",
        output={},
    ),
    _taken(
        "a decision that is made at the second try",
        workflow(
            "\n\n@task(retries=1)\ndef decide(args):\n    return [None, 'later', True][attempt(args)]\n",
            LEFT,
            main("return left(decide.branch(args).true)"),
        ),
        {},
        "decide left",
        values={"decide": {"port": "true"}},
        attempts={"decide": 2},
        result=("left",),
    ),
]

_MAPPED = main("some = lists(args)", "return total(square.map(number.map(some, over='items'), over='items'))")

LOOPS = [
    _taken(
        "a map behind a map",
        workflow(_LISTS, _NUMBER, _SQUARE, _TOTAL, _MAPPED),
        {"list": [3, 1, 2]},
        "lists number square total",
        values={
            "number": {"items": [{"n": 30, "at": 0}, {"n": 10, "at": 1}, {"n": 20, "at": 2}]},
            "square": {"items": [{"n": 900, "at": 0}, {"n": 100, "at": 1}, {"n": 400, "at": 2}]},
        },
        output={"total": 1400},
    ),
    _taken(
        "a map over nothing",
        workflow(_LISTS, _NUMBER, _SQUARE, _TOTAL, _MAPPED),
        {"list": []},
        "lists number square total",
        values={"number": {"items": []}},
        output={"total": 0},
    ),
    _taken(
        "a map one item at a time, over a key of its own",
        workflow(_NUMBER, main("return number.map(args, over='목록', max_concurrent=1)")),
        {"목록": [5, 6]},
        "number",
        output={"목록": [{"n": 5, "at": 0}, {"n": 6, "at": 1}]},
    ),
    _taken(
        "a map over more items than there are cores",
        workflow(_NUMBER, main("return number.map(args, over='items')")),
        {"items": list(range(20))},
        "number",
        output={"items": [{"n": n, "at": n} for n in range(20)]},
    ),
    _taken(
        "an item that helps itself at the second try",
        workflow(
            "\n\n@task(retries=1)\ndef number(args):\n"
            "    if args['item'] == 2 and attempt(args) == 1:\n        raise OSError('not yet')\n"
            "    return {'n': args['item']}\n",
            main("return number.map(args, over='items')"),
        ),
        {"items": [1, 2, 3]},
        "number",
        output={"items": [{"n": 1}, {"n": 2}, {"n": 3}]},
    ),
    _taken(
        "a map in the branch that is taken",
        workflow(_DECIDE, _NUMBER, _TOTAL, main("return total(number.map(decide.branch(args).true, over='items'))")),
        {"items": [1, 2]},
        "decide number total",
        output={"total": 3},
    ),
    _taken(
        "a map in the branch that is not taken",
        workflow(_DECIDE, _NUMBER, _TOTAL, main("return total(number.map(decide.branch(args).true, over='items'))")),
        {"items": [1, 2], "n": 0},
        "decide",
        output={},
    ),
    _taken(
        "what an item is given",
        workflow(step("each"), main("return each.map(args, over='items')")),
        {"items": ["값"]},
        "each",
        output={
            "items": [
                {
                    "given": [{"shared": "input", "n": 1, "item": "값", "index": 0}],
                    "surroundings": {"project": "shape", "task": "each.each"},
                    "shared": "each.each",
                    "of each.each": ["input"],
                }
            ]
        },
    ),
]

_NOTED = "on_failure=note"

FAILING_BRANCHES = [
    FailingShape(
        "nobody knows where to go on",
        workflow(
            A,
            "\n\n@task(retries=1)\ndef b(args):\n    return 'maybe'\n",
            LEFT,
            RIGHT,
            main("choice = b.branch(a(args))", "return left(choice.true), right(choice.false)", words=_NOTED),
        ),
        error_type="ValueRefused",
        attempts={"a": 1, "b": 2},
    ),
    FailingShape(
        "the decider fails",
        workflow(
            A,
            "\n\n@task\ndef b(args):\n    raise ValueError('bad')\n",
            LEFT,
            RIGHT,
            main("choice = b.branch(a(args))", "return left(choice.true), right(choice.false)", words=_NOTED),
        ),
        error="bad",
    ),
    FailingShape(
        "a join behind a branch that fails",
        workflow(
            A,
            _DECIDE,
            step("b", first="raise ValueError('bad')"),
            RIGHT,
            JOIN,
            main("choice = decide.branch(args)", "return join(b(choice.true), right(choice.false), a(args))").replace(
                "name='shape'", f"name='shape', {_NOTED}"
            ),
        ),
        error="bad",
        done=("a", "decide"),
    ),
    FailingShape(
        "there is no list to map over",
        workflow(A, step("b"), main("return b.map(a(args), over='items')", words=_NOTED)),
        error_type="ValueRefused",
    ),
    FailingShape(
        "an item fails",
        workflow(
            _LISTS,
            "\n\n@task\ndef b(args):\n    return {'n': 6 // args['item']}\n",
            main("return b.map(lists(args), over='items', max_concurrent=1)", words=_NOTED),
        ),
        error_type="ZeroDivisionError",
        error="item 1: integer division or modulo by zero",
        done=("lists",),
        given={"list": [1, 0, 2], "shared": "input"},
    ),
    FailingShape(
        "only errors that are named are tried again",
        workflow(
            A,
            step(
                "b",
                words="retries=3, retry_backoff='linear', retry_on=(ConnectionError,)",
                first="raise [None, ConnectionResetError, BrokenPipeError, KeyError][attempt(args)]('gone')",
            ),
            main("return b(a(args))", words=_NOTED),
        ),
        error_type="KeyError",
        error="'gone'",
        attempts={"a": 1, "b": 3},
    ),
]
