"""``flowhub check`` and ``flowhub schema`` as a shell sees them."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result

from flowhub_assets.cli.__main__ import flowhub
from flowhub_assets.cli.check import github_annotation
from flowhub_assets.from_yaml.problem import FileProblem

HEAD = "apiVersion: flume/v1\nkind: Pipeline\n"
GOOD = HEAD + "metadata: {name: %s}\nnodes: [{id: a, type: delay, config: {seconds: 0}}]\n"
BAD = HEAD + "metadata: {name: p}\nnodes:\n  - {id: a, type: dealy}\n  - {id: 기사, typ: log}\n"
KIND = """\
from flowhub.nodes import Node, NodeInput, NodeOutput, registry


class Shout(Node):
    \"\"\"Shouts.\"\"\"

    name = "shout-for-a-test"

    class Input(NodeInput):
        text: str

    class Output(NodeOutput):
        text: str

    def execute(self, input):
        return self.Output(text=input.text.upper())


registry.register(Shout)
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLOWHUB_PIPELINES", raising=False)


def run(*words: str) -> Result:
    return CliRunner().invoke(flowhub, words, catch_exceptions=False)


def test_good_files() -> None:
    Path("a.yaml").write_text(GOOD % "a", "utf-8")
    nodes = [{"id": "a", "type": "delay", "config": {"seconds": 0}}]
    document = {"apiVersion": "flume/v1", "kind": "Pipeline", "metadata": {"name": "b"}, "nodes": nodes}
    Path("b.json").write_text(json.dumps(document), "utf-8")
    done = run("check", ".", "./a.yaml")
    assert (done.output, done.exit_code) == ("2 pipelines in 2 files, no problems\n", 0)


def test_every_problem_is_printed_with_its_place() -> None:
    Path("bad.yaml").write_text(BAD, "utf-8")
    done = run("check", "bad.yaml")
    assert done.exit_code == 1
    assert done.output.splitlines() == [
        "bad.yaml:5:19: node 'a': there is no kind of node 'dealy'. A node of this type cannot run. "
        "Did you mean 'delay'?",
        "bad.yaml:6:5: node '기사' has no type. Nothing says what it does. Write type: http-request, say; "
        "`flowhub nodes` lists them all.",
        "bad.yaml:6:14: node '기사' has no key 'typ'. It would have no effect. Did you mean 'type'?",
        "1 pipeline in 1 file, 3 problems in 1 file",
    ]


def test_json() -> None:
    Path("bad.yaml").write_text(BAD, "utf-8")
    done = run("check", "--format", "json", "bad.yaml")
    assert done.exit_code == 1
    told = json.loads(done.output)
    assert (told["files"], told["pipelines"], len(told["problems"])) == (1, 1, 3)
    assert told["problems"][0] == {
        "file": "bad.yaml",
        "line": 5,
        "column": 19,
        "what": "node 'a': there is no kind of node 'dealy'",
        "effect": "a node of this type cannot run",
        "remedy": "did you mean 'delay'?",
    }


def test_github_annotations_are_escaped() -> None:
    Path("bad.yaml").write_text(BAD, "utf-8")
    done = run("check", "--format", "github", "bad.yaml")
    assert done.output.splitlines()[0].startswith("::error file=bad.yaml,line=5,col=19::node 'a': there is no kind")
    problem = FileProblem("a,b:c%.yaml", 1, 2, "100% wrong\n::set-output name=x::y", "", "")
    line = github_annotation(problem)
    assert "\n" not in line
    assert line == "::error file=a%2Cb%3Ac%25.yaml,line=1,col=2::100%25 wrong ::set-output name=x::y"
    assert github_annotation(FileProblem("a.yaml", 0, 0, "gone")) == "::error file=a.yaml::gone"


def test_kinds_beside_the_files_and_in_the_settings_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (GOOD % "a").replace("type: delay, config: {seconds: 0}", "type: shout-for-a-test, inputs: {text: x}")
    Path("a.yaml").write_text(text, "utf-8")
    assert "there is no kind of node 'shout-for-a-test'" in run("check", "a.yaml").output
    Path("elsewhere").mkdir()
    Path("elsewhere/kinds.py").write_text(KIND, "utf-8")
    monkeypatch.setenv("FLOWHUB_PIPELINES", str(tmp_path / "elsewhere"))
    assert run("check", "a.yaml").exit_code == 0
    Path("elsewhere/kinds.py").write_text(KIND.replace("def execute", "def exeucte"), "utf-8")
    done = run("check", "a.yaml")
    assert done.exit_code == 1
    assert done.output.splitlines()[0].startswith(f"{tmp_path / 'elsewhere' / 'kinds.py'}:")


def test_nothing_to_check_is_a_failure() -> None:
    done = run("check", ".")
    assert (done.output, done.exit_code) == ("no pipeline files found\n", 1)
    done = run("check", "nowhere.yaml")
    assert done.exit_code == 1
    assert done.output.startswith("nowhere.yaml: there is no such file. Check the path.\n")


def test_schema_is_printed_or_written(tmp_path: Path) -> None:
    printed = run("schema")
    assert printed.exit_code == 0
    jsonschema.Draft202012Validator.check_schema(json.loads(printed.output))
    done = run("schema", "--output", "editor/flowhub.schema.json")
    assert "# yaml-language-server: $schema=flowhub.schema.json" in done.output
    assert json.loads(Path("editor/flowhub.schema.json").read_text("utf-8")) == json.loads(printed.output)
