"""The loop over two speeches: known counts of known texts, in order, and kinds of node of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets import nodes
from flowhub_assets.nodes import finding, registry
from flowhub_assets_tests.pipelines.conftest import PIPELINES

Run = Callable[..., Any]


@pytest.fixture(scope="module", autouse=True)
def _kinds() -> None:
    (loaded,) = finding.load_nodes(str(PIPELINES / "speech_rhythm"))
    assert set(loaded.kinds) == {"speech-paragraphs", "split-sentences", "measure-sentences"}, loaded.error


def test_the_paragraphs_are_measured_and_stand_in_order(run_here: Run, tmp_path: Path) -> None:
    done = run_here("speech_rhythm")
    assert done.ok, done.error
    rows = [one["result"] for one in done.tasks["each-paragraph"].value["results"]]
    assert [(row["speech"][0], row["paragraph"]) for row in rows] == [
        *(("g", number) for number in (1, 2, 3)),
        *(("s", number) for number in (1, 2, 3, 4)),
    ]
    gettysburg = rows[:3]
    assert sum(row["words"] for row in gettysburg) == 271
    assert [len(row["lengths"]) for row in gettysburg] == [1, 4, 5]
    assert max(length for row in rows for length in row["lengths"]) == 82
    assert gettysburg[2]["longest"].endswith("shall not perish from the earth.")
    report = (tmp_path / "tmp/speech-rhythm/report.md").read_text("utf-8")
    lines = [line for line in report.splitlines() if line.startswith(("| gettysburg", "| second"))]
    assert lines[0] == "| gettysburg-address | 1 | 1 | 30 | 30 |"
    assert len(lines) == 7


def test_one_speech_alone(run_here: Run) -> None:
    done = run_here("speech_rhythm", speeches=["gettysburg-address"])
    assert len(done.tasks["each-paragraph"].value["results"]) == 3


def test_an_unknown_speech_names_those_that_are_there(run_here: Run) -> None:
    done = run_here("speech_rhythm", speeches=["../nodes"])
    assert not done.ok
    assert "there is no speech '../nodes'" in str(done.error)
    assert "gettysburg-address, second-inaugural-address" in str(done.error)


def test_quotation_marks_stay_with_their_sentence() -> None:
    split = nodes.run(registry.get("split-sentences"), text='He said "Go." Then he went! Did he?')
    assert split.model_dump() == {"sentences": ['He said "Go."', "Then he went!", "Did he?"]}


@given(st.lists(st.integers(1, 12), min_size=1, max_size=8))
def test_sentences_of_known_lengths_are_measured_so(lengths: list[int]) -> None:
    text = " ".join(" ".join(["Word"] * length) + "." for length in lengths)
    split: Any = nodes.run(registry.get("split-sentences"), text=text)
    measured: Any = nodes.run(registry.get("measure-sentences"), sentences=split.sentences)
    assert measured.lengths == lengths
    assert measured.words == sum(lengths)
