"""All that a door needs, put together: the pipelines, the database, Dagster, and the function that starts runs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

from dagster import DagsterInstance

from flowhub_assets.errors import FlowhubError
from flowhub_assets.executor.dagster_runs import Origins
from flowhub_assets.executor.kept_connections import keeping_connections
from flowhub_assets.resources.queues import Queues
from flowhub_assets.server.access import Doorkeeper
from flowhub_assets.server.catalogue import Catalogue
from flowhub_assets.server.forgetting import EVERY_SECONDS, forget_old
from flowhub_assets.server.launching import Launcher, require_queue
from flowhub_assets.server.reloading import Reloading
from flowhub_assets.server.runs import Runs
from flowhub_assets.server.warm_engine import WarmEngine
from flowhub_assets.store.database import Database, open_database
from flowhub_assets.to_dagster.queue_sensor import keep_pools
from flowhub_assets.to_dagster.repository import CodeLocation
from flowhub_assets.to_dagster.waiting_runs import drop_waiting

logger = logging.getLogger("flowhub.server")

#: Seconds between two looks for what is due.
_LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Surroundings:
    """What a server is told. ``ui`` is the address of Dagster's UI, "" where it is not known.

    ``is_open``: this machine's own users need no token.
    """

    location: CodeLocation
    database_url: str
    origins: Callable[[], Origins]
    queues: Queues = field(default_factory=Queues)
    ui: str = ""
    is_open: bool = False


@dataclass(frozen=True)
class Backend:
    """One for each process; all of its parts may be used by many threads at once."""

    surroundings: Surroundings
    instance: DagsterInstance
    database: Database
    catalogue: Catalogue
    launcher: Launcher
    runs: Runs
    doorkeeper: Doorkeeper
    warm: WarmEngine
    reloading: Reloading

    def run_url(self, run_id: str) -> str:
        """The run's page in Dagster's UI; "" where that is not known."""
        return _run_url(self.surroundings.ui, run_id)


def _run_url(ui: str, run_id: str) -> str:
    return f"{ui.rstrip('/')}/runs/{run_id}" if ui else ""


@contextmanager
def open_backend(surroundings: Surroundings, instance: DagsterInstance) -> Iterator[Backend]:
    """Raises InputError, Unavailable."""
    require_queue(instance)
    database = open_database(surroundings.database_url)
    try:
        catalogue = Catalogue(surroundings.location, database)
        launcher = Launcher(instance, catalogue, surroundings.origins)

        def drop(run_ids: list[str], newer: str) -> list[str]:
            return [run_id for run_id in run_ids if drop_waiting(instance, run_id, newer)]

        runs = Runs(catalogue, database, launcher, surroundings.queues, drop)
        doorkeeper = Doorkeeper(database, is_open=surroundings.is_open)
        _set_pools(instance, surroundings.queues)
        warm = WarmEngine(instance, database, catalogue, runs, partial(_run_url, surroundings.ui))
        with keeping_connections(instance), closing(warm):
            reloading = Reloading(surroundings.ui, surroundings.origins)
            yield Backend(surroundings, instance, database, catalogue, launcher, runs, doorkeeper, warm, reloading)
    finally:
        database.close()


def _set_pools(instance: DagsterInstance, queues: Queues) -> None:
    # For a first run that comes before the first look of the sensor, which also tells what is wrong.
    with suppress(Exception):
        keep_pools(instance, queues.pools, queues.pools)


@contextmanager
def launching_in_background(backend: Backend) -> Iterator[None]:
    """Launches what was accepted and is not launched: at once what an earlier process has left, then every second."""
    ended = threading.Event()

    def look() -> None:
        first, forgotten = True, float("-inf")
        while not ended.is_set():
            try:
                for wrong in backend.runs.launch_due(all_accepted=first):
                    logger.warning("%s", wrong)
                first = False
                if time.monotonic() - forgotten > EVERY_SECONDS:
                    forget_old(backend.database, time.time())
                    forgotten = time.monotonic()
            except FlowhubError as error:
                logger.warning("%s", error.what)
            except Exception:
                logger.exception("looking for what is due")
            ended.wait(_LOOK_SECONDS)

    thread = threading.Thread(target=look, name="flowhub-launch-due", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(30)
