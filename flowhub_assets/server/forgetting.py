"""What nobody asks for any more leaves the database: settled requests, keys and deliveries whose lifetime is over."""

from __future__ import annotations

from flowhub_assets.store import deliveries, submissions
from flowhub_assets.store.database import Database

#: For how many seconds a settled request is kept: Dagster has its run, and what it was started with.
KEPT_SECONDS = 30 * 24 * 3_600.0
#: Seconds between two looks.
EVERY_SECONDS = 3_600.0


def forget_old(database: Database, now: float) -> None:
    """Drops it. What is still to be launched, answered or recorded stays. Raises Unavailable."""
    with database.begin() as connection:
        submissions.forget(connection, now - KEPT_SECONDS, now)
        deliveries.forget(connection, now)
