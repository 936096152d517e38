"""What a script's run is about where partitions are keys: one cell, or those of a pattern, one after another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flowhub_assets_tests.from_python.script_runs import run, write

MATRIX = """
    from flowhub import flow, task

    @task
    def model(args):
        cell = args["env"]["partition"]
        if cell["key"] == args["bad"]:
            raise ValueError("no such model")
        return {"of": cell["data_set"] + " by " + cell["model"]}

    @flow(params={"bad": ""}, partitions={"model": ["small", "large"], "data_set": ["iris", "wine"]})
    def matrix(args):
        return model(args)
"""


def test_a_script_runs_one_cell_or_those_of_a_pattern(tmp_path: Path) -> None:
    script = write(tmp_path, MATRIX)
    one = run(script, "--partition", "iris|small", "--output", "out.json")
    assert one.returncode == 0, one.stderr
    assert json.loads((tmp_path / "out.json").read_text()) == {"of": "iris by small"}
    row = run(script, "--partition", "iris|*", "--output", "out.json", "--run-log", "log.json")
    assert row.returncode == 0, row.stderr
    told = json.loads((tmp_path / "out.json").read_text())
    assert told == {"iris|small": {"of": "iris by small"}, "iris|large": {"of": "iris by large"}}
    assert "2 of 2 partitions succeeded" in row.stderr
    assert {file.name for file in tmp_path.glob("log*.json")} == {"log-iris%7Csmall.json", "log-iris%7Clarge.json"}


def test_a_cell_that_fails_ends_no_other_and_is_gone_on_with(tmp_path: Path) -> None:
    script = write(tmp_path, MATRIX)
    (tmp_path / "in.json").write_text('{"bad": "wine|small"}')
    failed = run(script, "--partition", "model=small", "--input", "in.json", "--output", "out.json")
    assert failed.returncode == 1
    assert "1 of 2 partitions succeeded; failed: wine|small" in failed.stderr
    assert "--partition 'wine|small'" in failed.stderr, "the command that goes on names the cell"
    assert not (tmp_path / "out.json").exists()
    again = run(script, "--partition", "*", "--resume", "--output", "out.json")
    assert again.returncode == 1, again.stderr  # what was given is taken up again, too
    (tmp_path / "in.json").write_text('{"bad": "none"}')
    mended = run(script, "--partition", "*", "--resume", "--input", "in.json", "--output", "out.json")
    assert mended.returncode == 0, mended.stderr
    assert set(json.loads((tmp_path / "out.json").read_text())) == {
        "iris|small",
        "iris|large",
        "wine|small",
        "wine|large",
    }


def test_no_cell_or_one_that_is_none_is_refused_and_all_are_listed(tmp_path: Path) -> None:
    script = write(tmp_path, MATRIX)
    for words, what in (
        ((), "no partition is named"),
        (("--partition", "iris"), "'iris' is no partition"),
        (("--partition", "iirs|*"), "Did you mean 'iris'?"),
        (("--partition", "*", "--id", "mine"), "--id and several partitions exclude each other"),
        (("--partition", "*", "--task", "model"), "--task and several partitions exclude each other"),
    ):
        refused = run(script, *words)
        assert refused.returncode == 2, refused.stderr
        assert what in refused.stderr
        assert "Nothing was run." in refused.stderr
        assert "iris|small" in refused.stderr


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ("{'model': ['a', 3]}", "partitions['model'][1]=3 is of type int"),
        ("{'model': 'small'}", "partitions has no 'model'"),
        ("{'model': ['a'], 'size': 'b'}", "partitions['size']='b' is of type str"),
        ("{3: ['a']}", "a name in partitions=3 is of type int"),
        ("{'model': ['a|b']}", "key 'a|b' of dimension 'model' has | in it"),
        ("['a']", "Write partitions={'every'"),
    ],
)
def test_partitions_that_are_wrong_are_told(tmp_path: Path, given: str, what: str) -> None:
    text = MATRIX.replace('{"model": ["small", "large"], "data_set": ["iris", "wine"]}', given)
    refused = run(write(tmp_path, text), "--partition", "*")
    assert refused.returncode != 0
    assert "Traceback" not in refused.stderr
    assert what in refused.stderr
