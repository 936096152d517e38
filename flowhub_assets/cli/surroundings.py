"""What ``flowhub`` finds around it: Dagster's storage, the code location, the database, the queues."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from flowhub_assets.errors import InputError

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from flowhub_assets.executor.dagster_runs import Origins
    from flowhub_assets.server.backend import Backend

#: Seconds for which what a code server has told is taken to be so still.
_ASK_SECONDS = 60.0
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


@contextmanager
def dagster_instance() -> Iterator[DagsterInstance]:
    """The Dagster of DAGSTER_HOME. Raises InputError where there is none."""
    from dagster import DagsterInstance

    dagster_home()
    with DagsterInstance.get() as instance:
        yield instance


@contextmanager
def local_backend(
    ui: str = "", workspace: Path | None = None, *, code_location: str | None = None, is_open: bool = True
) -> Iterator[Backend]:
    """The backend over the Dagster of DAGSTER_HOME. Raises InputError where there is none.

    ``code_location`` is the name by which that Dagster has this code, the only one of ``workspace`` if None.
    """
    from flowhub_assets.definitions import location, settings
    from flowhub_assets.server.backend import Surroundings, open_backend
    from flowhub_assets.store.opened import url_of

    origins = _origins(workspace, code_location)
    with dagster_instance() as instance:
        surroundings = Surroundings(
            location=location,
            database_url=url_of(instance),
            origins=origins,
            queues=settings.queues,
            ui=ui,
            is_open=is_open,
        )
        with open_backend(surroundings, instance) as backend:
            yield backend


def _origins(workspace: Path | None, code_location: str | None) -> Callable[[], Origins]:
    """Where the daemon finds the code; a code server is asked again now and then, for it may have a new image."""
    from flowhub_assets.executor.dagster_runs import location_in_workspace, origins_here, origins_of

    if workspace is None:
        here = origins_here(_MODULE, code_location or _LOCATION)
        return lambda: here
    found = location_in_workspace(workspace, code_location)
    asked: list[tuple[float, Origins]] = []

    def origins() -> Origins:
        if not asked or time.monotonic() - asked[0][0] > _ASK_SECONDS:
            asked[:] = [(time.monotonic(), origins_of(found))]
        return asked[0][1]

    return origins
