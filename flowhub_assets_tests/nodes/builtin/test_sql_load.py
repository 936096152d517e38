"""sql-load into PostgreSQL and SQLite."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowhub_assets.nodes import NodeContext, NodeError, run
from flowhub_assets.nodes.builtin.sql_load import SqlLoad
from flowhub_assets.nodes.builtin.sql_query import SqlQuery
from flowhub_assets_tests.nodes.stopping import stopped

Rows = list[dict[str, Any]]


def load(context: NodeContext, rows: Rows, **config: Any) -> Any:
    return run(SqlLoad, config={"connection": "shop", "table": "figures", **config}, context=context, rows=rows)


def refused(context: NodeContext, rows: Rows, **config: Any) -> NodeError:
    with pytest.raises(NodeError) as caught:
        load(context, rows, **config)
    return caught.value


def ask(context: NodeContext, query: str, **config: Any) -> Rows:
    rows: Rows = run(SqlQuery, config={"connection": "shop", "query": query, **config}, context=context).rows
    return rows


def change(context: NodeContext, query: str) -> None:
    ask(context, query, readOnly=False)


def test_a_table_is_made_from_the_rows(shop: NodeContext) -> None:
    rows: Rows = [
        {"day": "2026-01-31", "visitors": 120, "share": 0.25, "open": True, "면적": 3, "tags": ["a"]},
        {"day": "2026-02-01", "visitors": None, "share": 1, "open": False, "면적": 2**40, "tags": {"b": None}},
    ]
    made = load(shop, rows, createTable=True)
    assert (made.count, made.table, made.created) == (2, "figures", True)
    found = ask(shop, "SELECT day, visitors, share, 면적 FROM figures ORDER BY day")
    assert found == [{key: row[key] for key in ("day", "visitors", "share", "면적")} for row in rows]
    assert not load(shop, rows, createTable=True).created
    assert ask(shop, "SELECT count(*) AS n FROM figures") == [{"n": 4}]


def test_the_types_of_a_new_table(postgres_shop: NodeContext) -> None:
    rows = [{"a": "x", "b": 1, "c": 0.5, "d": True, "e": [1], "f": None, "g": 2**80}]
    load(postgres_shop, rows, createTable=True)
    by_name = ask(
        postgres_shop,
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'figures' ORDER BY 1",
    )
    assert [row["data_type"] for row in by_name] == [
        "text",
        "bigint",
        "double precision",
        "boolean",
        "jsonb",
        "text",
        "numeric",
    ]
    assert ask(postgres_shop, "SELECT e, g FROM figures") == [{"e": [1], "g": 2**80}]


def test_a_missing_table_is_told_with_the_nearest_one(shop: NodeContext) -> None:
    change(shop, "CREATE TABLE figure (id INTEGER)")
    error = refused(shop, [{"id": 1}])
    assert error.what == "there is no table 'figures'"
    assert "did you mean 'figure'?" in error.remedy
    assert "createTable: true" in error.remedy
    assert not error.retry


def test_replace_puts_the_rows_in_place_of_all(shop: NodeContext) -> None:
    load(shop, [{"id": 1}, {"id": 2}], createTable=True)
    load(shop, [{"id": 3}], mode="replace")
    assert ask(shop, "SELECT id FROM figures") == [{"id": 3}]
    assert load(shop, [], mode="replace").count == 0
    assert ask(shop, "SELECT id FROM figures") == []


def test_a_refused_row_leaves_the_table_as_it_was(shop: NodeContext) -> None:
    change(shop, "CREATE TABLE figures (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)")
    load(shop, [{"id": 1, "n": 1}])
    for mode in ("append", "replace"):
        error = refused(shop, [{"id": 2, "n": 2}, {"id": 3, "n": None}], mode=mode, batchSize=1)
        assert not error.retry
    assert ask(shop, "SELECT id, n FROM figures") == [{"id": 1, "n": 1}]


def test_a_table_that_is_made_for_refused_rows_is_not_there(shop: NodeContext) -> None:
    rows = [{"id": 1, "n": 1}, {"id": 1, "n": 2}]
    refused(shop, rows, createTable=True, keys=["id"])
    assert refused(shop, rows).what == "there is no table 'figures'"


def test_upsert_goes_by_keys(shop: NodeContext) -> None:
    rows = [{"day": "a", "city": "서울", "n": 1, "note": "x"}, {"day": "a", "city": "부산", "n": 2, "note": "y"}]
    load(shop, rows, mode="upsert", keys=["day", "city"], createTable=True)
    # What a row does not have stays; of two rows of one key the last one counts.
    again = [
        {"day": "a", "city": "서울", "n": 5},
        {"day": "b", "city": "서울", "n": 6},
        {"day": "a", "city": "서울", "n": 7},
    ]
    assert load(shop, again, mode="upsert", keys=["day", "city"]).count == 2
    assert ask(shop, "SELECT * FROM figures ORDER BY n") == [
        {"day": "a", "city": "부산", "n": 2, "note": "y"},
        {"day": "b", "city": "서울", "n": 6, "note": None},
        {"day": "a", "city": "서울", "n": 7, "note": "x"},
    ]
    keys_only = [{"day": "b", "city": "서울"}, {"day": "c", "city": "서울"}]
    load(shop, keys_only, mode="upsert", keys=["day", "city"])
    assert ask(shop, "SELECT n FROM figures WHERE day = 'b'") == [{"n": 6}]


def test_upsert_needs_keys_and_an_index(shop: NodeContext) -> None:
    assert "keys" in refused(shop, [{"id": 1}], mode="upsert").what
    change(shop, "CREATE TABLE figures (id INTEGER, n INTEGER)")
    assert "unique index" in refused(shop, [{"id": 1}], mode="upsert", keys=["id"]).remedy
    assert refused(shop, [{"n": 1}], mode="upsert", keys=["id"]).what == "rows[0] has no 'id'"


def test_defaults_of_the_table_fill_what_a_row_lacks(shop: NodeContext) -> None:
    change(shop, "CREATE TABLE figures (id INTEGER, n INTEGER DEFAULT 7)")
    load(shop, [{"id": 1}, {"id": 2, "n": None}, {"id": 3, "n": 9}])
    assert [row["n"] for row in ask(shop, "SELECT n FROM figures ORDER BY id")] == [7, None, 9]


def test_text_goes_into_typed_columns(shop: NodeContext) -> None:
    change(shop, "CREATE TABLE figures (at TIMESTAMP, day DATE, price NUMERIC(10, 2), note TEXT)")
    load(shop, [{"at": "2026-01-31T09:00:00", "day": "2026-01-31", "price": "12.50", "note": {"a": 1}}])
    assert ask(shop, "SELECT CAST(day AS TEXT) AS day, CAST(note AS TEXT) AS note FROM figures") == [
        {"day": "2026-01-31", "note": '{"a": 1}'}
    ]
    error = refused(shop, [{"at": "2026-01-31"}, {"at": "yesterday"}])
    assert error.what == "rows[1].at cannot be read as the column's type"


def test_documents_ids_and_bytes_of_postgresql(postgres_shop: NodeContext) -> None:
    change(postgres_shop, "CREATE TABLE figures (doc JSONB, id UUID, raw BYTEA, list INTEGER[])")
    row = {"doc": {"a": [1]}, "id": "00000000-0000-0000-0000-000000000001", "raw": "AP8=", "list": [1, 2]}
    load(postgres_shop, [row, dict.fromkeys(row)])
    assert ask(postgres_shop, "SELECT * FROM figures ORDER BY id") == [row, dict.fromkeys(row)]
    assert ask(postgres_shop, "SELECT count(*) AS n FROM figures WHERE doc IS NULL") == [{"n": 1}]


def test_a_key_that_is_no_column_is_told(shop: NodeContext) -> None:
    change(shop, "CREATE TABLE figures (visitors INTEGER)")
    error = refused(shop, [{"visitors": 1}, {"visitor": 1}])
    assert error.what == "rows[1] has 'visitor', which is no column of table 'figures'"
    assert error.remedy == "did you mean 'visitors'?"


def test_a_column_of_several_types_is_refused(shop: NodeContext) -> None:
    error = refused(shop, [{"a": 1}, {"a": "x"}], createTable=True)
    assert error.what == "column 'a' holds number and text, so it has no type"


@pytest.mark.parametrize("table", ["a; DROP TABLE b", 'a"b', "a.b.c", "", "a b", "x" * 64, "1a"])
def test_a_table_is_a_name(shop: NodeContext, table: str) -> None:
    assert not refused(shop, [{"a": 1}], table=table, createTable=True).retry


def test_a_table_of_a_schema(postgres_shop: NodeContext) -> None:
    change(postgres_shop, "CREATE SCHEMA 보고")
    load(postgres_shop, [{"a": 1}], table="보고.figures", createTable=True)
    assert ask(postgres_shop, "SELECT a FROM 보고.figures") == [{"a": 1}]


NAMES = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=15).filter(str.isprintable)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.dictionaries(NAMES, st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))),
        min_size=1,
        max_size=4,
    )
)
def test_any_key_is_a_column_and_no_key_is_sql(shop: NodeContext, rows: Rows) -> None:
    columns = dict.fromkeys(key for row in rows for key in row)
    if len({key.lower() for key in columns}) < len(columns) or not columns:
        return
    with contextlib.suppress(NodeError):
        change(shop, "DROP TABLE figures")
    load(shop, rows, createTable=True)
    found = ask(shop, "SELECT * FROM figures")
    wanted = [{**dict.fromkeys(columns), **row} for row in rows]
    assert sorted(map(repr, found)) == sorted(map(repr, wanted))


def test_two_nodes_make_the_same_table_at_once(shop: NodeContext) -> None:
    failures: list[BaseException] = []

    def one(number: int) -> None:
        try:
            load(shop, [{"n": number}], createTable=True)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            failures.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert [row["n"] for row in ask(shop, "SELECT n FROM figures ORDER BY n")] == list(range(6))


def test_a_stopped_load_leaves_nothing(postgres_shop: NodeContext) -> None:
    change(postgres_shop, "CREATE TABLE figures (n INTEGER)")
    with contextlib.closing(psycopg2.connect(postgres_shop.profile["SHOP_URL"])) as connection:
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE figures IN ACCESS EXCLUSIVE MODE")

            def waits() -> bool:
                cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
                return cursor.fetchone() != (0,)

            stopped(lambda context: load(context, [{"n": 1}]), postgres_shop, waits)
        connection.rollback()
    assert ask(postgres_shop, "SELECT * FROM figures") == []
