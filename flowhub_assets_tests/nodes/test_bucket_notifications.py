"""What S3 and MinIO tell of new objects, in each of their shapes."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.errors import ParamsRefused
from flowhub_assets.nodes.bucket_notifications import arrival_key, arrivals, is_wanted, notified_objects

WHEN = "2026-11-22T09:30:00.123Z"


def record(key: str, event: str = "ObjectCreated:Put", bucket: str = "inbox", **more: Any) -> dict[str, Any]:
    """One of S3's Records; ``key`` is as it is sent, encoded."""
    told = {"key": key, "size": 12, "eTag": "D41D8CD98F00B204", "sequencer": "0055AED6DCD90281E5", **more}
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventTime": WHEN,
        "eventName": event,
        "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"}, "object": told},
    }


ARRIVED = {
    "type": "object-arrival",
    "time": WHEN,
    "url": "s3://inbox/new/보고서 1+1.csv",
    "bucket": "inbox",
    "key": "new/보고서 1+1.csv",
    "size": 12,
    "etag": "d41d8cd98f00b204",
    "sequencer": "0055AED6DCD90281E5",
}
ENCODED = "new%2F%EB%B3%B4%EA%B3%A0%EC%84%9C+1%2B1.csv"
S3_EVENT = {"Records": [record(ENCODED)]}
MINIO_EVENT = {
    "EventName": "s3:ObjectCreated:Put",
    "Key": "inbox/new/보고서 1+1.csv",
    "Records": [record(ENCODED, event="s3:ObjectCreated:Put")],
}
SNS_EVENT = {"Type": "Notification", "MessageId": "1", "Subject": "Amazon S3", "Message": json.dumps(S3_EVENT)}


@pytest.mark.parametrize("document", [S3_EVENT, MINIO_EVENT, SNS_EVENT], ids=["s3", "minio", "sns"])
def test_each_shape_tells_the_same_object(document: dict[str, Any]) -> None:
    assert notified_objects(document) == [ARRIVED]


def test_an_event_of_eventbridge_has_its_key_as_it_is() -> None:
    told = {"key": "new/보고서 1+1.csv", "size": 12, "etag": "d41d8cd98f00b204", "sequencer": "0055AED6DCD90281E5"}
    document = {
        "version": "0",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "time": WHEN,
        "detail": {"version": "0", "bucket": {"name": "inbox"}, "object": told, "reason": "PutObject"},
    }
    assert notified_objects(document) == [ARRIVED]
    assert notified_objects({**document, "detail-type": "Object Deleted"}) == []


def test_what_is_no_arrival_gives_nothing() -> None:
    assert notified_objects({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "inbox"}) == []
    removed = [record("a", event="ObjectRemoved:Delete"), record("b", event="s3:ObjectAccessed:Get"), record("c")]
    assert [one["key"] for one in notified_objects({"Records": removed})] == ["c"]


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (None, "missing"),
        ([], "empty list"),
        ("Records", "str"),
        ({}, "neither Records"),
        ({"Type": "SubscriptionConfirmation", "SubscribeURL": "http://169.254.169.254/"}, "neither Records"),
        ({"Type": "Notification", "Message": "{"}, "not JSON"),
        ({"Type": "Notification", "Message": json.dumps(SNS_EVENT)}, "an envelope, too"),
        ({"Type": "Notification", "Message": "[" * 100_000}, "not JSON"),
        ({"Records": [3]}, "Records[0].eventName is missing"),
        ({"Records": [{"eventName": "ObjectCreated:Put"}]}, "Records[0].s3 is missing"),
        ({"Records": [record("")]}, "Records[0].s3.object.key is empty"),
        ({"Records": [record("a")] * 1001}, "more than 1,000"),
    ],
)
def test_another_document_is_refused_with_its_place(document: Any, told: str) -> None:
    with pytest.raises(ParamsRefused) as error:
        notified_objects(document)
    assert told in str(error.value)


KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@given(KEYS)
def test_any_key_comes_back_as_it_was_stored(key: str) -> None:
    (found,) = notified_objects({"Records": [record(quote_plus(key))]})
    assert (found["key"], found["url"]) == (key, f"s3://inbox/{key}")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["Records", "s3", "object", "key", "eventName", "detail"]), inner)
    ),
)


@given(JSON)
def test_any_document_is_read_or_refused(document: Any) -> None:
    try:
        assert isinstance(notified_objects(document), list)
    except ParamsRefused:
        pass


def test_a_trigger_takes_what_it_waits_for() -> None:
    document = {
        "Records": [record("in/a.csv"), record("in/a.txt"), record("out/a.csv"), record("in/b.csv", bucket="x")]
    }
    config = {"prefix": "in/", "pattern": "*.csv"}
    assert [one["url"] for one in arrivals(document, config)] == ["s3://inbox/in/a.csv", "s3://x/in/b.csv"]
    assert [one["url"] for one in arrivals(document, config, bucket="inbox")] == ["s3://inbox/in/a.csv"]
    assert len(arrivals(document, {})) == 4


def test_a_batch_is_what_one_notification_tells() -> None:
    (told,) = arrivals(
        {"Records": [record("in/a.csv"), record("in/b.csv"), record("b")]}, {"prefix": "in/", "per": "batch"}
    )
    assert (told["type"], told["time"]) == ("object-arrival", WHEN)
    assert [one["url"] for one in told["objects"]] == ["s3://inbox/in/a.csv", "s3://inbox/in/b.csv"]
    assert arrivals({"Records": [record("b")]}, {"prefix": "in/", "per": "batch"}) == []
    (alone,) = arrivals({"Records": [record("in/a.csv")]}, {"per": "batch"})
    assert len({arrival_key(told), arrival_key(alone), arrival_key(alone["objects"][0])}) == 3


@pytest.mark.parametrize(
    ("key", "config", "wanted"),
    [
        ("in/a.csv", {"prefix": "in/", "pattern": "*.csv"}, True),
        ("in/deep/a.csv", {"prefix": "in/", "pattern": "*.csv"}, True),
        ("in/A.CSV", {"prefix": "in/", "pattern": "*.csv"}, False),
        ("in/a1.csv", {"prefix": "in/a", "pattern": "[0-9].csv"}, True),
        ("in/ab.csv", {"prefix": "in/a", "pattern": "[0-9].csv"}, False),
        ("in/a.csv", {"prefix": "in/", "pattern": "in/*.csv"}, False),
        ("in/sub/", {"prefix": "in/"}, False),
        ("in/\n.csv", {"pattern": "*.csv"}, True),
    ],
)
def test_prefix_and_pattern(key: str, config: dict[str, str], wanted: bool) -> None:
    assert is_wanted(key, config) is wanted


def test_an_arrival_told_twice_has_one_key_and_the_next_one_another() -> None:
    (first,) = notified_objects(S3_EVENT)
    (again,) = notified_objects(MINIO_EVENT)
    assert arrival_key(first) == arrival_key(again)
    (anew,) = notified_objects({"Records": [record(ENCODED, sequencer="0055AED6DCD90281E6")]})
    assert arrival_key(anew) != arrival_key(first)
    bare = record(ENCODED, sequencer=None)
    (one,), (other,) = (notified_objects({"Records": [{**bare, "eventTime": time}]}) for time in (WHEN, "2027"))
    assert arrival_key(one) != arrival_key(other)
