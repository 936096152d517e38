"""What Dagster's SQLite storages look up or open anew for every query, kept while a run lasts."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from flowhub_assets.executor.dagster_storages import sqlite_engine


class KeptEngines:
    """An engine for each database file, with its connections and compiled statements."""

    def __init__(self) -> None:
        self._engines: dict[str, Any] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def transaction(self, url: str) -> Iterator[Any]:
        """A connection in a transaction, committed if the block ends well."""
        with self._lock:
            if url not in self._engines:
                self._engines[url] = sqlite_engine(url)
            engine = self._engines[url]
        with engine.connect() as connection, connection.begin():
            yield connection

    def close(self) -> None:
        """Closes what is open."""
        with self._lock:
            for engine in self._engines.values():
                engine.dispose()
            self._engines.clear()


def once_true(ask: Callable[..., bool]) -> Callable[..., bool]:
    """Asks no more, for the same last argument, once the answer was True: tables and indices stay."""
    known: set[Any] = set()

    def answer(*arguments: Any) -> bool:
        if arguments[-1] not in known and ask(*arguments):
            known.add(arguments[-1])
        return arguments[-1] in known

    return answer
