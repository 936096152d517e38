"""Digests of objects: fast enough to travel along, decisive where a server's ETag is not.

Our own digest is the SHA-256 over the SHA-256 of each block of 8 MiB. It is kept as metadata of the object, so it
holds whatever the server makes of its ETag, and its blocks can be hashed in any order, by many threads.

An S3 server's ETag is the MD5 of an object put at once, and the MD5 over the MD5 of each part, ``-`` and the number
of parts, of one put in parts; but not where it is encrypted by KMS, and not on every server.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO

BLOCK = 8 * 1024 * 1024
_READ = 1024 * 1024

_MD5_FORM = re.compile(r"[0-9a-f]{32}(-\d+)?")


def combined(blocks: Sequence[bytes]) -> str:
    """The digest of an object from the SHA-256 of its blocks, in their order."""
    return hashlib.sha256(b"".join(blocks)).hexdigest()


def digest_of_bytes(data: bytes) -> str:
    """The digest of a small object."""
    view = memoryview(data)
    return combined([hashlib.sha256(view[at : at + BLOCK]).digest() for at in range(0, len(data), BLOCK)])


def digest_of_file(path: str, size: int, threads: int) -> str:
    """The digest of the first ``size`` bytes of a file; hashing leaves the interpreter's lock, so threads help."""
    with open(path, "rb") as file, ThreadPoolExecutor(threads) as pool:
        return combined(list(pool.map(lambda at: _block(file, at, min(BLOCK, size - at)), range(0, size, BLOCK))))


def _block(file: BinaryIO, at: int, count: int) -> bytes:
    digest = hashlib.sha256()
    while count > 0 and (data := os.pread(file.fileno(), min(_READ, count), at)):
        digest.update(data)
        at += len(data)
        count -= len(data)
    return digest.digest()


def md5_of_bytes(data: bytes) -> str:
    """The ETag that S3 gives an object put at once."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def is_md5_form(etag: str) -> bool:
    """Whether an ETag may be an MD5, of an object put at once or in parts."""
    return _MD5_FORM.fullmatch(etag) is not None


def is_whole_md5(etag: str) -> bool:
    """Whether an ETag may be the MD5 of the content itself."""
    return is_md5_form(etag) and "-" not in etag


class HashedReader:
    """A file whose parts are hashed by other threads while they travel.

    The uploader reads part after part, always as many bytes as one part has; ``etag`` is what S3 gives them then.
    """

    def __init__(self, file: BinaryIO, pool: ThreadPoolExecutor, advance: Callable[[int], None]) -> None:
        self._file = file
        self._pool = pool
        self._advance = advance
        self._hashes: list[Future[bytes]] = []

    def read(self, size: int = -1) -> bytes:
        """The next part."""
        data = self._file.read(size)
        if data:
            self._hashes.append(self._pool.submit(_md5, data))
            self._advance(len(data))
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """As a file's; uploaders ask for the size with it."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As a file's."""
        return self._file.tell()

    def etag(self) -> str:
        """The ETag of the parts that were read."""
        parts = [one.result() for one in self._hashes]
        return f"{hashlib.md5(b''.join(parts), usedforsecurity=False).hexdigest()}-{len(parts)}"


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()
