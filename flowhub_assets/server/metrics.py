"""What Prometheus reads at GET /metrics: requests of both doors, runs that were started, what still waits."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import func, select

from flowhub_assets.errors import FlowhubError
from flowhub_assets.store.database import Database
from flowhub_assets.store.tables import submissions

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """One for each server; its names begin with ``flowhub_``."""

    def __init__(self, database: Database) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "flowhub_requests",
            "Requests, by door, what was asked, and status.",
            ("door", "path", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "flowhub_request_seconds",
            "Seconds until the answer was complete.",
            ("door", "path"),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._registry.register(_Waiting(database))

    def request(self, door: str, path: str, status: str, seconds: float) -> None:
        """One request: ``path`` is a route or a method, never what a caller can choose freely."""
        self._requests.labels(door, path, status).inc()
        self._seconds.labels(door, path).observe(seconds)

    def text(self) -> bytes:
        """All of it, in Prometheus' text format."""
        return generate_latest(self._registry)


class _Waiting:
    """How many submissions are in each state, asked when Prometheus asks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Any:
        family = GaugeMetricFamily("flowhub_submissions", "Accepted requests, by state.", labels=["state"])
        try:
            with self._database.read() as connection:
                query = select(submissions.c.state, func.count()).group_by(submissions.c.state)
                for state, count in connection.execute(query):
                    family.add_metric([state], count)
        except FlowhubError:
            # Prometheus sees the rest; that the database is away is what /readyz tells.
            return
        yield family

    def describe(self) -> Any:
        """Nothing: registering must not ask the database."""
        return []
