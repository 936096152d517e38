"""Events of the Kubernetes double, counted as a cluster counts them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from flowhub_assets_tests.kubernetes.store import Store, stamp

_SOURCES = {
    "Scheduled": "default-scheduler",
    "FailedScheduling": "default-scheduler",
    "Preempted": "default-scheduler",
    "TaintManagerEviction": "taint-eviction-controller",
    "NodeNotReady": "node-controller",
}


class Events:
    """Writes Events into the store; the same said again of the same object only counts."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._names: dict[tuple[str, str, str], str] = {}

    def tell(self, about: Mapping[str, Any], kind: str, reason: str, message: str) -> None:
        """``kind`` is "Normal" or "Warning"; ``about`` the object's document."""
        metadata = about["metadata"]
        said = (metadata["uid"], reason, message)
        before = self._store.get("Event", metadata["namespace"], self._names.get(said, ""))
        if before is not None:
            self._store.put({**before, "count": before["count"] + 1, "lastTimestamp": stamp()})
            return
        self._names[said] = f"{metadata['name']}.{time.time_ns():x}"
        of_jobs = "job-controller" if about["kind"] == "Job" else "kubelet"
        component = _SOURCES.get(reason, of_jobs)
        self._store.put(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": self._names[said], "namespace": metadata["namespace"]},
                "involvedObject": {
                    "apiVersion": about["apiVersion"],
                    "kind": about["kind"],
                    "name": metadata["name"],
                    "namespace": metadata["namespace"],
                    "uid": metadata["uid"],
                    "resourceVersion": metadata.get("resourceVersion", ""),
                },
                "reason": reason,
                "message": message[:1024],
                "type": kind,
                "count": 1,
                "firstTimestamp": stamp(),
                "lastTimestamp": stamp(),
                "source": {"component": component},
                "reportingComponent": component,
                "reportingInstance": "",
            }
        )
