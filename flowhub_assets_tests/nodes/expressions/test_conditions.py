"""Conditions: true or false, or a mistake that is told; never true by mistake."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowhub_assets.nodes.expressions.conditions import condition_names, evaluate, holds
from flowhub_assets.nodes.expressions.templates import TemplateProblem

SCOPE: dict[str, Any] = {
    "fetch-topic": {
        "output": {"n": 3, "price": 2.5, "topic": "AI", "from": "a", "class": 1, "none": None, "rows": [1]}
    },
    "skipped": {"output": None},
    "뉴스.수집": {"output": [1, 2]},
    "fetch": 7,
    "topic": 5,
    "$now": "2024-05-06T01:02:03.000Z",
}


@pytest.mark.parametrize(
    "text",
    [
        "fetch-topic.output.n > 2",
        "fetch-topic.output.n > 2.5 and fetch-topic.output.price * 2 == 5",
        "fetch-topic.output.n + 0.5 == 3.5",
        "'A' in fetch-topic.output.topic and 'Z' not in fetch-topic.output.topic",
        "fetch - topic == 2",
        "fetch-topic.output.from == 'a' and fetch-topic.output.class == 1",
        "fetch-topic.output['n'] == 3",
        "1 < fetch-topic.output.n <= 3",
        "not (1 > 2) or false",
        "fetch-topic.output.none == null and fetch-topic.output.none is none",
        "has(fetch-topic.output.n) and not has(fetch-topic.output.nope)",
        "default(skipped.output.x, 4) == 4",
        "len(뉴스.수집.output) == size(뉴스.수집.output)",
        "뉴스.수집.output[1] == 2 and 뉴스.수집.output[-1] == 2",
        "fetch-topic.output.topic.lower().startswith('a') and startswith('abc', 'ab') and contains('abc', 'b')",
        "$now > '2024-01-01'",
        "true if fetch-topic.output.n == 3 else 1",
        "{{ fetch-topic.output.n > 2 }}",
        "{{ fetch-topic.output.rows | length == 1 }}",
        "fetch-topic.output.n == 3\n  and true",
        "fetch-topic.output == fetch-topic.output and [1, [2]] == [1.0, [2]]",
        "round(2.345, digits=2) == 2.35 or round(2.345, digits=2) == 2.34",
    ],
)
def test_it_holds(text: str) -> None:
    assert holds(text, SCOPE, SCOPE.keys()) is True
    assert text.startswith("{{") or holds(f"not ({text})", SCOPE, SCOPE.keys()) is False


@pytest.mark.parametrize(
    "text", ["1 == true", "0 == false", "'3' == 3", "null == false", "'' == null", "[] == false", "1 in [true]"]
)
def test_values_of_two_types_are_unequal(text: str) -> None:
    assert holds(text, {}, ()) is False


@pytest.mark.parametrize(
    ("text", "what", "offset", "remedy"),
    [
        ("fetch-topic.output.nn > 2", "there is no 'nn' in fetch-topic.output", 0, "did you mean"),
        ("1 == 1 and fetch-topik.output", "there is no 'fetch-topik' here", 11, "did you mean 'fetch-topic'?"),
        ("true or nope", "there is no 'nope' here", 8, "Known are"),
        ("$nwo == 1", "there is no '$nwo' here", 0, "did you mean '$now'?"),
        ("skipped.output.x == 1", "skipped.output is null", 0, "default("),
        ("fetch-topic.output.n", "gives the number 3", 0, "name > 0"),
        ("fetch-topic.output.topic", "gives the text 'AI'", 0, "len(name)"),
        ("fetch-topic.output.rows and true", "'and' takes true and false only, not a list", 0, "len(name)"),
        ("not fetch-topic.output.none", "'not' takes true and false only, not null", 0, ""),
        ("1 if 'a' else 2", "'if' takes true and false only", 0, ""),
        ("a && b", "'&&'", 2, "Write and for &&."),
        ("a || b", "'||'", 2, "Write or for ||."),
        ("!fetch", "'!'", 0, "Write not for !."),
        ("fetch = 1", "'='", 6, "Write == to compare."),
        ("fetch > 1 ? 2 : 3", "'?'", 10, "if condition else"),
        ("{{fetch}} == 1", "'{{'", 0, "no braces"),
        ("fetch | length", "may not use |", 0, ""),
        ("lenn(fetch)", "there is no 'lenn' here", 0, "did you mean 'len'?"),
        ("fetch-topic.output.topic.startwith('A')", "no function 'startwith'", 25, "did you mean 'startswith'?"),
        ("fetch > 'a'", "cannot compare the number 7 with the text 'a'", 0, "int(...)"),
        ("3 in 5", "cannot be looked for", 0, ""),
        ("fetch-topic.output.a-b == 1", "there is no 'b' here", 21, "fetch-topic.output['a-b']"),
        ("", "empty", 0, "Write one"),
    ],
)
def test_mistakes_are_told(text: str, what: str, offset: int, remedy: str) -> None:
    with pytest.raises(TemplateProblem) as caught:
        holds(text, SCOPE, SCOPE.keys())
    assert what in caught.value.what
    assert caught.value.offset == offset
    assert remedy in caught.value.remedy


def test_names_are_paths_with_their_places() -> None:
    text = "fetch-topic.output.rows[0].x > 1 and 뉴스.수집['output'].a.startswith('a') and len($now) < topic"
    assert [(name.path, name.offset) for name in condition_names(text, SCOPE.keys())] == [
        (("fetch-topic", "output", "rows", "0", "x"), 0),
        (("뉴스.수집", "output", "a"), text.index("뉴스")),
        (("$now",), text.index("$now")),
        (("topic",), text.rindex("topic")),
    ]
    assert [name.path for name in condition_names("{{ fetch > 1 }}", SCOPE.keys())] == [("fetch",)]


def test_a_side_that_is_not_asked_may_be_missing() -> None:
    assert holds("has(fetch-topic.output.x) and fetch-topic.output.x > 1", SCOPE, SCOPE.keys()) is False
    assert holds("skipped.output is null or skipped.output.x > 1", SCOPE, SCOPE.keys()) is True


def test_an_expression_has_any_value() -> None:
    assert evaluate("fetch-topic.output.n + 1", SCOPE, SCOPE.keys()) == 4
    assert evaluate("[fetch, {'a': topic}]", SCOPE, SCOPE.keys()) == [7, {"a": 5}]


NUMBERS = st.integers(-(10**9), 10**9) | st.floats(-1e9, 1e9)


@given(NUMBERS, NUMBERS, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]))
@settings(deadline=None)
def test_numbers_compare_as_in_python(left: float, right: float, sign: str) -> None:
    scope = {"left-one": left, "right": right}
    wanted = {"==": left == right, "!=": left != right, "<": left < right, "<=": left <= right, ">": left > right}
    assert holds(f"left-one {sign} right", scope, scope.keys()) is wanted.get(sign, left >= right)


@given(st.text(alphabet="andortu e=<>!()[]'\"-.|1ab$,\n\\", max_size=30))
@settings(max_examples=400, deadline=None)
def test_any_text_is_true_false_or_told(text: str) -> None:
    scope = {"a": {"b": [1]}, "b": True, "a-b": 1, "$a": 1}
    found = None
    try:
        assert isinstance(holds(text, scope, scope.keys()), bool)
    except TemplateProblem as problem_told:
        found = problem_told
    assert found is None or (found.what and 0 <= found.offset <= len(text))
