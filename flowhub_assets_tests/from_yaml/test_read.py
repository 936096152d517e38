"""The text of a file as JSON values: what means what, where it stands, and what is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowhub_assets.from_yaml.read import DEEPEST, LARGEST_FILE, Refused, decoded, documents
from flowhub_assets_tests.from_yaml.random_pipelines import json_values


def read(text: str, file: str = "a.yaml") -> tuple[list[object], list[str]]:
    found, problems = documents(text, file)
    return [document.data for document in found], [str(problem) for problem in problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("yes", "yes"),
        ("NO", "NO"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-0", 0),
        ("0o17", 15),
        ("0x1F", 31),
        ("017", 17),
        ("1_000", "1_000"),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        ("1.2.3", "1.2.3"),
        ("-", "-"),
        ("'12'", "12"),
        ('"\\uAE30"', "기"),
        ("!!str 12", "12"),
        ("!!int 12", 12),
        ("한글", "한글"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    found, problems = read(f"key: {text}" if text != "-" else "key: '-'")
    assert problems == []
    assert found == [{"key": value}]
    assert type(found[0]["key"]) is type(value)  # type: ignore[index]


def test_keys_are_texts_whatever_they_look_like() -> None:
    assert read("on: 1\ntrue: 2\n3: 4\nnull: 5") == ([{"on": 1, "true": 2, "3": 4, "null": 5}], [])


@given(json_values)
@settings(max_examples=200, deadline=None)
def test_json_is_read_as_json_reads_it(value: object) -> None:
    for indent in (None, 2):
        text = json.dumps({"value": value}, indent=indent)
        assert read(text, "a.json") == ([{"value": value}], [])


@given(st.text(alphabet=st.sampled_from("a:-[]{}&*!|>'\"%@`,?# \n\t\\1~=<") | st.characters(), max_size=40))
@settings(max_examples=500, deadline=None)
def test_any_text_is_read_or_told(text: str) -> None:
    found, problems = documents(text, "a.yaml")
    for document in found:
        json.dumps(document.data, allow_nan=False)
    for problem in problems:
        assert problem.line >= 1
        assert problem.column >= 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a:\n\t- b", "a.yaml:2:1: a tab stands where YAML wants spaces: - b."),
        ("a: b: c", "a.yaml:1:5: a ':' stands where no key can be: a: b: c."),
        ("a: {{x.y}}", "a.yaml:1:5: a template stands here without quotes."),
        ("a: {{x.y}} hello", "a.yaml:1:4: a template stands here without quotes."),
        ("a: {b: {{x.y}} hello}", "a.yaml:1:8: a template stands here without quotes."),
        ("- {{x[0].y}}", "a.yaml:1:3: a template stands here without quotes."),
        ("a: [{{x | join(', ')}}]", "a.yaml:1:5: a template stands here without quotes."),
        ("a: '{{x}}' hello", "a.yaml:1:12: this line stands too far left or right, or a quote ends early"),
        ('a: "b: {{x}}" hello', "a.yaml:1:15: this line stands too far left or right, or a quote ends early"),
        ("a: 'x\nb: 1", "a.yaml:1:4: a quote is opened and not closed: a: 'x."),
        ("a: [1,\nb: 2", "a.yaml:1:4: a list [...] is not closed, or lacks a comma: a: [1,."),
        ("a: *b", "a.yaml:1:4: an alias (*name) names no anchor: a: *b."),
        ("a: @x", "a.yaml:1:4: this character cannot start a value: a: @x."),
        ("a:\n  b: 1\n c: 2", "a.yaml:3:2: this line stands too far left or right, or a quote ends early: c: 2."),
        ("- a\nb: 1", "a.yaml:2:1: this line stands beside a list and is no item of it: b: 1."),
        ('a: "\\q"', 'a.yaml:1:5: an escape that YAML does not know: a: "\\q".'),
        ("a: 1\r\nb:\r\n  a: 1\r\n  a: 2", "a.yaml:4:3: the key 'a' stands twice here, first on line 3."),
        ("a: .nan", "a.yaml:1:4: this is .nan, which JSON does not have."),
        ("a: 1e999", "a.yaml:1:4: this is 1e999, which is larger than any number of JSON."),
        (f"a: {'9' * 5000}", "a.yaml:1:4: this is a number of 5000 digits."),
        ("a: !!python/object/apply:os.system [x]", "a.yaml:1:4: the tag '!!python/object/apply:os.system' is not"),
        ("a: !!binary aGk=", "a.yaml:1:4: the tag '!!binary' is not allowed."),
        ("a: !!timestamp 2026-01-01", "a.yaml:1:4: the tag '!!timestamp' is not allowed."),
        ("? [a, b]\n: c", "a.yaml:1:3: a list or an object is used as a key."),
        ("a: &x [*x]", "a.yaml:1:4: an alias (*name) stands inside what it names."),
        ("a: x\x01y", "a.yaml:1:5: a control character stands here"),
        ("a: x\n---\nb: [", "a.yaml:4:1: a list or an object is not closed"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, told: str) -> None:
    _, problems = read(text)
    assert len(problems) == 1
    assert problems[0].startswith(told), problems[0]


def test_what_stands_before_a_broken_document_is_read() -> None:
    found, problems = read("a: 1\n---\n'")
    assert found == [{"a": 1}]
    assert len(problems) == 1


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_depth_is_bounded(opening: str) -> None:
    _, problems = read(opening * 20_000)
    assert len(problems) == 1


def test_depth_within_the_bound_is_read() -> None:
    text = "[" * DEEPEST + "]" * DEEPEST
    assert read(text)[1] == []
    assert "more than 100 deep" in read(f"[{text}]")[1][0]


def test_what_aliases_grow_to_is_bounded() -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert "grows to more than" in read("\n".join(levels))[1][0]
    levels[0] = f"a0: &a0 [{', '.join(['[]'] * 10)}]"
    assert "grows to more than" in read("\n".join(levels))[1][0]
    long = f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 1_000)}]"
    assert "grows to more than" in read(long)[1][0]


def test_aliases_and_merged_keys_give_copies() -> None:
    found, problems = read("a: &a {x: 1, y: 2}\nb: *a\nc: {<<: *a, y: 3}\nd: {<<: [{z: 1}, *a]}")
    assert problems == []
    assert found == [
        {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 2}, "c": {"x": 1, "y": 3}, "d": {"x": 1, "y": 2, "z": 1}}
    ]


def test_places_are_found_by_path() -> None:
    text = "a:\n  - b: 기사\n    c: &x {d: 1}\n  - <<: *x\n"
    (document,) = documents(text, "a.yaml")[0]
    assert document.place(("a", 0, "b")) == (2, 8)
    assert document.place(("a", 0, "b"), key=True) == (2, 5)
    assert document.place(("a", 0, "c", "d")) == (3, 15)
    assert document.place(("a", 1, "d")) == (3, 15)
    assert document.place(("a", 7, "z")) == (2, 3)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: xx MARK", (1, 7)),
        ("a: 'xx MARK'", (1, 8)),
        ('a: "xx MARK"', (1, 8)),
        ('a: "기\\u0041 MARK"', (1, 13)),
        ("a: 'it''s MARK'", (1, 11)),
        ("a: |\n  first\n\n   xx MARK\n", (4, 7)),
        ("a: |2-\n   first\n  MARK\n", (3, 3)),
        ("a:\n  - >\n    first line\n    MARK\n", (3, 1)),
    ],
)
def test_places_inside_texts(text: str, place: tuple[int, int]) -> None:
    (document,) = documents(text, "a.yaml")[0]
    path = ("a", 0) if isinstance(document.data["a"], list) else ("a",)
    value = document.data["a"][0] if len(path) == 2 else document.data["a"]
    found = document.place_inside(path, value.index("MARK"))
    if ">" in text:
        assert found[0] in (3, 4)  # a folded line's own place is lost
    else:
        assert found == place


def test_bytes() -> None:
    assert decoded("\ufeffa: 기".encode(), "a.yaml") == "a: 기"
    assert decoded("a: 기".encode("utf-16"), "a.yaml") == "a: 기"
    with pytest.raises(Refused, match="not UTF-8") as refused:
        decoded("a: 1\nb: 기".encode("euc-kr"), "a.yaml")
    assert (refused.value.problem.line, refused.value.problem.column) == (2, 4)
    with pytest.raises(Refused, match="more than"):
        decoded(b" " * (LARGEST_FILE + 1), "a.yaml")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"a": 1,}', "a.json:1:9: JSON cannot be read: "),
        ('{"a": NaN}', "a.json:1:1: JSON cannot be read: NaN is no value of JSON"),
        ('{"a": 1,\n "a": 2}', "a.json:2:2: the key 'a' stands twice here, first on line 1."),
        ("a: 1", "a.json:1:1: JSON cannot be read: "),
        ("[" * 100_000, "a.json:1:1: JSON cannot be read: "),
    ],
)
def test_json_is_read_strictly(text: str, told: str) -> None:
    _, problems = read(text, "a.json")
    assert len(problems) == 1
    assert problems[0].startswith(told), problems[0]


def test_half_a_character_is_told() -> None:
    assert read("a: \ud800")[1] == ["a.yaml:1:1: the text holds half a character (a lone surrogate). Delete it."]


def test_no_credential_is_shown() -> None:
    for text in ("API_TOKEN: 'hunter2\n", 'x: 1\n  "SECRET_KEY": hunter2', "a: b: redis://user:hunter2@host/0"):
        (problem,) = read(text)[1]
        assert "hunter2" not in problem
    (problem,) = read('{"a": 1, "API_TOKEN": "hunter2" "x"}', "a.json")[1]
    assert "hunter2" not in problem
