"""What is done besides starting a run, which is kept with the request itself, goes into the audit log here."""

from __future__ import annotations

import logging
import time

from flowhub_assets.errors import FlowhubError
from flowhub_assets.server.access import Caller
from flowhub_assets.store.audit import Act, write
from flowhub_assets.store.database import Database

logger = logging.getLogger("flowhub.server")


def note(
    database: Database, caller: Caller, door: str, action: str, target: str, *, result: str = "done", detail: str = ""
) -> None:
    """Adds a line, durably. Where the database is away the server's own log has it."""
    act = Act(time.time(), caller.name, caller.peer, door, action, target, result, detail)
    try:
        with database.begin() as connection:
            write(connection, act)
    except FlowhubError as error:
        logger.warning("audit: %s (%s)", act, error.what)
