"""What Prometheus reads of the front: requests and seconds of each version, and which of them are served."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowhub_assets.ml.serving.routes import CHALLENGER, Arm, Route

#: Seconds. A prediction takes milliseconds, so the lower bounds stand close.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_LABELS = ("model", "version", "alias")


class FrontMetrics:
    """Counts of one front; their names begin with ``flowhub_serving_``."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self._registry = CollectorRegistry()
        self._requests = Counter(
            "flowhub_serving_requests",
            "Predictions that were asked for, by version and HTTP status.",
            (*_LABELS, "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "flowhub_serving_request_seconds",
            "Seconds until a prediction was answered.",
            _LABELS,
            buckets=BUCKETS,
            registry=self._registry,
        )
        self._share = Gauge(
            "flowhub_serving_share",
            "The share of a model's traffic that a version is to have; nothing where none is served.",
            _LABELS,
            registry=self._registry,
        )
        self._children: dict[tuple[str, ...], Any] = {}

    def request(self, model: str, arm: Arm, status: int, seconds: float) -> None:
        """One request to /predict, with the status that its caller got."""
        key = (model, arm.version, arm.alias, str(status))
        children = self._children.get(key)
        if children is None:
            children = self._requests.labels(*key), self._seconds.labels(*key[:3])
            self._children[key] = children
        children[0].inc()
        children[1].observe(seconds)

    def text(self, routes: Mapping[str, Route]) -> bytes:
        """All of it, in Prometheus' text format, with the shares as ``routes`` has them now."""
        from prometheus_client import generate_latest

        self._share.clear()
        for route in routes.values():
            for arm in route.arms:
                share = route.share if arm.alias == CHALLENGER else 1 - (route.share if route.challenger else 0)
                self._share.labels(route.model, arm.version, arm.alias).set(share)
        return generate_latest(self._registry)
