"""mongodb-query: the real driver, against a double that speaks MongoDB's wire protocol."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Any

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.nodes import NodeContext, NodeError, run
from flowhub_assets.nodes.builtin.mongodb_query import MongodbQuery
from flowhub_assets_tests.mongo_double import MongoDouble
from flowhub_assets_tests.nodes.stopping import stopped

ID = bson.ObjectId("65f0c0ffee0ddba11c0ffee5")


def find(context: NodeContext, wanted: dict[str, Any] | None = None, **config: Any) -> Any:
    settings = {"database": "shop", "collection": "users", **config}
    return run(MongodbQuery, config=settings, context=context, filter=wanted or {})


def refused(context: NodeContext, wanted: dict[str, Any] | None = None, **config: Any) -> NodeError:
    with pytest.raises(NodeError) as caught:
        find(context, wanted, **config)
    return caught.value


@pytest.fixture
def users(mongo: MongoDouble) -> Any:
    collection = mongo.collection("shop", "users")
    collection.insert_many([{"_id": number, "age": number % 10, "이름": f"u{number}"} for number in range(250)])
    return collection


def test_documents_by_filter_sort_and_projection(with_mongo: NodeContext, users: Any) -> None:
    found = find(with_mongo, {"age": {"$gte": 8}}, sort={"age": "desc", "_id": "asc"}, projection=["이름"], limit=2)
    assert found.documents == [{"_id": 9, "이름": "u9"}, {"_id": 19, "이름": "u19"}]
    assert found.count == 2
    assert find(with_mongo, {"_id": 3}, projection={"_id": 0, "age": 1}).documents == [{"age": 3}]
    assert find(with_mongo, sort={"_id": 1}, skip=248).documents == list(users.find({"_id": {"$gte": 248}}))


def test_a_hundred_documents_unless_told_otherwise(with_mongo: NodeContext, users: Any) -> None:
    assert find(with_mongo).count == 100
    # More than one batch of the protocol.
    assert find(with_mongo, limit=10_000).count == 250
    assert "config.limit" in refused(with_mongo, limit=10_001).what


def test_types_of_mongodb_become_json(with_mongo: NodeContext, mongo: MongoDouble) -> None:
    mongo.collection("shop", "users").insert_one(
        {
            "_id": ID,
            "at": datetime.datetime(2026, 1, 31, 9, 30),
            "price": bson.Decimal128("12.50"),
            "exact": bson.Decimal128("0.1234567890123456789012345"),
            "large": bson.Int64(2**40),
            "raw": b"\x00\xff",
            "nan": float("nan"),
            "like": bson.Regex("^a"),
            "in": {"ids": [ID, None]},
        }
    )
    assert find(with_mongo).documents == [
        {
            "_id": str(ID),
            "at": "2026-01-31T09:30:00Z",
            "price": 12.5,
            "exact": "0.1234567890123456789012345",
            "large": 2**40,
            "raw": "AP8=",
            "nan": None,
            "like": "^a",
            "in": {"ids": [str(ID), None]},
        }
    ]


def test_a_filter_names_ids_and_times_in_extended_json(with_mongo: NodeContext, mongo: MongoDouble) -> None:
    mongo.collection("shop", "users").insert_many(
        [{"_id": ID, "at": datetime.datetime(2026, 1, 31)}, {"_id": 2, "at": datetime.datetime(2025, 1, 1)}]
    )
    assert find(with_mongo, {"_id": {"$oid": str(ID)}}).count == 1
    assert find(with_mongo, {"_id": {"$in": [{"$oid": str(ID)}, 2]}}).count == 2
    assert find(with_mongo, {"at": {"$gte": {"$date": "2026-01-01T09:00:00+09:00"}}}).count == 1
    wrong = refused(with_mongo, {"_id": {"$oid": "nonsense"}})
    assert (wrong.what, wrong.retry) == ("'nonsense' is no value for $oid", False)


@pytest.mark.parametrize("operator", ["$where", "$function", "$accumulator", "$code"])
@pytest.mark.parametrize("inside", [lambda it: it, lambda it: {"$or": [{"a": 1}, {"$expr": it}]}])
def test_operators_that_run_code_never_reach_the_server(
    with_mongo: NodeContext, mongo: MongoDouble, operator: str, inside: Any
) -> None:
    error = refused(with_mongo, inside({operator: "function() { return true }"}))
    assert operator in error.what
    assert not error.retry
    assert mongo.commands == []


@given(
    key=st.sampled_from(["$where", "$function"]), path=st.lists(st.one_of(st.text(max_size=5), st.none()), max_size=8)
)
def test_code_is_found_wherever_it_stands(key: str, path: list[str | None]) -> None:
    wanted: Any = {key: "1"}
    for step in path:
        wanted = [wanted] if step is None else {step: wanted}
    with pytest.raises(NodeError, match="runs code"):
        run(MongodbQuery, config={"database": "d", "collection": "c"}, filter={"a": wanted})


def test_what_the_server_refuses_is_told(with_mongo: NodeContext, users: Any) -> None:
    error = refused(with_mongo, {"age": {"$near_enough": 1}})
    assert error.what == "the query of shop.users failed: unknown operator: $near_enough"
    assert not error.retry


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("database", "a.b"),
        ("database", ""),
        ("collection", "a$b"),
        ("collection", "system.users"),
        ("sort", {"a": "up"}),
    ],
)
def test_names_and_orders_are_checked(with_mongo: NodeContext, key: str, value: Any) -> None:
    assert f"config.{key}" in refused(with_mongo, **{key: value}).what


def test_a_wrong_password_is_told_without_it(mongo: MongoDouble) -> None:
    error = refused(NodeContext(profile={"MONGODB_URL": mongo.url_of("flow", "p@ss/planted")}))
    assert "Authentication failed" in error.what
    assert "user and the password" in error.remedy
    assert "planted" not in f"{error.what} {error.remedy}"
    assert not error.retry


@pytest.mark.parametrize("url", ["mongodb://flow:pl@nted@host:port/", "http://flow:planted@host", "mongodb://"])
def test_a_url_that_pymongo_does_not_take_is_told_without_it(url: str) -> None:
    error = refused(NodeContext(profile={"MONGODB_URL": url}))
    assert not error.retry
    assert "nted" not in f"{error.what} {error.remedy}"


def test_a_server_that_is_silent_or_gone_may_be_tried_again(with_mongo: NodeContext, mongo: MongoDouble) -> None:
    with mongo.held():
        error = refused(with_mongo, timeout=0.3)
    assert error.retry
    gone = refused(replace(with_mongo, profile={"MONGODB_URL": "mongodb://127.0.0.1:1/"}), timeout=0.3)
    assert gone.retry


def test_the_server_is_told_how_long_it_may_take(with_mongo: NodeContext, mongo: MongoDouble) -> None:
    find(with_mongo, timeout=7)
    assert 0 < mongo.last["maxTimeMS"] <= 7000


def test_a_stopped_run_waits_for_no_server(with_mongo: NodeContext, mongo: MongoDouble) -> None:
    with mongo.held():
        stopped(lambda context: find(context, timeout=600), with_mongo, lambda: mongo.waiting)


def test_a_forked_child_makes_a_client_of_its_own(with_mongo: NodeContext, users: Any) -> None:
    from flowhub_assets.runtime.child import run_in_child

    assert find(with_mongo, {"_id": 1}).count == 1
    assert run_in_child(lambda: find(with_mongo, {"_id": 1}).count) == 1
    assert find(with_mongo, {"_id": 2}).count == 1
