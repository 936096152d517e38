"""Templates: names as people write them, values that keep their types, errors that say what is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowhub_assets.nodes.expressions import templates
from flowhub_assets.nodes.expressions.limits import MOST_CODE, MOST_ITERATIONS, MOST_OUTPUT, Budget
from flowhub_assets.nodes.expressions.templates import TemplateProblem, render, template_names
from flowhub_assets_tests.json_values import SAFE_INTEGERS, json_values

ROWS = [{"x": 1, "ok": True, "tags": []}, {"x": 2, "ok": False, "tags": ["b"]}]
SCOPE: dict[str, Any] = {
    "fetch-topic": {"output": {"topic": "AI", "n": 3, "rows": ROWS, "content-type": "text/html"}, "topic": "AI"},
    "skipped": {"output": None, "skipped": True},
    "b": {"output": {"text": "hi"}},
    "variables": {"model": "llama"},
    "뉴스.수집": {"output": ["하나", "둘"]},
    "fetch": 7,
    "topic": 5,
    "item": {"k": "v"},
    "v1.2": "dotted",
    "$now": "2024-05-06T22:02:03.000Z",
    "range": "a node",
}


def rendered(text: Any, **more: Any) -> Any:
    scope = {**SCOPE, **more}
    return render(text, scope, scope.keys())


def problem(text: str, known: Any = None) -> TemplateProblem:
    with pytest.raises(TemplateProblem) as caught:
        render(text, SCOPE, SCOPE.keys() if known is None else known)
    return caught.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{fetch-topic.output.topic}}", "AI"),
        ("{{ fetch-topic.output.n }}", 3),
        ("{{ fetch-topic.output.rows }}", ROWS),
        ("{{ fetch-topic.output.rows }}\n", ROWS),
        ("{{ fetch-topic.output['content-type'] }}", "text/html"),
        ("{{ fetch-topic.output.n + 1 }}", 4),
        ("{{ fetch-topic.output.n > 2 }}", True),
        ("{{ none }}", None),
        ("{{ skipped.output }}", None),
        ("{{ 뉴스.수집.output[1] }}", "둘"),
        ("{{ 뉴스.수집.output.1 }}", "둘"),
        ("{{ v1.2 }}", "dotted"),
        ("{{ range }}", "a node"),
        ("{{ {'a': [topic]} }}", {"a": [5]}),
        ("{{ fetch-topic.output.rows | selectattr('ok') | map(attribute='x') | list }}", [1]),
        ("{{ fetch-topic.output.rows | rejectattr('x', 'gt', 1) | length }}", 1),
        ("{{ fetch-topic.output.rows | map(attribute='tags.0', default='-') | join(',') }}", "-,b"),
        ("{{ '[1, {}]' | from_json }}", [1, {}]),
    ],
)
def test_a_single_expression_keeps_its_type(text: str, value: Any) -> None:
    result = rendered(text)
    assert (result, type(result)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("주제: {{fetch-topic.output.topic}}\n위", "주제: AI\n위"),
        ("{{ fetch-topic.output.rows }}!", json.dumps(ROWS) + "!"),
        ("{{topic}}{{topic}}", "55"),
        (" {{topic}}", " 5"),
        ("{{topic}}\n{{topic}}\n", "5\n5\n"),
        ("{{ none }} {{ true }} {{ 1.5 }}", "null true 1.5"),
        ("{% for r in fetch-topic.output.rows %}{{loop.index}}/{{loop.length}}:{{r.x}};{% endfor %}", "1/2:1;2/2:2;"),
        ("{% for k, v in b.output.items() %}{{k}}={{v}}{% else %}-{% endfor %}", "text=hi"),
        ("{% if fetch-topic.output.n > 2 and not skipped.output %}yes{% else %}no{% endif %}\n", "yes\n"),
        ("{% set n = topic + 1 %}{{ n }}{{ n }}", "66"),
        ("{% for item in [1, 2] %}{{ item }}{% endfor %}{{ item.k }}", "12v"),
        ("{% with topic = 1 %}{{ topic }}{% endwith %}{{ topic }}", "15"),
        ("{{ 'a' ~ 1 ~ none }}.", "a1null."),
        ("{# a comment #}{{ topic }}.", "5."),
        ("{% raw %}{{ x-y }}{% endraw %}{{ '{{' }}", "{{ x-y }}{{"),
        ("a {{- topic -}} b", "a5b"),
        ("{{ fetch-topic.output.topic.lower() }}{{ 'b'.upper() }}.", "aiB."),
        ("{{ $now | date('%d.%m.%Y %H:%M', tz='Asia/Seoul') }}.", "07.05.2024 07:02."),
        ("{{ $now | date(days=-1) }}.", "2024-05-05."),
    ],
)
def test_everything_else_is_text(text: str, result: str) -> None:
    assert rendered(text) == result


def test_the_longest_known_name_is_meant_and_blanks_make_a_minus() -> None:
    assert rendered("{{ fetch - topic }}") == rendered("{{ fetch -topic }}") == 2
    assert rendered("{{ fetch-topic.topic }}") == "AI"
    assert render("{{ fetch-topic }}", SCOPE, {"fetch", "topic"}) == 2
    assert render("{{ a-b-c }}", {"a-b": 5, "c": 2}, {"a-b", "c"}) == 3
    assert render("{{ a-bc }}", {"a-b": 5, "a": 9, "bc": 2}, {"a-b", "a", "bc"}) == 7


def test_what_is_missing_can_be_asked_for() -> None:
    assert rendered("{{ (skipped.output or b.output).text }}") == "hi"
    assert rendered("{{ skipped.output.text.deeper | default('x') }}") == "x"
    assert rendered("{{ fetch-topic.output.nope is defined }}") is False
    assert rendered("{{ default(skipped.output, b.output).text }}") == "hi"
    assert rendered("{{ has(fetch-topic.output.nope) }}") is False


@pytest.mark.parametrize(
    ("text", "what", "offset", "remedy"),
    [
        ("주제 {{fetch-topik.output}}", "there is no 'fetch-topik' here", 5, "did you mean 'fetch-topic'?"),
        ("{{ variable.model }}", "there is no 'variable' here", 3, "did you mean 'variables'?"),
        ("{{$nwo}}", "there is no '$nwo' here", 2, "did you mean '$now'?"),
        ("{{fetch-topic.output.topik}}", "there is no 'topik' in fetch-topic.output", 2, "did you mean 'topic'?"),
        ("{{1 + fetch-topic.output.topik}}", "there is no 'topik' in fetch-topic.output", 6, "did you mean 'topic'?"),
        ("{{뉴스.수집.output[5]}}", "there is no item 5 in a list of 2 in 뉴스.수집.output", 2, ""),
        ("a {{skipped.output.text}}", "skipped.output is null", 4, "default("),
        ("a {{ 1 +", "'{{' is never closed", 2, "Write }} after it"),
        ("a\nb {{ 1 + }}", "the template cannot be read", 4, ""),
        ("{{ a && b }}", "unexpected char '&'", 0, "Write and for &&."),
        ("{{ topic | uper }}", "there is no filter 'uper'", 11, "did you mean 'upper'?"),
        ("{{ topic is strin }}", "there is no test 'strin'", 12, "did you mean 'string'?"),
        ("{{ uper(topic) }}", "there is no 'uper' here", 3, "did you mean 'upper'?"),
        ("{{ fetch-topic.output.content-type }}", "there is no 'type' here", 30, "fetch-topic.output['content-type']"),
        ("{{ topic + 'a' }}", "'+' does not go with the number 5 and the text 'a'", 0, "~"),
        ("{{ 'x' if true }}", "needs an else", 0, "else ''"),
        ("{{ upper() }}", "upper was given arguments that it does not take", 0, ""),
        ("{% include 'x' %}", "may not use {% include %}", 0, ""),
        ("{% for loop in [1] %}{% endfor %}", "'loop' is what a loop itself is called", 0, ""),
        ("{% for i in [1] %}" * 25 + "{% endfor %}" * 25, "nested too deeply", 0, ""),
    ],
)
def test_mistakes_are_told(text: str, what: str, offset: int, remedy: str) -> None:
    found = problem(text)
    assert what in found.what
    assert found.offset == offset
    assert remedy in found.remedy


def test_names_are_paths_with_their_places() -> None:
    text = "{{ fetch-topic.output.rows[0].x }} {% for b in b.output %}{{ b }}{{ $now }}{% endfor %}"
    text += "{{ item['k'].z[topic] }}"
    assert [(name.path, name.offset) for name in template_names(text, SCOPE.keys())] == [
        (("fetch-topic", "output", "rows", "0", "x"), 3),
        (("b", "output"), text.index("b.output")),
        (("$now",), text.index("$now")),
        (("item", "k", "z"), text.index("item[")),
        (("topic",), text.index("topic]")),
    ]
    assert template_names("no code", ()) == []
    assert [name.path for name in template_names("{{ b.output.upper() }}", {"b"})] == [("b", "output")]


def test_a_known_name_without_a_value_is_told() -> None:
    for text in ("{{ index }}", "{{ index + 1 }}"):
        with pytest.raises(TemplateProblem, match="'index'"):
            render(text, {}, {"index"})


def test_what_holds_no_template_is_given_back_as_it_is() -> None:
    value = {"a": ["b", {"c": 1}], "css": "{#id}", "d": "}}"}
    assert render(value, {}, ()) is value


def test_values_are_rendered_at_any_depth_and_keys_are_not() -> None:
    assert rendered({"{{topic}}": [{"a": "{{topic}}"}, 1, None]}) == {"{{topic}}": [{"a": 5}, 1, None]}


def test_large_data_passes_whole() -> None:
    rows = [{"text": "x" * 1000} for _ in range(5000)]
    assert render("{{ a.output }}", {"a": {"output": rows}}, {"a"}) is rows


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{{ long }}" * 12 + ".", f"{MOST_OUTPUT:,} characters"),
        ("{% for i in many %}{% for j in many %}{% endfor %}{% endfor %}", f"{MOST_ITERATIONS:,} times"),
        ("{{ " + "1 + " * MOST_CODE + "1 }}", f"{MOST_CODE:,} characters|never closed"),
        ("{{ " + "(" * 100 + "1" + ")" * 100 + " }}", "brackets"),
        ("{{ 1" + " + 1" * 100 + " }}", "inside one another"),
    ],
)
def test_the_bounds_are_told(text: str, what: str) -> None:
    with pytest.raises(TemplateProblem, match=what):
        rendered(text, long="x" * 100_000, many=[0] * 200)


JSON = json_values(integers=SAFE_INTEGERS)
NODE_IDS = st.from_regex(r"[a-z가-힣][a-z0-9가-힣]{0,5}([-.][a-z0-9가-힣]{1,5}){0,2}", fullmatch=True).filter(
    lambda name: (
        not set(name.replace("-", ".").split(".")) & {"if", "in", "is", "or", "not", "and", "for", "true", "none"}
    )
)


@given(NODE_IDS, JSON)
@settings(max_examples=100, deadline=None)
def test_a_value_passes_through_an_expression_unchanged(name: str, value: Any) -> None:
    scope = {name: {"output": value}}
    for text in (f"{{{{{name}.output}}}}", f"{{{{ {name}['output'] }}}}", f"{{{{ ({name}.output) }}}}"):
        found = render(text, scope, {name, "other-node"})
        assert (found, type(found)) == (value, type(value))
        assert [one.path for one in template_names(text, {name})] == [(name, "output")]


@given(NODE_IDS, JSON, st.text(alphabet=st.characters(exclude_characters="{}\r")))
@settings(max_examples=100, deadline=None)
def test_plain_templates_render_as_jinja_renders_them(name: str, value: Any, around: str) -> None:
    text = f"{around}{{{{ {name}.output }}}}{around}."
    scope = {name: {"output": value}}
    compiled = templates._compile(text, scope.keys())
    assert render(text, scope, scope.keys()) == compiled.render(scope, Budget())
    assert list(compiled.names) == template_names(text, scope.keys())


@given(st.text(alphabet="{}%#'\"-.|() abx01$[]\n\\", max_size=40))
@settings(max_examples=400, deadline=None)
def test_any_text_is_rendered_or_told(text: str) -> None:
    scope = {"a": {"b": [1]}, "b": "x", "$x": 1}
    found = None
    try:
        json.dumps(render(text, scope, scope.keys()))
    except TemplateProblem as problem_told:
        found = problem_told
    assert found is None or (found.what and 0 <= found.offset <= len(text))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{{ (data }}", "is never closed"),
        ("{{ data " + " " * 20_000, "is never closed"),
        ("{{ data | upper" + " " * 20_000 + "}}", "more than 10,000 characters of code"),
        ("{{ data" + ".a" * 20_000 + " }}", "more than 10,000 characters of code"),
    ],
)
def test_what_is_too_long_and_what_is_not_closed_are_told_apart(text: str, what: str) -> None:
    with pytest.raises(TemplateProblem, match=what):
        template_names(text, ["data"])
