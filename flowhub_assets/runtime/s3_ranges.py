"""One large object down, in parts that travel at the same time.

Each part is a ranged GET of a signed URL by the standard library. (obstore insists on status 206 for a range, and
some servers, rclone's among them, answer 200 with a correct Content-Range.) A part that breaks off goes on where it
stopped, after a back-off.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import threading
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from email.message import Message
from typing import Any, Optional

from flowhub_assets.errors import StorageError, TransferFailed
from flowhub_assets.runtime.s3_answers import response_error
from flowhub_assets.runtime.s3_client import S3Limits, bare_etag
from flowhub_assets.runtime.s3_digest import BLOCK, combined

#: Bytes of one part; a multiple of BLOCK, so that every block of the digest lies in one part.
PART = 4 * BLOCK
THREADS = 4

_READ = 1024 * 1024
_CODE = re.compile(rb"<Code>\s*([A-Za-z0-9]+)\s*</Code>")


@dataclass
class RangedObject:
    """An object to get: ``sign`` gives a fresh signed URL, ``what`` and ``storage`` are for messages."""

    sign: Callable[[], str]
    size: int
    etag: str
    what: str
    storage: str
    limits: S3Limits
    advance: Callable[[int], None]
    stopped: threading.Event = field(default_factory=threading.Event)


def get_ranges(wanted: RangedObject, descriptor: int, with_md5: bool) -> tuple[str, str]:
    """Writes the object into the open file ``descriptor``; returns its digest and its MD5 (``""`` if not asked for).

    Raises AccessRefused, ObjectMissing or TransferFailed, and OSError for the file.
    """
    starts = range(0, wanted.size, PART)
    md5 = hashlib.md5(usedforsecurity=False)
    blocks: list[int] = []
    with ThreadPoolExecutor(THREADS, thread_name_prefix="s3-get") as pool:
        parts: list[Future[list[int]]] = [pool.submit(_part, wanted, descriptor, start) for start in starts]
        try:
            for start, part in zip(starts, parts):
                blocks += part.result()
                if with_md5:
                    _follow(md5, descriptor, start, min(wanted.size, start + PART))
        except BaseException:
            wanted.stopped.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return combined(blocks), md5.hexdigest() if with_md5 else ""


def _follow(md5: Any, descriptor: int, start: int, end: int) -> None:
    while start < end and (data := os.pread(descriptor, min(_READ, end - start), start)):
        md5.update(data)
        start += len(data)


def _part(wanted: RangedObject, descriptor: int, start: int) -> list[int]:
    """Gets one part; the CRC-32 of each of its blocks."""
    blocks = [0 for _ in range(start, min(wanted.size, start + PART), BLOCK)]
    at, end, failures = start, min(wanted.size, start + PART), 0
    buffer = memoryview(bytearray(_READ))
    while at < end and not wanted.stopped.is_set():
        before = at
        failure = response_error(0, "", wanted.what, wanted.storage)
        try:
            for count in _received(wanted, at, end, buffer):
                _write(descriptor, buffer[:count], at)
                _count(blocks, buffer[:count], at - start)
                at += count
                wanted.advance(count)
        except _BrokenOff as error:
            failure = error.failure or failure
        if at < end:
            failures = 1 if at > before else failures + 1
            if failures > wanted.limits.retries:
                raise failure
            wanted.stopped.wait(wanted.limits.backoff(failures))
    return blocks


class _BrokenOff(Exception):
    """The range did not arrive whole, and asking again may help. Apart from OSError, which is the local file's."""

    def __init__(self, failure: Optional[StorageError] = None) -> None:
        super().__init__()
        self.failure = failure


def _received(wanted: RangedObject, at: int, end: int, buffer: memoryview) -> Iterator[int]:
    """Yields how many bytes of ``buffer`` were filled, until the range ends or is not wanted any more."""
    # The address is the profile's ENDPOINT, which is http or https.
    request = urllib.request.Request(wanted.sign(), headers={"Range": f"bytes={at}-{end - 1}"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=wanted.limits.timeout) as answer:  # noqa: S310
            _check_same(wanted, answer.headers, f"bytes {at}-{end - 1}/{wanted.size}")
            while at < end and not wanted.stopped.is_set():
                count = answer.readinto(buffer[: min(end - at, len(buffer))])
                if not count:
                    raise _BrokenOff
                at += count
                yield count
    except urllib.error.HTTPError as error:
        failure = _refusal(error, wanted)
        if isinstance(failure, TransferFailed):
            raise _BrokenOff(failure) from None
        raise failure from None
    except (OSError, http.client.HTTPException):
        raise _BrokenOff from None


def _check_same(wanted: RangedObject, headers: Message, content_range: str) -> None:
    etag = bare_etag(headers.get("ETag"))
    if headers.get("Content-Range") != content_range or etag != wanted.etag:
        raise TransferFailed(
            f"cannot {wanted.what}: it was replaced meanwhile",
            where=wanted.storage,
            remedy="Try again when nobody writes to it.",
        )


def _refusal(error: urllib.error.HTTPError, wanted: RangedObject) -> StorageError:
    try:
        with error:
            code = _CODE.search(error.read(4096))
    except (OSError, http.client.HTTPException):
        code = None
    return response_error(error.code, code.group(1).decode() if code else "", wanted.what, wanted.storage)


def _count(blocks: list[int], data: memoryview, at: int) -> None:
    while data:
        block, offset = divmod(at, BLOCK)
        count = min(len(data), BLOCK - offset)
        blocks[block] = zlib.crc32(data[:count], blocks[block])
        data, at = data[count:], at + count


def _write(descriptor: int, data: memoryview, at: int) -> None:
    while data:
        count = os.pwrite(descriptor, data, at)
        data, at = data[count:], at + count
