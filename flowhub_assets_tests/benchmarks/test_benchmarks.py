"""Every benchmark runs at a small size and says something; how fast anything is, no test asserts."""

from __future__ import annotations

import importlib
import math

import pytest

from flowhub_assets_tests.benchmarks.__main__ import NAMES, main
from flowhub_assets_tests.benchmarks.row import Row, alternating, interpreter
from flowhub_assets_tests.benchmarks.table import BEGIN, END, as_markdown, replace_table


@pytest.mark.parametrize("name", NAMES)
def test_it_measures_both_sides(name: str) -> None:
    rows = importlib.import_module(f"flowhub_assets_tests.benchmarks.{name}").measure(quick=True)
    assert rows
    for row in rows:
        assert isinstance(row, Row)
        assert 0 < row.ours < math.inf
        assert 0 < row.other < math.inf
        assert row.what
        assert row.other_name


def test_the_table_shows_both_sides_and_the_ratio() -> None:
    table = as_markdown(
        [Row("a file up", 512.4, 1024.8, "boto3", at_most=0.6), Row("a task", 1.5, 0.5, "Dagster", unit="s")]
    )
    head, rule, first, second = table.splitlines()
    assert {len(line) for line in (head, rule, first, second)} == {len(head)}
    assert [cell.strip() for cell in first.strip("|").split("|")] == [
        "a file up",
        "512 ms",
        "boto3",
        "1,025 ms",
        "0.50",
        "≤ 0.6",
    ]
    assert [cell.strip() for cell in second.strip("|").split("|")][1:] == ["1.5 s", "Dagster", "0.5 s", "3.00", ""]


def test_the_table_takes_its_place_and_nothing_else() -> None:
    text = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    once = replace_table(text, "| new |", "README.md")
    assert once == f"before\n{BEGIN}\n\n| new |\n\n{END}\nafter\n"
    assert replace_table(once, "| new |", "README.md") == once


@pytest.mark.parametrize("text", ["", BEGIN, END, f"{END}{BEGIN}"])
def test_a_readme_without_the_markers_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"README.ko.md has no place for the table"):
        replace_table(text, "table", "README.ko.md")


def test_calls_take_turns_and_the_median_counts() -> None:
    order: list[str] = []
    medians = alternating([lambda: order.append("a"), lambda: order.append("b")], 3)
    assert "".join(order) == "ababab"
    assert len(medians) == 2


def test_a_failing_interpreter_is_no_measurement() -> None:
    with pytest.raises(Exception, match="returned non-zero exit status 1"):
        interpreter("raise SystemExit(1)")()


def test_the_readmes_take_no_part_of_the_figures(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--readme", "imports"])
    assert "leave out the names" in capsys.readouterr().err


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["speed"])
    assert "speed" in capsys.readouterr().err
