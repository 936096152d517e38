"""``flowhub run``: the command line of a workflow script for any pipeline file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

FLOWS = """
from flowhub import flow, task

@task
def count(args):
    return {"count": args["n"] + 1, "who": args["who"]}

@flow(params={"n": 1, "who": "you"})
def first(args):
    return count(args)

@flow(params={"n": 10, "who": "me"})
def second(args):
    return count(args)
"""

NODES = '''
from flowhub.nodes import Node, NodeInput, NodeOutput, registry

@registry.register
class Greet(Node):
    """Greets."""
    name = "greet"
    class Input(NodeInput):
        who: str
        times: int
    class Output(NodeOutput):
        text: str
    async def execute(self, input: Input) -> Output:
        return self.Output(text=" ".join([input.who] * input.times))

@registry.register
class Stop(Node):
    """Fails."""
    name = "stop"
    class Output(NodeOutput):
        pass
    async def execute(self, input: NodeInput) -> Output:
        raise ValueError("no way")
'''

PIPELINE = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: greet}
params:
  who: {type: string}
  times: {type: integer, default: 2, minimum: 1}
nodes:
  - id: text
    type: greet
    inputs: {who: "{{params.who}}", times: "{{params.times}}"}
"""

FAILING = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: fails}
nodes:
  - id: stop
    type: stop
"""


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """``flowhub run words`` in the folder."""
    return subprocess.run(
        [sys.executable, "-m", "flowhub_assets.cli", "run", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my_nodes.py").write_text(NODES)
    (tmp_path / "flows.py").write_text(FLOWS)
    (tmp_path / "greet.yaml").write_text(PIPELINE)
    (tmp_path / "fails.yaml").write_text(FAILING)
    return tmp_path


def output(done: subprocess.CompletedProcess[str]) -> object:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_python_file(folder: Path) -> None:
    done = run(folder, "flows.py", "second", "--param", "n=41", "--output", "-")
    assert output(done) == {"count": 42, "who": "me"}
    assert "flowhub: second succeeded" in done.stderr
    assert json.loads((folder / "run.json").read_text())


def test_a_pipeline_file(folder: Path) -> None:
    done = run(folder, "greet.yaml", "--param", "who=7", "--param", "times=3", "--job", "job", "--output", "-")
    assert output(done) == {"text": "7 7 7"}
    assert (folder / "job" / "run.json").exists()


def test_what_was_skipped_is_not_counted_as_run(folder: Path) -> None:
    more = "  - {id: more, type: greet, when: 'params.times > 3', inputs: {who: x, times: 1}}\n"
    (folder / "greet.yaml").write_text(PIPELINE + more)
    assert ": 1 task, 1 skipped\n" in run(folder, "greet.yaml", "--param", "who=Ann").stderr
    assert ": 2 tasks\n" in run(folder, "greet.yaml", "--param", "who=Ann", "--param", "times=4").stderr


def test_a_pipeline_that_fails_is_exit_code_1_and_says_how_to_go_on(folder: Path) -> None:
    done = run(folder, "fails.yaml")
    assert done.returncode == 1
    assert "no way" in done.stderr
    assert "to go on from there: flowhub run fails.yaml --resume" in done.stderr


def test_a_resumed_run_keeps_the_params_of_the_one_that_it_goes_on_with(folder: Path) -> None:
    stop = "  - {id: stop, type: stop, when: 'params.times > 3'}\nedges: [{from: text, to: stop}]\n"
    (folder / "greet.yaml").write_text(PIPELINE + stop)
    assert run(folder, "greet.yaml", "--param", "who=Ann", "--param", "times=4").returncode == 1
    again = run(folder, "greet.yaml", "--resume")
    assert again.returncode == 1
    assert "text started" not in again.stderr, "it was given the same, so it is kept"
    assert "no way" in again.stderr
    changed = run(folder, "greet.yaml", "--resume", "--param", "times=2", "--output", "-")
    assert changed.returncode == 0
    assert "text started" in changed.stderr
    assert json.loads((folder / "run.json").read_text())["text"]["output"] == {"text": "Ann Ann"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["greet.yaml"], "greet.yaml:4: param 'who' is missing, and it has no default"),
        (["greet.yaml", "--param", "who=x", "--param", "times=0"], "param 'times' is 0, below the minimum 1"),
        (["greet.yaml", "--param", "who=x", "--param", "tmes=3"], "there is no param 'tmes'\n  Nothing was run."),
        (["greet.yaml", "--param", "who"], "--param 'who' is no NAME=VALUE"),
        (["greet.yaml", "--param"], "--param is given without a value"),
        (["greet.yaml", "other", "--param", "who=x"], "there is no pipeline 'other'"),
        (["greet.yaml", "--ouput", "x"], "unknown argument --ouput: did you mean '--output'?"),
        (["greet.yaml", "--ouput", "x"], "All arguments are listed by flowhub run greet.yaml --help."),
        (["flows.py"], "Say which: flowhub run flows.py first."),
        (["flows.py", "secnd"], "there is no flow 'secnd': did you mean 'second'?"),
        (["flows.txt"], "'flows.txt' is no pipeline file"),
        (["nothing.yaml"], "there is no such file"),
        (["--env", "x"], "--env stands before the file"),
    ],
)
def test_what_is_wrong_is_told_without_a_traceback(folder: Path, words: list[str], told: str) -> None:
    done = run(folder, *words)
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == 2


def test_help(folder: Path) -> None:
    assert "Usage: flowhub run FILE [NAME]" in run(folder, "--help").stdout
    done = run(folder, "greet.yaml", "--help")
    assert done.returncode == 0
    assert "--resume" in done.stdout
    assert "flowhub run greet.yaml" in done.stdout
    assert "--param NAME=VALUE" in done.stdout
    assert done.stdout.endswith(
        "params of greet, given by --param or in the file of --input:\n"
        "  who    string (required)\n"
        "  times  integer (default: 2)\n"
    )


def test_the_help_of_several_pipelines_says_whose_params_they_are(folder: Path) -> None:
    everything = run(folder, "flows.py", "--help").stdout
    assert "params of first (flowhub run flows.py first), given by" in everything
    assert '  n    integer (default: 10)\n  who  string (default: "me")\n' in everything
    second = run(folder, "flows.py", "second", "--help").stdout
    assert "params of second, given by" in second
    assert "params of first" not in second


def test_the_mistakes_of_a_file_do_not_hide_the_help(folder: Path) -> None:
    (folder / "greet.yaml").write_text(PIPELINE.replace("params.who", "params.woh"))
    done = run(folder, "greet.yaml", "--help")
    assert done.returncode == 0
    assert "--resume" in done.stdout
    assert "woh" in done.stderr


def test_what_only_the_whole_schema_says_is_told_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "nodes.py").write_text(NODES, "utf-8")
    text = PIPELINE.replace("minimum: 1}", "not: {enum: [7]}}")
    (tmp_path / "greet.yaml").write_text(text, "utf-8")
    done = run(tmp_path, "greet.yaml", "--param", "who=x", "--param", "times=7")
    assert done.returncode == 2
    assert "param 'times' does not fit its schema: 7" in done.stderr
    assert not (tmp_path / "run.json").exists()
