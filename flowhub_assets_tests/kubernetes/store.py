"""What an API server keeps: documents by kind, namespace and name, and what became of them, version by version."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

Document = dict[str, Any]
Key = tuple[str, str, str]
Selects = Callable[[Mapping[str, Any]], bool]

_FIRST_VERSION = 1000  # a cluster has lived before a test begins


class TooOld(Exception):
    """The changes after a version are no longer known: 410 Gone."""


@dataclass(frozen=True)
class Change:
    """``before`` is None for what was new, ``after`` for what is gone; ``last`` is the document that a watch tells."""

    version: int
    kind: str
    namespace: str
    before: Document | None
    after: Document | None
    last: Document


class Store:
    """Takes documents from any thread; ``on_change`` is called with each Change, in the thread of the change.

    A stored document is never changed again: whoever changes one puts a new one.
    """

    def __init__(self, kept_changes: int = 20_000) -> None:
        self.version = _FIRST_VERSION
        self.on_change: list[Callable[[Change], None]] = []
        self._documents: dict[Key, Document] = {}
        self._keys: dict[str, Key] = {}
        self._owned: dict[str, set[Key]] = {}
        self._changes: deque[Change] = deque(maxlen=kept_changes)
        self._forgotten = _FIRST_VERSION
        self._lock = threading.RLock()

    def get(self, kind: str, namespace: str, name: str) -> Document | None:
        return self._documents.get((kind, namespace, name))

    def every(self, kind: str, namespace: str = "", selects: Selects = lambda _: True) -> list[Document]:
        """Those of a kind, in the order of their names; of all namespaces where none is named."""
        with self._lock:
            found = [(key, document) for key, document in self._documents.items() if key[0] == kind]
        ordered = sorted(found, key=itemgetter(0))
        return [document for key, document in ordered if namespace in ("", key[1]) and selects(document)]

    def by_uid(self, uid: str) -> Document | None:
        with self._lock:
            key = self._keys.get(uid)
            return None if key is None else self._documents.get(key)

    def dependents(self, uid: str) -> list[Document]:
        """Those whose ownerReferences name this owner."""
        with self._lock:
            there = [self._documents.get(key) for key in sorted(self._owned.get(uid, ()))]
            return [found for found in there if found is not None and uid in owners(found)]

    def put(self, document: Mapping[str, Any]) -> Document:
        """Adds or replaces; sets resourceVersion, and of what is new uid and creationTimestamp."""
        with self._lock:
            taken = deepcopy(dict(document))
            kind, metadata = taken["kind"], taken["metadata"]
            key = (kind, metadata["namespace"], metadata["name"])
            before = self._documents.get(key)
            if before is not None and same(before, taken):
                return before
            self.version += 1
            metadata.setdefault("uid", before["metadata"]["uid"] if before else str(uuid.uuid4()))
            metadata.setdefault("creationTimestamp", before["metadata"]["creationTimestamp"] if before else stamp())
            metadata["resourceVersion"] = str(self.version)
            self._documents[key] = taken
            self._keys[metadata["uid"]] = key
            for uid in owners(taken):
                self._owned.setdefault(uid, set()).add(key)
            self._tell(Change(self.version, kind, key[1], before, taken, taken))
            return taken

    def remove(self, kind: str, namespace: str, name: str) -> None:
        with self._lock:
            before = self._documents.pop((kind, namespace, name), None)
            if before is None:
                return
            self._keys.pop(before["metadata"]["uid"], None)
            self.version += 1
            last = {**before, "metadata": {**before["metadata"], "resourceVersion": str(self.version)}}
            self._tell(Change(self.version, kind, namespace, before, None, last))

    def forget(self) -> None:
        """Makes every version up to now too old for a watch to begin from, as a compaction of etcd does."""
        with self._lock:
            self._changes.clear()
            self._forgotten = self.version

    def since(self, version: int) -> list[Change]:
        """The changes after a version; raises TooOld."""
        with self._lock:
            oldest = self._changes[0].version - 1 if self._changes else self._forgotten
            if version < oldest:
                raise TooOld(f"too old resource version: {version} ({oldest})")
            found = []
            for change in reversed(self._changes):
                if change.version <= version:
                    break
                found.append(change)
            return found[::-1]

    def _tell(self, change: Change) -> None:
        self._changes.append(change)
        for told in tuple(self.on_change):
            told(change)


class Bell:
    """An event that wakes all who wait in one loop, rung from any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._event = asyncio.Event()

    def ring(self) -> None:
        with suppress(RuntimeError):  # a loop that is closed has nobody who waits
            self._loop.call_soon_threadsafe(self._ring)

    def _ring(self) -> None:
        rung, self._event = self._event, asyncio.Event()
        rung.set()

    def next(self) -> asyncio.Event:
        """Is set at the next ring."""
        return self._event


def owners(document: Mapping[str, Any]) -> list[str]:
    """The uids of the owners of a document."""
    return [str(reference["uid"]) for reference in document["metadata"].get("ownerReferences") or []]


def same(before: Document, after: Document) -> bool:
    """Whether two documents differ in their resourceVersion at most."""
    left, right = dict(before), dict(after)
    metadata = [{**part.pop("metadata"), "resourceVersion": ""} for part in (left, right)]
    metadata[1] = {"uid": metadata[0].get("uid"), "creationTimestamp": metadata[0]["creationTimestamp"], **metadata[1]}
    return left == right and metadata[0] == metadata[1]


def stamp(moment: datetime | None = None) -> str:
    """A time as Kubernetes writes it, in whole seconds of UTC."""
    return (moment or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
