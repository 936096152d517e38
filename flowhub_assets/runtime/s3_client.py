"""The few requests that a storage makes of S3 or MinIO, whoever sends them, and how long they go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Optional, Protocol

#: User metadata (``x-amz-meta-...``) that keeps our own digest of an object.
DIGEST_NAME = "flowhub-crc32-8mib"


@dataclass(frozen=True)
class S3Limits:
    """How long to go on: ``retries`` of a failed request, ``timeout`` seconds without a byte; back-off in seconds."""

    retries: int = 6
    timeout: float = 60.0
    connect_timeout: float = 5.0
    first_backoff: float = 0.2
    longest_backoff: float = 5.0

    def backoff(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row (1 or more)."""
        return min(self.longest_backoff, self.first_backoff * 2.0 ** (failures - 1))


@dataclass(frozen=True)
class S3Answer:
    """What the server says of an object, and its content when ``body`` is called.

    ``etag`` stands without quotes; ``digest`` is ours, ``""`` for an object that others have stored.
    """

    size: int
    etag: str
    digest: str
    body: Callable[[], bytes]


class S3Client(Protocol):
    """The requests; a ``key`` is one that ``checked_key`` let pass."""

    def put(self, key: str, data: bytes, digest: str) -> str:
        """Stores a small object; returns its ETag."""

    def put_parts(self, key: str, parts: Iterator[bytes], part_size: int, threads: int, digest: str) -> str:
        """Stores an object in parts of ``part_size`` bytes (the last one is the rest), several at once; its ETag."""

    def get(self, key: str) -> S3Answer:
        """Asks for an object."""

    def size(self, key: str) -> int:
        """The object's size in bytes."""

    def list(self, prefix: str, pages: int = 0) -> Iterator[tuple[str, int]]:
        """(key, size) of the objects whose key begins with ``prefix``; of the first ``pages`` pages where not 0."""

    def delete(self, key: str) -> None:
        """Removes an object; S3 does not mind one that is not there."""

    def sign(self, key: str, seconds: int) -> str:
        """A URL that gets the object for ``seconds`` seconds."""


def bare_etag(etag: Optional[str]) -> str:
    """An ETag header without its quotes."""
    return (etag or "").removeprefix("W/").strip('"').lower()
