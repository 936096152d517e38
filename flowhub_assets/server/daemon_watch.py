"""Tells that Dagster's daemons have stopped: a sensor cannot, for it is one of them that asks it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from flowhub_assets.errors import FlowhubError
from flowhub_assets.server.backend import Backend
from flowhub_assets.to_dagster.looking import look_at_daemons

logger = logging.getLogger("flowhub.server")

#: Seconds between two looks.
_LOOK_SECONDS = 30.0


@contextmanager
def watching_daemons(backend: Backend, seconds: float = _LOOK_SECONDS) -> Iterator[None]:
    """Looks now and then, while whoever asked for it goes on; alerts that the sensor has left are delivered, too."""
    alerts = backend.surroundings.location.alerts
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(seconds):
            try:
                if told := look_at_daemons(backend.instance, alerts, time.time()):
                    logger.warning("alerts: %s", told)
            except FlowhubError as error:
                logger.warning("%s", error.what)
            except Exception:
                logger.exception("looking at Dagster's daemons")

    if not alerts.endpoints() and not alerts.variables:
        yield
        return
    thread = threading.Thread(target=look, name="flowhub-daemon-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(30)
