"""Assets that come after each other: a circle is found where it closes, and only there."""

from __future__ import annotations

from pathlib import Path

import pytest
from dagster import AssetsDefinition, AssetSpec, multi_asset
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.errors import DefinitionError
from flowhub_assets.to_dagster.asset_cycles import AssetOrder

HERE = Path("file.py")


def spec(key: str, *deps: str) -> AssetSpec:
    return AssetSpec(key, deps=list(deps))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(lambda edge: edge[0] != edge[1]), max_size=10))
def test_a_file_is_refused_if_and_only_if_it_closes_a_circle(edges: list[tuple[int, int]]) -> None:
    reached = {to for one, to in edges if one == 0}
    for _ in range(6):
        reached |= {to for one, to in edges if one in reached}
    # Circles among the others are told with the files that close them.
    first = [spec(f"a{n}", *(f"a{to}" for one, to in edges if one == n)) for n in range(1, 6)]
    try:
        order = AssetOrder().with_file(first, HERE)
    except DefinitionError:
        return
    last = [spec("a0", *(f"a{to}" for one, to in edges if one == 0))]
    if 0 in reached:
        with pytest.raises(DefinitionError, match=r"a0 would wait for itself: a0 after .* after a0"):
            order.with_file(last, HERE)
    else:
        order.with_file(last, HERE)


def several(can_subset: bool) -> AssetsDefinition:
    """two comes after elsewhere, one after nothing."""

    @multi_asset(
        specs=[AssetSpec("one", skippable=can_subset), AssetSpec("two", deps=["elsewhere"], skippable=can_subset)],
        can_subset=can_subset,
    )
    def both() -> tuple[int, int]:
        return 1, 2

    return both


def test_assets_that_are_made_as_a_whole_are_one() -> None:
    order = AssetOrder().with_file([several(can_subset=False)], HERE)
    with pytest.raises(DefinitionError, match="elsewhere after one after elsewhere"):
        order.with_file([spec("elsewhere", "one")], HERE)
    AssetOrder().with_file([several(can_subset=True), spec("elsewhere", "one")], HERE)


def test_what_was_refused_is_not_kept() -> None:
    order = AssetOrder().with_file([spec("a", "b")], HERE)
    with pytest.raises(DefinitionError, match="b after a after b"):
        order.with_file([spec("b", "a")], HERE)
    order.with_file([spec("b"), spec("c", "a", "b")], HERE)
