"""Deletion as the API server and its garbage collector do it: owners, dependents, the three propagation policies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flowhub_assets_tests.kubernetes.store import Change, Document, Store, owners, stamp

COLLECTED = ("Pod", "Job", "ConfigMap", "Secret")
_FOREGROUND = "foregroundDeletion"


class Collector:
    """``end_pod(document, grace)`` is what deletes a pod: its process ends first. Runs in the double's loop."""

    def __init__(self, store: Store, end_pod: Callable[[Mapping[str, Any], float | None], None]) -> None:
        self._store = store
        self._end_pod = end_pod

    def delete(self, document: Mapping[str, Any], policy: str, grace: float | None = None) -> None:
        """``policy`` is Background, Foreground or Orphan; a pod goes when its containers have ended."""
        kind, metadata = document["kind"], document["metadata"]
        if kind == "Pod":
            self._end_pod(document, grace)
            return
        dependents = self._store.dependents(metadata["uid"])
        if policy == "Orphan":
            for dependent in dependents:
                self._disown(dependent, metadata["uid"])
        elif policy == "Foreground" and dependents:
            finalizers = list(dict.fromkeys([*(metadata.get("finalizers") or []), _FOREGROUND]))
            leaving = {"deletionTimestamp": metadata.get("deletionTimestamp", stamp()), "finalizers": finalizers}
            self._store.put({**document, "metadata": {**metadata, **leaving}})
            for dependent in dependents:
                self._collect(dependent)
            self._free(metadata["uid"])
            return
        self._store.remove(kind, metadata["namespace"], metadata["name"])

    def see(self, change: Change) -> None:
        """What follows from a change: dependents go after their owner, an owner after those for whom it waits."""
        if change.after is None and change.before is not None:
            for dependent in self._store.dependents(change.before["metadata"]["uid"]):
                self._collect(dependent)
            for uid in owners(change.before):
                self._free(uid)
        elif change.after is not None and change.kind in COLLECTED and change.after["metadata"].get("ownerReferences"):
            self._collect(change.after)

    def _collect(self, dependent: Document) -> None:
        """Deletes what has no owner left, as long as all its owners are of a kind that this double keeps."""
        metadata = dependent["metadata"]
        references = metadata.get("ownerReferences") or []
        if "deletionTimestamp" in metadata or any(reference["kind"] not in COLLECTED for reference in references):
            return
        living = [reference for reference in references if self._lives(reference["uid"], metadata["namespace"])]
        if not living:
            self.delete(dependent, "Background")
        elif len(living) < len(references):
            self._store.put({**dependent, "metadata": {**metadata, "ownerReferences": living}})

    def _lives(self, uid: str, namespace: str) -> bool:
        owner = self._store.by_uid(uid)
        if owner is None or owner["metadata"]["namespace"] != namespace:
            return False
        return _FOREGROUND not in (owner["metadata"].get("finalizers") or [])

    def _disown(self, dependent: Document, uid: str) -> None:
        metadata = dependent["metadata"]
        left = [reference for reference in metadata["ownerReferences"] if reference["uid"] != uid]
        kept = {key: value for key, value in metadata.items() if key != "ownerReferences"}
        self._store.put({**dependent, "metadata": kept | ({"ownerReferences": left} if left else {})})

    def _free(self, uid: str) -> None:
        """Lets an owner go that waits for its dependents, once none is left that blocks it."""
        owner = self._store.by_uid(uid)
        if owner is None or _FOREGROUND not in (owner["metadata"].get("finalizers") or []):
            return
        blocking = [
            reference
            for dependent in self._store.dependents(uid)
            for reference in dependent["metadata"]["ownerReferences"]
            if reference["uid"] == uid and reference.get("blockOwnerDeletion")
        ]
        if not blocking:
            metadata = owner["metadata"]
            self._store.remove(owner["kind"], metadata["namespace"], metadata["name"])
