"""Config that no template changes, and connections that are names."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowhub_assets.nodes import NodeConfig, NodeError
from flowhub_assets.nodes.bodies import bodies_of
from flowhub_assets.nodes.builtin.sql_query import SqlQuery
from flowhub_assets.nodes.connection_names import ConnectionName
from flowhub_assets.nodes.validation import problems_in
from flowhub_assets.nodes.verbatim import verbatim_fields
from flowhub_assets_tests.nodes.pipelines import args_of, node, pipeline

CITY = {"city": "x' OR '1'='1"}


class Place(NodeConfig):
    connection: ConnectionName


def test_the_query_is_taken_as_it_is_written() -> None:
    assert verbatim_fields(SqlQuery.Config) == {"query"}
    assert verbatim_fields(Place) == set()


@pytest.mark.parametrize("text", ["SELECT {{a}}", "{% if a %}", "{# a #}"])
def test_what_looks_like_a_template_is_refused(text: str) -> None:
    (problem,) = problems_in(SqlQuery.Config, {"connection": "shop", "query": text})
    assert problem.path == ("query",)
    assert ":name" in problem.what


def test_braces_of_sql_are_no_template() -> None:
    assert (
        problems_in(SqlQuery.Config, {"connection": "shop", "query": "SELECT '{1,2}'::int[], '{\"a\": {}}'::json"})
        == []
    )


@pytest.mark.parametrize("name", ["shop", "shop-2", "내_창고"])
def test_a_connection_is_a_name(name: str) -> None:
    assert problems_in(Place, {"connection": name}) == []


@pytest.mark.parametrize("name", ["postgresql://me:planted@host/db", "me:planted@host", "", "a b", "2nd", "a/b"])
def test_a_url_in_place_of_a_name_is_refused_and_not_told(name: str) -> None:
    (problem,) = problems_in(Place, {"connection": name})
    assert "planted" not in f"{problem.what} {problem.remedy}"
    assert "name" in problem.what


def test_nothing_is_pasted_into_a_query_when_a_pipeline_runs(tmp_path: Path) -> None:
    config = {"connection": "shop", "query": "SELECT '{{params.city}}'"}
    task = node("ask", "sql-query", config)
    env = {"SHOP_URL": f"sqlite:///{tmp_path}/shop.db"}
    with pytest.raises(NodeError, match=r"config\.query holds '\{\{'|config\.query"):
        bodies_of(pipeline(task))["ask"](*args_of(task, env, flow_input=CITY))


def test_a_template_gives_the_value_of_a_parameter(tmp_path: Path) -> None:
    config = {"connection": "shop", "query": "SELECT :city AS city"}
    task = node("ask", "sql-query", config, {"parameters": {"city": "{{params.city}}"}})
    env = {"SHOP_URL": f"sqlite:///{tmp_path}/shop.db"}
    value = bodies_of(pipeline(task))["ask"](*args_of(task, env, flow_input=CITY))
    assert value == {"rows": [CITY], "count": 1, "columns": ["city"], "truncated": False}
