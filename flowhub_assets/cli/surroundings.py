"""What ``flowhub`` finds around it: Dagster's storage, the code location, the database, the queues."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from flowhub_assets.errors import InputError

if TYPE_CHECKING:
    from flowhub_assets.executor.dagster_runs import Origins
    from flowhub_assets.server.backend import Backend

_MODULE, _LOCATION = "flowhub_assets.definitions", "flowhub_assets"


def dagster_home() -> str:
    """The folder of the Dagster that runs. Raises InputError where there is none."""
    home = os.environ.get("DAGSTER_HOME", "")
    if home and Path(home).is_dir():
        return home
    raise InputError(
        f"DAGSTER_HOME is {home!r}, which is no folder" if home else "DAGSTER_HOME is not set",
        effect="There is no Dagster to start runs in.",
        remedy="export DAGSTER_HOME=$PWD/.dagster, the folder of the Dagster that runs, or name a server by --url.",
    )


def database_url() -> str:
    """The URL of our own database: FLOWHUB_DATABASE, or the file beside Dagster's. Raises InputError."""
    from flowhub_assets.store.database import default_url

    return os.environ.get("FLOWHUB_DATABASE") or default_url(dagster_home())


@contextmanager
def local_backend(ui: str = "", workspace: str | None = None, *, is_open: bool = True) -> Iterator[Backend]:
    """The backend over the Dagster of DAGSTER_HOME. Raises InputError where there is none."""
    from dagster import DagsterInstance

    from flowhub_assets.definitions import location, settings
    from flowhub_assets.executor.dagster_runs import origins_here, origins_in_workspace
    from flowhub_assets.server.backend import Surroundings, open_backend

    url = database_url()
    dagster_home()

    @cache
    def origins() -> Origins:
        if workspace is None:
            return origins_here(_MODULE, _LOCATION)
        return origins_in_workspace(Path(workspace), _LOCATION)

    surroundings = Surroundings(
        location=location,
        database_url=url,
        origins=origins,
        queues=settings.queues,
        ui=ui,
        is_open=is_open,
    )
    with DagsterInstance.get() as instance, open_backend(surroundings, instance) as backend:
        yield backend
