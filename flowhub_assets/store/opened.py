"""Which database is a Dagster's: opened once in a process, for sensors and schedules ask at each of their ticks."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from flowhub_assets.store.database import Database

logger = logging.getLogger("flowhub.store")

#: How a stored workflow stands where a file of pipelines has its folder; in <>, as Python names what is in no file.
FOLDER = "<stored workflow>"

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


def file_of(workflow: str) -> str:
    """How errors and Dagster name the file that a stored workflow would be."""
    return f"{FOLDER}/{workflow}.yaml"


def stored_workflows() -> dict[str, str]:
    """The workflows that were written over the API, name → YAML, for a process that loads code.

    It only looks: where there is no database, where none of these tables are in it, or where it does not answer,
    there are none, and a log line says so. Nothing is made, and nothing that is wrong there keeps files from loading.
    """
    try:
        return _stored_workflows()
    except Exception as error:  # noqa: BLE001 - of SQLAlchemy, a driver, Dagster: their texts may hold the URL
        logger.warning("no stored workflow is loaded: the database cannot be read (%s)", type(error).__name__)
        return {}


def _stored_workflows() -> dict[str, str]:
    url = _url_here()
    if url is None:
        return {}
    from sqlalchemy import inspect

    from flowhub_assets.store import tables, workflows
    from flowhub_assets.store.database import look_into

    database = look_into(url)
    if database is None:
        logger.info("no stored workflow is loaded: there is no database yet")
        return {}
    # Closed at once: a run worker forks its steps, and a connection cannot be shared.
    with closing(database), database.read() as connection:
        if not inspect(connection).has_table(tables.workflows.name):
            logger.warning("no stored workflow is loaded: the database is of an earlier version, or of somebody else")
            return {}
        return {one.name: one.text for one in workflows.all_workflows(connection)}


def _url_here() -> str | None:
    """As ``url_of``, where no instance is at hand: Dagster gives none to code that it loads. None where there is none.

    Dagster's own storage is opened only if it is PostgreSQL: in files, that would make them.
    """
    named, home = os.environ.get("FLOWHUB_DATABASE"), os.environ.get("DAGSTER_HOME")
    if named or not home:
        return named or None
    settings = Path(home) / "dagster.yaml"
    if settings.is_file() and "postgres" in settings.read_text(encoding="utf-8", errors="replace"):
        from dagster import DagsterInstance

        with DagsterInstance.get() as instance:
            return url_of(instance)
    from flowhub_assets.store.database import default_url

    return default_url(home)
