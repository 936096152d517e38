"""The objects of a bucket of S3 or MinIO, by ListObjectsV2.

It is the standard library's client that asks: it keeps each key as the server has it (obstore refuses ``a//b``, and
takes the mark of a folder for a file), and shows the answer's Date, the server's own clock.
"""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from urllib.parse import unquote_plus
from xml.etree import ElementTree

from flowhub_assets.errors import StorageError
from flowhub_assets.resources.object_pages import EVER, ObjectPage, StoredObject
from flowhub_assets.runtime.bare_s3 import BareClient, NotS3, bare_error
from flowhub_assets.runtime.s3_client import S3Limits, bare_etag
from flowhub_assets.runtime.s3_config import S3Config
from flowhub_assets.runtime.s3_credentials import NoCredentials
from flowhub_assets.runtime.s3_http import Refused

#: The most that S3 lists in one answer.
_PAGE = 1000
#: Folders are listed one by one where the first page shows that they hold at least so many objects each.
_FULL_FOLDER = 250
#: After so many folders this is judged anew by what they held, and then so many objects each will do.
_JUDGED_AFTER = 10
_WORTH_A_REQUEST = 100
_MOST_SLASHES = 100
_MODIFIED = re.compile(rb"<LastModified>([^<]*)</LastModified>")


@dataclass(frozen=True)
class _Answer:
    """One answer of the server: objects and, where they were asked for, folders; both in their keys' order.

    ``objects`` is empty where all ``seen`` of them are old and nobody asks for their keys.
    """

    objects: list[StoredObject]
    folders: list[str]
    token: str
    clock: int
    seen: int
    last: str


class BucketPages:
    """ObjectPages of a bucket. Where many objects lie in few folders, these are listed one by one.

    That costs hardly more requests, and servers that keep objects as files (MinIO, rclone) look through one folder for
    each page, instead of through all of them.
    """

    def __init__(self, config: S3Config, limits: S3Limits) -> None:
        self.name = f"s3://{config.bucket}"
        self.bucket: str | None = config.bucket
        self._client = _Client(config, limits)

    def pages(self, prefix: str, after: str = "", since: int = EVER) -> Iterator[ObjectPage]:
        """See ObjectPages."""
        last = after
        try:
            for answer in _Walk(self._client, since).below(prefix, after):
                for key in [one.key for one in answer.objects] or [answer.last] * bool(answer.seen):
                    if key <= last:
                        raise _out_of_order(self.name, last, key)
                    last = key
                late = [one for one in answer.objects if one.modified > since]
                yield ObjectPage(late, answer.clock, answer.seen, answer.last)
        except (NotS3, Refused, LookupError, ValueError, ElementTree.ParseError) as error:
            fault = error if isinstance(error, Refused) else NotS3()
            raise bare_error(fault, f"list {prefix!r}", self.name) from None
        except NoCredentials as error:
            raise bare_error(error, f"list {prefix!r}", self.name) from None

    def url(self, key: str) -> str:
        """``s3://bucket/key``."""
        return f"{self.name}/{key}"


class _Walk:
    """One way through the list. Of answers in which all is older than ``since`` no object is read."""

    def __init__(self, client: _Client, since: int) -> None:
        self._client = client
        self._since = since

    def below(self, prefix: str, after: str, depth: int = 0) -> Iterator[_Answer]:
        """All answers about ``prefix`` behind ``after``."""
        first = self._client.ask(prefix, self._since, after=after)
        yield first
        if not first.token:
            return
        rest = [one.key[len(prefix) :] for one in first.objects]
        shown = {key.partition("/")[0] for key in rest if "/" in key}
        if depth < _MOST_SLASHES and 0 < len(shown) <= len(rest) // _FULL_FOLDER:
            yield from self._by_folders(prefix, first.last, depth)
        else:
            yield from self._flat(prefix, first.token)

    def _flat(self, prefix: str, token: str) -> Iterator[_Answer]:
        while token:
            answer = self._client.ask(prefix, self._since, token=token)
            yield answer
            token = answer.token

    def _by_folders(self, prefix: str, last: str, depth: int) -> Iterator[_Answer]:
        """What follows ``last``: the objects beside the folders, and each folder's in its place between them."""
        walked = objects = 0
        for beside in self._beside(prefix):
            for name, is_folder in _in_order(beside):
                if not is_folder:
                    late = [one for one in beside.objects if last < one.key <= name]
                    if late:
                        yield _Answer(late, [], "", beside.clock, len(late), name)
                        last = name
                    continue
                if name < last and not last.startswith(name):
                    continue
                walked += 1
                for answer in self.below(name, last if last.startswith(name) else "", depth + 1):
                    yield answer
                    objects += answer.seen
                    last = answer.last or last
                if walked >= _JUDGED_AFTER and objects < walked * _WORTH_A_REQUEST:
                    rest = self._client.ask(prefix, self._since, after=last)
                    yield rest
                    yield from self._flat(prefix, rest.token)
                    return

    def _beside(self, prefix: str) -> Iterator[_Answer]:
        token = ""
        while True:
            answer = self._client.ask(prefix, EVER, token=token, delimiter="/")
            yield answer
            token = answer.token
            if not token:
                return


def _in_order(beside: _Answer) -> Iterator[tuple[str, bool]]:
    """The folders, and of the objects between two of them the last one, by their keys; whether it is a folder."""
    names = sorted([(one.key, False) for one in beside.objects] + [(name, True) for name in beside.folders])
    for here, following in zip(names, [*names[1:], ("", True)], strict=True):
        if here[1] or following[1]:
            yield here


class _Client(BareClient):
    def ask(self, prefix: str, since: int, *, after: str = "", token: str = "", delimiter: str = "") -> _Answer:
        """One request for a list."""
        more = {"start-after": after, "continuation-token": token, "delimiter": delimiter}
        asked = {"list-type": "2", "prefix": prefix, "encoding-type": "url", "max-keys": str(_PAGE)}
        asked.update({name: value for name, value in more.items() if value})
        clock, text = self._again(lambda: self._page(asked))
        return _old(text, clock, since, is_first=not token) or _answer(text, clock)

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


def _old(text: bytes, clock: int, since: int, *, is_first: bool) -> _Answer | None:
    """The answer if all its objects are old: their times alone are read, which takes a tenth of reading all.

    None where it is to be read as a whole: something in it is new, or it is the first of several, which are judged by
    their keys.
    """
    begin, end = text.find(b"<Contents>"), text.rfind(b"</Contents>") + len(b"</Contents>")
    objects = text[begin:end] if 0 <= begin < end else b""
    times = _MODIFIED.findall(objects)
    if not times or len(times) != objects.count(b"<Contents>") or b"<!" in text or b"<CommonPrefixes>" in text:
        return None
    if max(map(_time, {one.decode() for one in times})) > since:
        return None
    last = ElementTree.fromstring(objects[objects.rfind(b"<Contents>") :])  # noqa: S314 - as below
    answer = _answer(text[:begin] + text[end:], clock, last.findtext("Key", ""))
    return None if is_first and answer.token else replace(answer, seen=len(times))


def _answer(text: bytes, clock: int, last: str = "") -> _Answer:
    """The answer read as a whole; ``last`` is the last key, as it was sent, of one whose objects were cut out."""
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
    token = root.findtext(f"{space}NextContinuationToken", "") if more else ""
    return _Answer(objects, folders, token, clock, len(objects), objects[-1].key if objects else decode(last))


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
