"""The objects of a storage with their times, a page at a time, in the order of their keys and from any key on.

A storage's own ``list`` tells no times and has no place to go on from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from flowhub_assets.runtime.bucket import BucketStorage
from flowhub_assets.runtime.s3_client import S3Limits
from flowhub_assets.runtime.storage import get_storage

#: Before all times.
EVER = -(1 << 62)


class StoredObject(NamedTuple):
    """One object. ``modified`` is in microseconds since 1970, ``size`` in bytes, ``etag`` what tells its content."""

    key: str
    modified: int
    size: int
    etag: str


@dataclass(frozen=True)
class ObjectPage:
    """Some objects that follow each other by their keys: ``objects`` are those of them that are late enough.

    ``seen`` counts all of them, ``last`` is the last one's key ("" if there is none). ``clock`` is the storage's own
    time when it answered, in microseconds since 1970.
    """

    objects: list[StoredObject]
    clock: int
    seen: int
    last: str


class ObjectPages(Protocol):
    """The objects of one storage."""

    #: ``/abs/workspace`` or ``s3://bucket``.
    name: str
    #: The bucket's name, None for a folder.
    bucket: str | None

    def pages(self, prefix: str, after: str = "", since: int = EVER) -> Iterator[ObjectPage]:
        """The objects whose keys begin with ``prefix`` and follow ``after``, in the order of their keys' UTF-8.

        Those modified at ``since`` or before are counted only. At least one page, be it empty. Raises StorageError and
        its kinds, as all verbs of a storage.
        """

    def url(self, key: str) -> str:
        """The object's URL."""


def object_pages(env: Mapping[str, Any], limits: S3Limits | None = None) -> ObjectPages:
    """Those of the storage that a profile names. Raises ProfileError if it names none, as get_storage does."""
    storage = get_storage(env)
    if isinstance(storage, BucketStorage):
        from flowhub_assets.resources.s3_pages import BucketPages

        return BucketPages(storage.config, limits or S3Limits())
    from flowhub_assets.resources.folder_pages import FolderPages

    return FolderPages(storage.name)
