"""Tells Dagster that there is other code to load: what its UI's button Reload does, by the webserver's own GraphQL.

A code server that loads code once (`dagster api grpc`) does not load it again for that: it is to be restarted.
"""

from __future__ import annotations

import json
import logging
import threading
import urllib.error
import urllib.request
from collections.abc import Callable

from flowhub_assets.executor.dagster_runs import Origins

logger = logging.getLogger("flowhub.server")

#: Seconds. A code location of a thousand pipelines takes its time.
_PATIENCE = 180.0
_MUTATION = """
mutation ($location: String!) {
  reloadRepositoryLocation(repositoryLocationName: $location) {
    __typename
    ... on WorkspaceLocationEntry { loadStatus }
  }
}
"""


class Reloading:
    """One for each server; ``ui`` is the webserver's address, "" where there is none to be asked."""

    def __init__(self, ui: str, origins: Callable[[], Origins]) -> None:
        self._ui = ui.rstrip("/")
        self._origins = origins
        self._lock = threading.Condition()
        self._asked = False
        self._works = False

    def ask(self) -> None:
        """Returns at once. Who asks while Dagster reloads has it reload once more afterwards, however many ask."""
        with self._lock:
            self._asked = bool(self._ui)
            if self._works or not self._asked:
                return
            self._works = True
        threading.Thread(target=self._work, name="flowhub-reload", daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Until all that was asked for is done, or was tried; False if that takes longer."""
        with self._lock:
            return self._lock.wait_for(lambda: not self._works, seconds)

    def _work(self) -> None:
        while self._goes_on():
            try:
                self._reload()
            except Exception as error:  # noqa: BLE001 - what was stored is stored; schedules come with a later reload
                logger.warning("Dagster was not told to reload at %s: %s", self._ui, error)

    def _goes_on(self) -> bool:
        with self._lock:
            self._works, self._asked = self._asked, False
            self._lock.notify_all()
            return self._works

    def _reload(self) -> None:
        location = self._origins().remote.code_location_origin.location_name
        asked = json.dumps({"query": _MUTATION, "variables": {"location": location}}).encode()
        headers = {"Content-Type": "application/json"}
        if not self._ui.startswith(("http://", "https://")):
            raise ValueError("this is no address of HTTP")
        request = urllib.request.Request(f"{self._ui}/graphql", asked, headers)  # noqa: S310 - see above
        with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:  # noqa: S310
            told = json.load(answer)
        done = (told.get("data") or {}).get("reloadRepositoryLocation") or {}
        if done.get("loadStatus") != "LOADED":
            kind = done.get("__typename") or "no answer to the question"
            logger.warning("Dagster did not reload %s: %s", location, kind)
