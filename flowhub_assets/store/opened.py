"""Which database is a Dagster's: opened once in a process, for sensors and schedules ask at each of their ticks."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from flowhub_assets.store.database import Database

_opened: dict[str, Database] = {}
#: Tables are brought up to date by one thread at a time: Alembic keeps what it works on in globals.
_opening = threading.Lock()


def url_of(instance: DagsterInstance, environment: Mapping[str, str] | None = None) -> str:
    """FLOWHUB_DATABASE; else the PostgreSQL of Dagster's own runs; else a file in DAGSTER_HOME.

    So processes of one Dagster find one another's rows, in pods without a folder of their own as well.
    """
    from flowhub_assets.store.database import default_url

    environment = os.environ if environment is None else environment
    dagsters = getattr(instance.run_storage, "postgres_url", None)
    home = environment.get("DAGSTER_HOME") or instance.root_directory
    return environment.get("FLOWHUB_DATABASE") or dagsters or default_url(home)


def database_of(instance: DagsterInstance, environment: Mapping[str, str] | None = None) -> Database:
    """The database of that URL. Raises InputError for a URL that is none, Unavailable."""
    from flowhub_assets.store.database import open_database

    url = url_of(instance, environment)
    with _opening:
        if url not in _opened:
            _opened[url] = open_database(url)
        return _opened[url]
