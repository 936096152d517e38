"""What a bucket tells of new objects (S3's and MinIO's event notifications) → what the trigger object-arrival brings.

The shapes: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html (``Records``; as
it is, by SNS, in SQS' ``Message``), https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html (EventBridge)
and https://min.io/docs/minio/linux/administration/monitoring/bucket-notifications.html (``EventName``, ``Key``,
``Records``).
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote_plus

from flowhub_assets.errors import ParamsRefused

#: The trigger's type, as it stands in a pipeline file.
OBJECT_ARRIVAL = "object-arrival"

#: The most objects that one notification may tell of; S3 and MinIO send one each.
_MOST_RECORDS = 1000
_CREATED = "ObjectCreated:"
_MINIO = "s3:"


def notified_objects(document: Any) -> list[dict[str, Any]]:
    """The objects that arrived, in order, each as what its run finds in ``{{trigger}}``.

    ``type`` is object-arrival, ``time`` when it happened (ISO 8601), ``url`` (s3://bucket/key), ``bucket``, ``key``
    (decoded), ``size`` (bytes) and ``etag``; beside them ``version`` and ``sequencer`` where the bucket has such.
    A notification of something else, a deletion or a test event say, gives []. Raises ParamsRefused for a document
    that is no notification of a bucket.
    """
    if not isinstance(document, Mapping):
        raise _wrong(f"the body is {_kind(document)}, not an object")
    if document.get("Type") == "Notification" and isinstance(document.get("Message"), str):
        return _of_message(document["Message"])
    if isinstance(document.get("Records"), list):
        return _of_records(document["Records"])
    if document.get("source") == "aws.s3" and isinstance(document.get("detail"), Mapping):
        return _of_event(document, document["detail"])
    if document.get("Event") == "s3:TestEvent":
        return []
    raise _wrong("the body has neither Records nor a detail of aws.s3")


def arrivals(document: Any, config: Mapping[str, Any], bucket: str | None = None) -> list[dict[str, Any]]:
    """What each run is to find in ``{{trigger}}``: the objects that a trigger with this ``config`` waits for.

    Only those of ``bucket`` if one is given. With ``per: batch`` all of them are one run's, under ``objects``.
    """
    found = [
        one
        for one in notified_objects(document)
        if (bucket is None or one["bucket"] == bucket) and is_wanted(one["key"], config)
    ]
    return [batch(found)] if found and config.get("per") == "batch" else found


def batch(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the one run for several arrivals, the newest last, finds in ``{{trigger}}``."""
    objects = [{name: value for name, value in one.items() if name != "type"} for one in found]
    return {"type": OBJECT_ARRIVAL, "time": found[-1].get("time"), "objects": objects}


def is_wanted(key: str, config: Mapping[str, Any]) -> bool:
    """Whether the trigger with this config waits for an object of that key: its prefix, then its pattern for the rest.

    A key that ends in / is a folder's mark, which some programs store; it is no object that anybody waits for.
    """
    prefix = config.get("prefix", "")
    return (
        key.startswith(prefix) and not key.endswith("/") and _fits(key[len(prefix) :], str(config.get("pattern", "*")))
    )


def arrival_key(found: Mapping[str, Any]) -> str:
    """The same text for the same arrival, or batch of them, told twice: buckets send some notifications again."""
    if "objects" in found:
        told = [arrival_key(one) for one in found["objects"]]
        return "objects:" + hashlib.blake2b(json.dumps(told).encode(), digest_size=16).hexdigest()
    named = [str(found.get(name) or "") for name in ("bucket", "key", "version", "sequencer", "etag")]
    # A notification that tells neither is told apart by its time.
    told = named if any(named[2:4]) else [*named, str(found.get("time") or "")]
    return "object:" + hashlib.blake2b(json.dumps(told).encode(), digest_size=16).hexdigest()


def _fits(rest: str, pattern: str) -> bool:
    return pattern == "*" or fnmatch.fnmatchcase(rest, pattern)


def _of_message(text: str) -> list[dict[str, Any]]:
    """What SNS brought. One envelope is opened, not one inside of another."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise _wrong("the Message that SNS brought is not JSON") from None
    if isinstance(document, Mapping) and "Type" in document:
        raise _wrong("the Message that SNS brought is an envelope, too")
    return notified_objects(document)


def _of_records(records: Sequence[Any]) -> list[dict[str, Any]]:
    if len(records) > _MOST_RECORDS:
        raise _wrong(f"the notification has {len(records):,} Records, more than {_MOST_RECORDS:,}")
    return list(_created(records))


def _created(records: Sequence[Any]) -> Iterator[dict[str, Any]]:
    for number, record in enumerate(records):
        where = f"Records[{number}]"
        event = _text(record, "eventName", where).removeprefix(_MINIO)
        if not event.startswith(_CREATED):
            continue
        stored = _part(record, "s3", where)
        bucket = _text(_part(stored, "bucket", f"{where}.s3"), "name", f"{where}.s3.bucket")
        told = _part(stored, "object", f"{where}.s3")
        # As HTML forms encode: a space is a plus sign.
        key = unquote_plus(_text(told, "key", f"{where}.s3.object"))
        yield _arrival(bucket, key, told, record.get("eventTime"), told.get("eTag"), told.get("versionId"))


def _of_event(document: Mapping[str, Any], detail: Mapping[str, Any]) -> list[dict[str, Any]]:
    if document.get("detail-type") != "Object Created":
        return []
    bucket = _text(_part(detail, "bucket", "detail"), "name", "detail.bucket")
    told = _part(detail, "object", "detail")
    # EventBridge leaves keys as they are.
    key = _text(told, "key", "detail.object")
    return [_arrival(bucket, key, told, document.get("time"), told.get("etag"), told.get("version-id"))]


def _arrival(
    bucket: str, key: str, told: Mapping[str, Any], time: object, etag: object, version: object
) -> dict[str, Any]:
    size = told.get("size")
    found = {
        "type": OBJECT_ARRIVAL,
        "time": time if isinstance(time, str) else None,
        "url": f"s3://{bucket}/{key}",
        "bucket": bucket,
        "key": key,
        "size": size if isinstance(size, int) and not isinstance(size, bool) else None,
        "etag": etag.strip('"').lower() if isinstance(etag, str) else None,
    }
    more = {"version": version, "sequencer": told.get("sequencer")}
    return {**found, **{name: value for name, value in more.items() if isinstance(value, str) and value}}


def _part(of: Any, name: str, where: str) -> Mapping[str, Any]:
    found = of.get(name) if isinstance(of, Mapping) else None
    if not isinstance(found, Mapping):
        raise _wrong(f"{where}.{name} is {_kind(found)}, not an object")
    return found


def _text(of: Any, name: str, where: str) -> str:
    found = of.get(name) if isinstance(of, Mapping) else None
    if not isinstance(found, str) or not found:
        raise _wrong(f"{where}.{name} is {_kind(found)}, not a text")
    return found


def _kind(value: object) -> str:
    if value is None:
        return "missing"
    return f"empty {type(value).__name__}" if value in ("", [], {}) else type(value).__name__


def _wrong(what: str) -> ParamsRefused:
    return ParamsRefused(
        what,
        effect="Nothing was started.",
        remedy="Send what S3, MinIO, EventBridge or SNS sends of a bucket's events.",
    )
