"""The database of this process, opened once: what sensors and schedules ask at each of their ticks."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowhub_assets.store.database import Database

_opened: dict[str, Database] = {}
#: Tables are brought up to date by one thread at a time: Alembic keeps what it works on in globals.
_opening = threading.Lock()


def database_beside(root: str, environment: Mapping[str, str] | None = None) -> Database:
    """The database of FLOWHUB_DATABASE, or the file in DAGSTER_HOME, which is ``root`` where it is not set.

    Raises InputError for a URL that is none, Unavailable.
    """
    from flowhub_assets.store.database import default_url, open_database

    environment = os.environ if environment is None else environment
    url = environment.get("FLOWHUB_DATABASE") or default_url(environment.get("DAGSTER_HOME") or root)
    with _opening:
        if url not in _opened:
            _opened[url] = open_database(url)
        return _opened[url]
