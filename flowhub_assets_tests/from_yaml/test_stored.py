"""A workflow's text that was sent over the web: what a file may and it may not, with the line of each mistake."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.errors import DefinitionError
from flowhub_assets.from_yaml.stored import load_stored, read_stored

FILE = "<stored workflow>/hello.yaml"
HELLO = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: hello}
profiles:
  default: {WORKSPACE: ./tmp}
nodes:
  - id: each
    type: loop
    config: {items: [1, 2]}
    nodes:
      - {id: say, type: log, inputs: {message: "{{item}}"}}
onFailure: {id: tell, type: log, inputs: {message: failed}}
"""


def told(text: str) -> list[str]:
    return [f"{problem.line}: {problem.what}" for problem in read_stored(text, "hello", FILE).problems]


def test_a_good_one_is_loaded_as_a_file_is() -> None:
    loaded = load_stored(HELLO, "hello", FILE)
    assert loaded.pipeline.name == "hello"
    assert str(loaded.pipeline.source) == f"{FILE}:1", "no folder of this machine is told"
    assert {"each", "say", "tell"} <= set(loaded.bodies)


def test_all_mistakes_are_told_in_one_error() -> None:
    with pytest.raises(DefinitionError, match="2 mistakes") as refused:
        load_stored(HELLO.replace("type: log", "type: lug"), "hello", FILE)
    assert f"{FILE}:11:" in str(refused.value)
    assert f"{FILE}:12:" in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("{WORKSPACE: ./tmp}", "{SECRET_KEY: hush}", 5, "profiles.default.SECRET_KEY is a credential"),
        ("{WORKSPACE: ./tmp}", "{db: {password: [7]}}", 5, "profiles.default.db.password[0] is a credential"),
        (
            "type: log, inputs: {message: f",
            "type: log, env: {API_TOKEN: hush}, inputs: {message: f",
            12,
            "API_TOKEN is",
        ),
        (
            '{id: say, type: log, inputs: {message: "{{item}}"}}',
            "{id: say, task: {function: f, file: a.py}}",
            11,
            "no f",
        ),
        ("type: log, inputs: {message: failed}", "task: {function: f, file: ../../a.py}", 12, "no folder"),
        ("{name: hello}", "{name: other}", 3, "the pipeline is named 'other', not 'hello'"),
        ("onFailure:", "---\napiVersion: flume/v1\nkind: Pipeline\nmetadata: {name: x}\nonFailure:", 15, "a second"),
        ("{{item}}", "{{item\0}}", 11, "character"),
    ],
)
def test_what_a_file_may_and_it_may_not(old: str, new: str, line: int, what: str) -> None:
    assert old in HELLO
    found = told(HELLO.replace(old, new))
    assert any(one.startswith(f"{line}: ") and what in one for one in found), found


@pytest.mark.parametrize("value", ["{env: SECRET_KEY}", "''", "null", "true", '"{{params.key}}"'])
def test_a_reference_is_no_credential(value: str) -> None:
    assert not [
        one for one in told(HELLO.replace("{WORKSPACE: ./tmp}", f"{{SECRET_KEY: {value}}}")) if "credential" in one
    ]


def test_no_code_of_a_user_is_imported_to_check_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "mine.py").write_text("raise SystemExit('imported')\n")
    node = '  - {id: call, type: python, config: {function: "mine:f"}}\n'
    script = '  - {id: run, type: python, config: {script: "import mine; result = 1"}}\n'
    text = HELLO.replace("nodes:\n  - id: each", f"nodes:\n{node}{script}  - id: each")
    load_stored(text, "hello", FILE)
    assert "mine" not in sys.modules


@given(st.data())
def test_whatever_is_sent_is_a_pipeline_or_is_told_what_is_wrong(data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, len(HELLO)))
    end = data.draw(st.integers(begin, min(begin + 20, len(HELLO))))
    text = HELLO[:begin] + data.draw(st.text(max_size=12)) + HELLO[end:]
    content = read_stored(text, "hello", FILE)
    assert content.problems or [one.name for one in content.pipelines] == ["hello"]
    lines = len(text.splitlines()) + 1
    assert all(0 <= problem.line <= lines and problem.told for problem in content.problems)
