"""The objects of a bucket of S3 or MinIO, by ListObjectsV2.

It is the standard library's client that asks: it keeps each key as the server has it (obstore refuses ``a//b``, and
takes the mark of a folder for a file), and shows the answer's Date, the server's own clock.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from urllib.parse import unquote_plus
from xml.etree import ElementTree

from flowhub_assets.errors import StorageError
from flowhub_assets.resources.object_pages import ObjectPage, StoredObject
from flowhub_assets.runtime.bare_s3 import BareClient, NotS3, bare_error
from flowhub_assets.runtime.s3_client import S3Limits, bare_etag
from flowhub_assets.runtime.s3_config import S3Config
from flowhub_assets.runtime.s3_credentials import NoCredentials
from flowhub_assets.runtime.s3_http import Refused

#: Folders are listed one by one where the first page shows that they hold at least so many objects each.
_FULL_FOLDER = 250
#: After so many folders this is judged anew by what they held, and then so many objects each will do.
_JUDGED_AFTER = 10
_WORTH_A_REQUEST = 100
_MOST_SLASHES = 100


@dataclass(frozen=True)
class _Answer:
    """One answer of the server: objects and, where they were asked for, folders; both in their keys' order."""

    objects: list[StoredObject]
    folders: list[str]
    token: str
    clock: int


class BucketPages:
    """ObjectPages of a bucket. Where many objects lie in few folders, these are listed one by one.

    That costs hardly more requests, and servers that keep objects as files (MinIO, rclone) look through one folder for
    each page, instead of through all of them.
    """

    def __init__(self, config: S3Config, limits: S3Limits) -> None:
        self.name = f"s3://{config.bucket}"
        self.bucket: str | None = config.bucket
        self._client = _Client(config, limits)

    def pages(self, prefix: str, after: str = "") -> Iterator[ObjectPage]:
        """See ObjectPages."""
        last = after
        try:
            for answer in self._below(prefix, after, depth=0):
                for one in answer.objects:
                    if one.key <= last:
                        raise _out_of_order(self.name, last, one.key)
                    last = one.key
                yield ObjectPage(answer.objects, answer.clock)
        except (NotS3, Refused, LookupError, ValueError, ElementTree.ParseError) as error:
            fault = error if isinstance(error, Refused) else NotS3()
            raise bare_error(fault, f"list {prefix!r}", self.name) from None
        except NoCredentials as error:
            raise bare_error(error, f"list {prefix!r}", self.name) from None

    def url(self, key: str) -> str:
        """``s3://bucket/key``."""
        return f"{self.name}/{key}"

    def _below(self, prefix: str, after: str, depth: int) -> Iterator[_Answer]:
        first = self._client.ask(prefix, after=after)
        yield first
        if not first.token:
            return
        last = first.objects[-1].key if first.objects else after
        shown = {one.key[len(prefix) :].partition("/")[0] for one in first.objects if "/" in one.key[len(prefix) :]}
        if depth < _MOST_SLASHES and 0 < len(shown) <= len(first.objects) // _FULL_FOLDER:
            yield from self._by_folders(prefix, last, depth)
        else:
            yield from self._flat(prefix, first.token)

    def _flat(self, prefix: str, token: str) -> Iterator[_Answer]:
        while token:
            answer = self._client.ask(prefix, token=token)
            yield answer
            token = answer.token

    def _by_folders(self, prefix: str, last: str, depth: int) -> Iterator[_Answer]:
        """What follows ``last``: the objects beside the folders, and each folder's in its place between them."""
        token, walked, objects = "", 0, 0
        while True:
            beside = self._client.ask(prefix, token=token, delimiter="/")
            found: list[tuple[str, StoredObject | None]] = [(one.key, one) for one in beside.objects]
            for name, one in sorted(found + [(folder, None) for folder in beside.folders], key=lambda pair: pair[0]):
                if one is not None:
                    if one.key > last:
                        yield _Answer([one], [], "", beside.clock)
                        last = one.key
                    continue
                if name < last and not last.startswith(name):
                    continue
                walked += 1
                for answer in self._below(name, last if last.startswith(name) else "", depth + 1):
                    yield answer
                    objects += len(answer.objects)
                    last = answer.objects[-1].key if answer.objects else last
                if walked >= _JUDGED_AFTER and objects < walked * _WORTH_A_REQUEST:
                    rest = self._client.ask(prefix, after=last)
                    yield rest
                    yield from self._flat(prefix, rest.token)
                    return
            token = beside.token
            if not token:
                return


class _Client(BareClient):
    def ask(self, prefix: str, *, after: str = "", token: str = "", delimiter: str = "") -> _Answer:
        """One request for a list."""
        query = {"list-type": "2", "prefix": prefix, "encoding-type": "url"}
        more = {"start-after": after, "continuation-token": token, "delimiter": delimiter}
        clock, text = self._again(
            lambda: self._page({**query, **{name: value for name, value in more.items() if value}})
        )
        return _answer(text, clock)

    def _page(self, query: dict[str, str]) -> tuple[int, bytes]:
        answer = self._sent("GET", "", query, {}, b"")
        try:
            with answer:
                return _clock(answer.headers.get("Date")), answer.read()
        except (OSError, http.client.HTTPException):
            raise Refused(0) from None


def _clock(date: str | None) -> int:
    """The server's time; this machine's where it tells none. Raises ValueError."""
    return int(parsedate_to_datetime(date).timestamp() * 1_000_000) if date else time.time_ns() // 1000


def _answer(text: bytes, clock: int) -> _Answer:
    # From the server that the profile names; today's expat bounds how entities grow.
    root = ElementTree.fromstring(text)  # noqa: S314
    space, _, name = root.tag.rpartition("}")
    if name != "ListBucketResult":
        raise NotS3
    space = f"{space}}}" if space else ""
    decode = unquote_plus if root.findtext(f"{space}EncodingType") == "url" else str
    key, modified, size, etag = (f"{space}{one}" for one in ("Key", "LastModified", "Size", "ETag"))
    objects = [
        StoredObject(
            decode(one.findtext(key, "")),
            _time(one.findtext(modified, "")),
            int(one.findtext(size, "")),
            bare_etag(one.findtext(etag)),
        )
        for one in root.iterfind(f"{space}Contents")
    ]
    folders = [decode(one.findtext(f"{space}Prefix", "")) for one in root.iterfind(f"{space}CommonPrefixes")]
    more = root.findtext(f"{space}IsTruncated") == "true"
    return _Answer(objects, folders, root.findtext(f"{space}NextContinuationToken", "") if more else "", clock)


def _time(text: str) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return int(moment.timestamp() * 1_000_000)


def _out_of_order(storage: str, before: str, after: str) -> StorageError:
    return StorageError(
        f"it lists {after!r} behind {before!r}",
        where=storage,
        effect="A long list cannot be gone on with at a key, so nothing was taken from this one.",
        remedy="Take a bucket whose lists are in order (S3's directory buckets are not), or its notifications.",
    )
