"""sql-query against PostgreSQL and SQLite."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowhub_assets.errors import ProfileError
from flowhub_assets.nodes import NodeContext, NodeError, run
from flowhub_assets.nodes.builtin.sql_query import SqlQuery
from flowhub_assets.runtime.child import run_in_child
from flowhub_assets_tests.nodes.stopping import stopped, until
from flowhub_assets_tests.postgres_server import PostgresServer

ORDERS = """\
CREATE TABLE orders (id INTEGER PRIMARY KEY, city TEXT, total NUMERIC(10, 2))
"""


def ask(context: NodeContext, query: str, *, parameters: dict[str, Any] | None = None, **config: Any) -> Any:
    return run(
        SqlQuery, config={"connection": "shop", "query": query, **config}, context=context, parameters=parameters or {}
    )


def refused(context: NodeContext, query: str, **given: Any) -> NodeError:
    with pytest.raises(NodeError) as caught:
        ask(context, query, **given)
    return caught.value


@pytest.fixture
def orders(shop: NodeContext) -> NodeContext:
    ask(shop, ORDERS, readOnly=False)
    insert = "INSERT INTO orders VALUES (:id, :city, :total)"
    for number, city in enumerate(["서울", "Busan", "서울"], start=1):
        ask(shop, insert, parameters={"id": number, "city": city, "total": number * 10.5}, readOnly=False)
    return shop


@contextlib.contextmanager
def cursor_of(context: NodeContext) -> Iterator[Any]:
    with contextlib.closing(psycopg2.connect(context.profile["SHOP_URL"])) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor


def test_rows_come_by_column_in_the_order_of_the_query(orders: NodeContext) -> None:
    found = ask(orders, "SELECT id, city FROM orders WHERE city = :city ORDER BY id DESC", parameters={"city": "서울"})
    assert found.rows == [{"id": 3, "city": "서울"}, {"id": 1, "city": "서울"}]
    assert (found.count, found.columns, found.truncated) == (2, ["id", "city"], False)


def test_a_value_is_never_part_of_the_sql(orders: NodeContext) -> None:
    city = "x' OR '1'='1'; DROP TABLE orders; --"
    assert ask(orders, "SELECT id FROM orders WHERE city = :city", parameters={"city": city}).rows == []
    assert ask(orders, "SELECT :city AS given", parameters={"city": city}).rows == [{"given": city}]
    assert ask(orders, "SELECT count(*) AS n FROM orders").rows == [{"n": 3}]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_any_text_comes_back_as_it_was_bound(shop: NodeContext, text: str) -> None:
    assert ask(shop, "SELECT CAST(:text AS TEXT) AS back", parameters={"text": text}).rows == [{"back": text}]


@pytest.mark.parametrize("query", ["SELECT * FROM t WHERE a = '{{trigger.a}}'", "SELECT {% if x %}1{% endif %}"])
def test_a_template_in_the_query_is_refused(shop: NodeContext, query: str) -> None:
    error = refused(shop, query)
    assert "config.query" in str(error)
    assert "inputs.parameters" in str(error)
    assert not error.retry


def test_rows_beyond_the_bound_are_left_out(orders: NodeContext) -> None:
    found = ask(orders, "SELECT id FROM orders ORDER BY id", maxRows=2)
    assert ([row["id"] for row in found.rows], found.count, found.truncated) == ([1, 2], 2, True)
    assert not ask(orders, "SELECT id FROM orders", maxRows=3).truncated


def test_a_list_stands_after_in(orders: NodeContext) -> None:
    query = "SELECT id FROM orders WHERE id IN :ids AND city <> :city ORDER BY id"
    assert ask(orders, query, parameters={"ids": [1, 2, 9], "city": "Busan"}).rows == [{"id": 1}]
    assert ask(orders, query, parameters={"ids": [], "city": "Busan"}).rows == []
    assert "no list" in refused(orders, query, parameters={"ids": 1, "city": "Busan"}).what


def test_missing_and_unknown_parameters_are_told(shop: NodeContext) -> None:
    missing = refused(shop, "SELECT :city", parameters={})
    assert missing.what == "parameters has no value for :city"
    unknown = refused(shop, "SELECT :city", parameters={"city": 1, "ctiy": 2})
    assert (unknown.what, unknown.retry) == ("the query has no :ctiy", False)
    assert refused(shop, "SELECT :city", parameters={"ctiy": 2}).remedy == "did you mean 'city'?"


def test_a_read_only_query_changes_nothing(orders: NodeContext) -> None:
    error = refused(orders, "DELETE FROM orders")
    assert "readOnly: false" in error.remedy
    assert not error.retry
    # The same connection can write again.
    assert ask(orders, "DELETE FROM orders WHERE id = 1", readOnly=False).count == 1
    assert ask(orders, "SELECT count(*) AS n FROM orders").rows == [{"n": 2}]


def test_a_writing_query_gives_rows_too(orders: NodeContext) -> None:
    query = "UPDATE orders SET city = :city WHERE id > 1 RETURNING id"
    found = ask(orders, query, parameters={"city": "Jeju"}, readOnly=False)
    assert sorted(row["id"] for row in found.rows) == [2, 3]


def test_a_failed_statement_leaves_nothing_behind(orders: NodeContext) -> None:
    # The second row's key is there already, so the first one does not stay either.
    error = refused(orders, "INSERT INTO orders (id) VALUES (7), (1)", readOnly=False)
    assert not error.retry
    assert ask(orders, "SELECT id FROM orders WHERE id = 7").rows == []


@pytest.mark.parametrize(
    ("query", "remedy"),
    [
        ("SELECT * FROM ordres", "createTable: true"),
        ("SELECT cty FROM orders", "column's name"),
        ("SELEC 1", "Mend the query"),
    ],
)
def test_mistakes_in_the_query_are_told(orders: NodeContext, query: str, remedy: str) -> None:
    error = refused(orders, query)
    assert remedy in error.remedy
    assert not error.retry


def test_two_columns_of_one_name_are_refused(orders: NodeContext) -> None:
    assert refused(orders, "SELECT id, city AS id FROM orders").remedy == "Name one of them: id AS other_id."


def test_types_of_postgresql_become_json(postgres_shop: NodeContext) -> None:
    found = ask(
        postgres_shop,
        r"""
        SELECT 1.10::numeric AS price, 12345678901234567890.123456789::numeric AS exact, 10::numeric AS whole,
            'NaN'::float AS nan, '2026-01-31 09:00+09'::timestamptz AT TIME ZONE 'UTC' AS at, DATE '2026-01-31' AS day,
            interval '90 seconds' AS span, '\x00ff'::bytea AS bytes, ARRAY[1, 2] AS list,
            '{"a": [null]}'::jsonb AS doc, '00000000-0000-0000-0000-000000000001'::uuid AS id,
            NULL AS nothing, true AS yes, CAST(:doc AS jsonb) -> 'k' AS sent
        """,
        parameters={"doc": {"k": "v"}},
    )
    assert found.rows[0] == {
        "price": 1.1,
        "exact": "12345678901234567890.123456789",
        "whole": 10,
        "nan": None,
        "at": "2026-01-31T00:00:00",
        "day": "2026-01-31",
        "span": 90.0,
        "bytes": "AP8=",
        "list": [1, 2],
        "doc": {"a": [None]},
        "id": "00000000-0000-0000-0000-000000000001",
        "nothing": None,
        "yes": True,
        "sent": "v",
    }


def test_what_is_no_select_can_be_read_too(postgres_shop: NodeContext) -> None:
    assert ask(postgres_shop, "SHOW server_encoding").rows == [{"server_encoding": "UTF8"}]
    assert ask(postgres_shop, "-- a word\nWITH one AS (SELECT 1 AS n) SELECT n FROM one").rows == [{"n": 1}]


SLOW = {
    "postgresql": "SELECT count(*) FROM generate_series(1, 1000000000000)",
    "sqlite": "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n",
}


def slow_query(context: NodeContext) -> str:
    return SLOW[context.profile["SHOP_URL"].partition(":")[0]]


def test_the_database_ends_what_takes_too_long(shop: NodeContext) -> None:
    error = refused(shop, slow_query(shop), timeout=0.2)
    assert error.retry
    # And the connection is good for the next one.
    assert ask(shop, "SELECT 1 AS n").rows == [{"n": 1}]


def test_a_stopped_run_stops_the_query_in_the_server(postgres_shop: NodeContext) -> None:
    with cursor_of(postgres_shop) as cursor:

        def running() -> int:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
            count: int = cursor.fetchone()[0]
            return count

        stopped(lambda context: ask(context, "SELECT pg_sleep(600)", timeout=900), postgres_shop, running)
        until(lambda: running() == 0)


def test_a_wrong_password_is_told_without_it(shared_postgres: PostgresServer) -> None:
    url = shared_postgres.url().replace(shared_postgres.password, "not-the-password")
    error = refused(NodeContext(profile={"SHOP_URL": url}), "SELECT 1")
    assert "password authentication failed" in error.what
    assert "not-the-password" not in f"{error.what} {error.remedy}"
    assert not error.retry


def test_a_server_that_is_not_there_may_come_back(tmp_path: Any) -> None:
    error = refused(NodeContext(profile={"SHOP_URL": "postgres://flow:hidden@127.0.0.1:1/shop"}), "SELECT 1")
    assert error.retry
    assert "postgresql shop at 127.0.0.1:1" in error.what
    assert "hidden" not in error.what


@pytest.mark.parametrize("url", ["no url", "nosuchdb://flow:hidden@host/x", "oracle://flow:hidden@host/x"])
def test_a_url_that_nobody_understands_is_told_without_it(url: str) -> None:
    error = refused(NodeContext(profile={"SHOP_URL": url}), "SELECT 1")
    assert not error.retry
    assert "hidden" not in f"{error.what} {error.remedy}"


def test_the_connection_is_a_name_of_the_profile(shop: NodeContext) -> None:
    with pytest.raises(ProfileError, match="SHOP_URL"):
        ask(replace(shop, profile={}), "SELECT 1")
    with pytest.raises(NodeError) as caught:
        run(SqlQuery, config={"connection": "postgresql://me:planted@host/db", "query": "SELECT 1"}, context=shop)
    error = caught.value
    assert "stay out of pipeline files" in error.what
    assert "planted" not in f"{error.what} {error.remedy}"


def test_no_more_rows_are_fetched_than_asked_for(postgres_shop: NodeContext) -> None:
    # All of them would take longer than the query may.
    found = ask(postgres_shop, "SELECT generate_series(1, 1000000000) AS n", maxRows=3, timeout=20)
    assert (found.rows, found.truncated) == ([{"n": 1}, {"n": 2}, {"n": 3}], True)


def test_a_connection_that_the_server_has_closed_is_made_anew(postgres_shop: NodeContext) -> None:
    assert ask(postgres_shop, "SELECT 1 AS n").rows == [{"n": 1}]
    with cursor_of(postgres_shop) as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'flowhub'")
        assert cursor.rowcount >= 1
    assert ask(postgres_shop, "SELECT 1 AS n").rows == [{"n": 1}]


def test_a_forked_child_makes_connections_of_its_own(shop: NodeContext) -> None:
    assert ask(shop, "SELECT 1 AS n").rows == [{"n": 1}]
    assert run_in_child(lambda: ask(shop, "SELECT 2 AS n").rows) == [{"n": 2}]
    assert ask(shop, "SELECT 3 AS n").rows == [{"n": 3}]
