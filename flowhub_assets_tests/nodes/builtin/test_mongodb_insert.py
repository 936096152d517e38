"""mongodb-insert: the real driver, against a double that speaks MongoDB's wire protocol."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path
from typing import Any

import bson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowhub_assets.ir.pipeline import Retry
from flowhub_assets.nodes import NodeContext, NodeError, run
from flowhub_assets.nodes.bodies import bodies_of
from flowhub_assets.nodes.builtin.mongodb_insert import MongodbInsert
from flowhub_assets.nodes.builtin.mongodb_query import MongodbQuery
from flowhub_assets.runtime.local import run_pipeline
from flowhub_assets.runtime.step import Runnable
from flowhub_assets_tests.mongo_double import MongoDouble
from flowhub_assets_tests.nodes.pipelines import ITEM, loop, node, pipeline

PLACE = {"database": "flume", "collection": "articles"}


def insert(context: NodeContext, **inputs: Any) -> Any:
    return run(MongodbInsert, config=PLACE, context=context, **inputs)


def refused(context: NodeContext, **inputs: Any) -> NodeError:
    with pytest.raises(NodeError) as caught:
        insert(context, **inputs)
    return caught.value


@pytest.fixture
def articles(mongo: MongoDouble) -> Any:
    return mongo.collection("flume", "articles")


def test_one_document_or_several(with_mongo: NodeContext, articles: Any) -> None:
    one = insert(with_mongo, document={"title": "가을"})
    assert (one.count, [str(found["_id"]) for found in articles.find({"title": "가을"})]) == (1, one.ids)
    many = insert(
        replace(with_mongo, node="other", profile={**with_mongo.profile, "task": "other"}), documents=[{}, {}]
    )
    assert (many.count, articles.count_documents({})) == (2, 3)
    assert insert(with_mongo, documents=[]).model_dump() == {"ids": [], "count": 0}


@pytest.mark.parametrize("inputs", [{}, {"document": {}, "documents": []}])
def test_either_of_both(with_mongo: NodeContext, inputs: dict[str, Any]) -> None:
    assert "either document or documents" in refused(with_mongo, **inputs).what


def test_a_second_try_inserts_nothing_twice(with_mongo: NodeContext, articles: Any) -> None:
    first = insert(with_mongo, documents=[{"n": 1, "at": "now"}, {"n": 2}])
    # What a template gives may differ in the next try, and it may go further than the first one.
    second = insert(replace(with_mongo, attempt=2), documents=[{"n": 1, "at": "later"}, {"n": 2}, {"n": 3}])
    assert second.ids[:2] == first.ids
    assert [found["n"] for found in articles.find(sort=[("n", 1)])] == [1, 2, 3]


@pytest.mark.parametrize(
    "other",
    [{"profile": {"run_id": "run-2"}}, {"profile": {"task": "another"}}, {"iteration": (1,)}, {"iteration": (0, 1)}],
)
def test_another_run_node_or_item_inserts_anew(with_mongo: NodeContext, articles: Any, other: dict[str, Any]) -> None:
    here = replace(with_mongo, iteration=(0,))
    insert(here, document={"same": True})
    there = {**other, **({"profile": {**here.profile, **other["profile"]}} if "profile" in other else {})}
    insert(replace(here, **there), document={"same": True})
    assert articles.count_documents({}) == 2


def test_outside_of_a_run_each_call_inserts(with_mongo: NodeContext, articles: Any) -> None:
    alone = replace(with_mongo, profile={"MONGODB_URL": with_mongo.profile["MONGODB_URL"]})
    insert(alone, document={})
    insert(alone, document={})
    assert articles.count_documents({}) == 2


def test_an_id_of_its_own_that_is_there_is_an_error(with_mongo: NodeContext, articles: Any) -> None:
    assert insert(with_mongo, document={"_id": "a"}).ids == ["a"]
    error = refused(with_mongo, documents=[{"_id": "b"}, {"_id": "a"}, {"_id": "c"}])
    assert "documents[1]" in error.what
    assert not error.retry
    # The others are there.
    assert sorted(found["_id"] for found in articles.find()) == ["a", "b", "c"]


def test_types_are_written_in_extended_json(with_mongo: NodeContext, articles: Any) -> None:
    author = bson.ObjectId()
    insert(
        with_mongo,
        document={
            "author": {"$oid": str(author)},
            "at": {"$date": "2026-01-31T09:00:00Z"},
            "ms": {"$date": 0},
            "price": {"$numberDecimal": "12.50"},
            "list": [{"$numberLong": "5"}],
            "text": "2026-01-31T09:00:00Z",
        },
    )
    found = articles.find_one()
    assert found["author"] == author
    assert found["at"] == datetime.datetime(2026, 1, 31, 9)
    assert found["ms"] == datetime.datetime(1970, 1, 1)
    assert found["price"] == bson.Decimal128("12.50")
    assert found["list"] == [5]
    assert found["text"] == "2026-01-31T09:00:00Z"


@pytest.mark.parametrize(
    "value", [{"$oid": 1}, {"$date": "soon"}, {"$date": None}, {"$numberDecimal": "x"}, {"$numberLong": [1]}]
)
def test_a_malformed_type_is_told(with_mongo: NodeContext, articles: Any, value: dict[str, Any]) -> None:
    error = refused(with_mongo, document={"a": [value]})
    assert "is no value for $" in error.what
    assert error.remedy
    assert articles.count_documents({}) == 0


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0.$"), min_size=1, max_size=8)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=st.dictionaries(NAMES.filter(lambda name: name != "_id"), VALUES, max_size=4))
def test_json_comes_back_as_it_was_inserted(with_mongo: NodeContext, document: dict[str, Any]) -> None:
    alone = replace(with_mongo, profile={"MONGODB_URL": with_mongo.profile["MONGODB_URL"]})
    (own,) = insert(alone, document=document).ids
    found = run(MongodbQuery, config=PLACE, context=alone, filter={"_id": {"$oid": own}}).documents
    assert found == [{"_id": own, **document}]


def test_a_number_that_bson_lacks_is_told(with_mongo: NodeContext) -> None:
    error = refused(with_mongo, document={"n": 2**70})
    assert not error.retry
    assert "insert into flume.articles" in error.what


def test_each_item_of_loops_in_loops_inserts_its_own(mongo: MongoDouble, articles: Any, tmp_path: Path) -> None:
    save = node("save", "mongodb-insert", PLACE, {"document": {"same": True}}, needs=(ITEM,))
    inner = loop("inner", ["x", "y"], (save,), needs=(ITEM,))
    whole = pipeline(loop("outer", [1, 2, 3], (inner,)))
    profile = {"MONGODB_URL": mongo.url, "WORKSPACE": str(tmp_path)}
    run_pipeline(Runnable(whole, bodies_of(whole)), profile=profile, run_id="run-1")
    assert articles.count_documents({}) == 6
    # The same run once more, as when its answer was lost.
    run_pipeline(Runnable(whole, bodies_of(whole)), profile=profile, run_id="run-1")
    assert articles.count_documents({}) == 6
    run_pipeline(Runnable(whole, bodies_of(whole)), profile=profile, run_id="run-2")
    assert articles.count_documents({}) == 12


def test_a_retry_of_a_pipeline_finds_what_its_first_try_inserted(
    mongo: MongoDouble, articles: Any, tmp_path: Path
) -> None:
    mongo.lose_answers = 1
    save = node("save", "mongodb-insert", PLACE, {"documents": [{"n": 1}, {"n": 2}]}, retry=Retry(times=1))
    whole = pipeline(save)
    outcome = run_pipeline(
        Runnable(whole, bodies_of(whole)), profile={"MONGODB_URL": mongo.url, "WORKSPACE": str(tmp_path)}
    )
    assert outcome.ok
    assert mongo.commands == ["insert", "insert"]
    assert sorted(str(found["_id"]) for found in articles.find()) == sorted((outcome.tasks["save"].value or {})["ids"])
