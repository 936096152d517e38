"""A new database of each kind, for tests that hold on both: import ``database`` and ``shared_postgres``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flowhub_assets.store.database import Database, default_url, open_database
from flowhub_assets_tests.postgres_server import PostgresServer, shared_postgres

__all__ = ["database", "shared_postgres"]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """On SQLite in a file, and on a real PostgreSQL."""
    if request.param == "sqlite":
        url = default_url(str(tmp_path))
    else:
        server: PostgresServer = request.getfixturevalue("shared_postgres")
        url = server.new_database()
    database = open_database(url)
    yield database
    database.close()
