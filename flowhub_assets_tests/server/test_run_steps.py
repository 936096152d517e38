"""Dagster's keys of steps ↔ the names that users know."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowhub_assets.errors import NotFound
from flowhub_assets.from_yaml.loading import load_file
from flowhub_assets.server.run_steps import StepNames, following
from flowhub_assets_tests.server.run_here import LOOP


@pytest.fixture
def names(tmp_path: Path) -> StepNames:
    (tmp_path / "round.yaml").write_text(LOOP)
    (runnable,) = load_file(str(tmp_path / "round.yaml"))
    return StepNames(runnable.pipeline)


KEYS = ["one__and_1_more", "each__items", "each__each[0]", "each__each[1]", "each__each[?]", "each"]


def test_keys_have_the_names_of_tasks(names: StepNames) -> None:
    assert [names.name(key) for key in KEYS] == ["one", "each", "each[0]", "each[1]", "each", "each"]
    assert names.name("round__graph.each__items") == "each"
    assert names.name("another") == "another"


def test_a_name_leads_to_its_keys(names: StepNames) -> None:
    assert names.keys("each", KEYS) == ["each__items", "each__each[?]", "each"]
    assert names.keys("each[1]", KEYS) == ["each__each[1]"]
    assert names.keys("one", KEYS) == names.keys("two", KEYS) == ["one__and_1_more"]
    assert names.keys("one__and_1_more", KEYS) == ["one__and_1_more"]
    with pytest.raises(NotFound) as error:
        names.keys("eahc", KEYS)
    assert "Did you mean 'each'?" in str(error.value)


def test_names_stand_in_the_order_of_the_tasks(names: StepNames) -> None:
    iterations = ["each__each[10]", "each__each[9]"]  # those of a loop run side by side: any may begin first
    ordered = ["one", "each", "each[0]", "each[1]", "each[9]", "each[10]", "x"]
    assert names.in_order(["x", *iterations, *reversed(KEYS)]) == ordered


def test_without_a_pipeline_the_keys_are_the_names() -> None:
    names = StepNames(None)
    assert names.in_order(KEYS) == KEYS
    assert names.keys("each__each[0]", KEYS) == ["each__each[0]"]
    with pytest.raises(NotFound, match="the run has no step 'one'"):
        names.keys("one", [])


def test_what_follows_a_step_follows() -> None:
    dependencies: dict[str, set[str]] = {"a": set(), "b": {"a"}, "c": {"b"}, "d": {"a"}, "e": set()}
    assert following(["b"], dependencies) == ["b", "c"]
    assert following(["a"], dependencies) == ["a", "b", "c", "d"]
    assert following(["e", "c"], dependencies) == ["c", "e"]
    assert following(["gone"], dependencies) == ["gone"]
