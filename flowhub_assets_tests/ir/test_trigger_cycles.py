"""Pipelines that start each other by their runs: refused where the circle closes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.errors import DefinitionError
from flowhub_assets.ir.pipeline import Pipeline, Source
from flowhub_assets.ir.trigger_cycles import require_no_cycle
from flowhub_assets.ir.triggers import Trigger
from flowhub_assets_tests.ir.pipelines_as_data import task_of


def after(name: str, *others: str) -> Pipeline:
    triggers = tuple(Trigger("run", config={"pipeline": other}) for other in others)
    return Pipeline(name, (task_of("a"),), Source(f"{name}.yaml", 3), triggers=triggers)


def test_a_circle_is_told_with_its_way_and_its_line() -> None:
    others = [after("load", "ingest"), after("report", "load", "nobody")]
    require_no_cycle([after("ingest", "elsewhere")], others)
    with pytest.raises(DefinitionError) as raised:
        require_no_cycle([after("ingest", "elsewhere", "report")], others)
    assert raised.value.where == "ingest.yaml:3"
    assert "ingest after report after load after ingest" in raised.value.what


def test_names_count_as_they_are_in_dagster() -> None:
    with pytest.raises(DefinitionError, match="'load-it'"):
        require_no_cycle([after("load-it", "first")], [after("first", "load_it")])


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=12))
def test_it_is_refused_if_and_only_if_a_circle_is_closed(edges: list[tuple[int, int]]) -> None:
    new = after("p0", *(f"p{to}" for one, to in edges if one == 0))
    others = [after(f"p{n}", *(f"p{to}" for one, to in edges if one == n)) for n in range(1, 7)]
    reached = {to for one, to in edges if one == 0}
    for _ in range(7):
        reached |= {to for one, to in edges if one in reached}
    if 0 in reached:
        with pytest.raises(DefinitionError):
            require_no_cycle([new], others)
    else:
        require_no_cycle([new], others)
