"""Values lie over each other as Helm lays them, and each value knows its file and line."""

from __future__ import annotations

from typing import Any

import helm_python
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from flowhub_assets.deploy_check.layers import Layers, at, combinations, laid_over
from flowhub_assets.from_yaml.positions import Document
from flowhub_assets.from_yaml.read import documents


def document(file: str, text: str) -> Document:
    found, problems = documents(text, file)
    assert not problems
    return found[0]


BASE = document("base.yaml", "a:\n  b: 1\n  c: [1, 2]\nd: x\n")
OVER = document("over.yaml", "a:\n  c: [3]\n  e: 4\n")


def test_objects_are_merged_and_lists_are_not() -> None:
    assert Layers((BASE, OVER)).data == {"a": {"b": 1, "c": [3], "e": 4}, "d": "x"}


def test_null_takes_a_key_away() -> None:
    assert laid_over({"a": {"b": 1, "c": 2}}, {"a": {"b": None}}) == {"a": {"c": 2}}


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("a", "b"), ("base.yaml", 2, 6)),
        (("a", "c", 0), ("over.yaml", 2, 7)),
        (("a", "e"), ("over.yaml", 3, 6)),
        (("d",), ("base.yaml", 4, 4)),
        (("a", "nothing", "there"), ("over.yaml", 2, 3)),
    ],
)
def test_a_value_stands_in_the_last_file_that_gives_it(
    path: tuple[str | int, ...], place: tuple[str, int, int]
) -> None:
    assert Layers((BASE, OVER)).place(path) == place


def test_an_alias_leads_to_the_line_that_is_to_be_changed() -> None:
    layers = Layers((document("a.yaml", "one: &image\n  tag: x\ntwo: *image\n"),))
    assert layers.place(("two", "tag")) == ("a.yaml", 2, 8)


def test_each_overlay_is_tried_alone_and_all_together() -> None:
    third = document("third.yaml", "d: y\n")
    assert [layers.name for layers in combinations(BASE, [OVER, third])] == [
        "base.yaml",
        "base.yaml + over.yaml",
        "base.yaml + third.yaml",
        "base.yaml + over.yaml + third.yaml",
    ]
    assert [layers.name for layers in combinations(BASE, [OVER])] == ["base.yaml", "base.yaml + over.yaml"]


def test_what_is_missing_has_a_default() -> None:
    data = {"a": [{"b": 1}]}
    assert at(data, "a", 0, "b") == 1
    assert at(data, "a", 1, "b", default="no") == "no"
    assert at(data, "a", "b") is None
    assert at("text", 0) is None


# A chart's own object and a user's number in one place is a quarrel that Helm settles otherwise than two files'.
SCALARS = st.none() | st.integers(0, 3) | st.text("pq", max_size=2)
LISTS = st.none() | st.lists(st.integers(0, 3), max_size=2)
MAPS = st.recursive(
    st.fixed_dictionaries({}, optional={"scalar": SCALARS, "list": LISTS}),
    lambda inner: st.fixed_dictionaries(
        {}, optional={"a": inner | st.none(), "b": inner, "scalar": SCALARS, "list": LISTS}
    ),
    max_leaves=6,
)

CHART = "apiVersion: v2\nname: shown\nversion: 1.0.0\n"
SHOWN = "apiVersion: v1\nkind: ConfigMap\ndata:\n  shown: {{ .Values | toJson | quote }}\n"


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a chart sees as its values where the chart has some, and a user gives some: Helm's own answer."""
    folder = tmp_path_factory.mktemp("charts")

    def render(own: dict[str, Any], given_values: dict[str, Any]) -> Any:
        chart = folder / "shown"
        (chart / "templates").mkdir(parents=True, exist_ok=True)
        (chart / "Chart.yaml").write_text(CHART)
        (chart / "values.yaml").write_text(yaml.safe_dump(own))
        (chart / "templates" / "shown.yaml").write_text(SHOWN)
        files = helm_python.Chart.load(str(chart)).render(given_values, name="shown", namespace="shown")
        values = yaml.safe_load(yaml.safe_load(files["shown/templates/shown.yaml"])["data"]["shown"])
        values.pop("global", None)
        return values

    return render


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return value


def bare(value: Any) -> Any:
    """Without nulls and what is empty because of them."""
    if isinstance(value, dict):
        inner = {key: bare(one) for key, one in value.items()}
        return {key: one for key, one in inner.items() if one is not None and one != {}}
    return value


@settings(max_examples=60, deadline=None)
@given(below=MAPS.map(without_nulls), above=MAPS)
def test_the_rule_is_helms(shown: Any, below: dict[str, Any], above: dict[str, Any]) -> None:
    # What Helm leaves of a null where there is nothing to take away is nobody's matter.
    assert bare(shown(below, above)) == bare(laid_over(below, above))
