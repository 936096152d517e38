"""Durable event writing in few transactions: the events of a run, kept back for a moment and written together.

Nothing is said that has not happened: an event is made after what it tells (a step's success after its outputs
are saved), events are written in the order in which they were made, and those that were made last are lost if the
process dies. Whoever reads the log through the same storage object, writes a run's status or claims a pool's place
finds all that was said before.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

from flowhub_assets.executor.dagster_private import (
    ASSET_CHECK_EVENTS,
    EVENT_TYPE_TO_PIPELINE_RUN_STATUS,
    DagsterInstance,
    EventLogEntry,
)
from flowhub_assets.executor.dagster_storages import EventLogStorage
from flowhub_assets.executor.event_writers import EventWriter, writer_for

#: The longest time in seconds for which an event is kept back.
_LONGEST = 0.08
#: So many events are written without waiting any longer.
_MOST = 256
#: So many, and whoever makes the next one writes them: the storage is slower than the steps.
_TOO_MANY = 4 * _MOST


class EventBatch:
    """Stands before one storage object's ``store_event`` and ``_connect`` while runs of this process use it."""

    def __init__(self, storage: EventLogStorage, writer: EventWriter) -> None:
        self._storage = storage
        self._writer = writer
        self._runs: Counter[str] = Counter()
        self._events: list[EventLogEntry] = []
        self._oldest = 0.0
        self._changed = threading.Condition()
        self._writing = threading.RLock()
        self._in_writer = threading.local()
        self._error: BaseException | None = None
        self._closed = False
        self._store_event = storage.store_event
        patches = writer.patches()
        self._connect = patches["_connect"]
        self._patches = {**patches, "store_event": self.store, "_connect": self._connect_up_to_date}
        vars(storage).update(self._patches)
        threading.Thread(target=self._write_when_due, name="flowhub-events", daemon=True).start()

    def add_run(self, run_id: str) -> None:
        """Events of this run may be kept back from now on."""
        self._runs[run_id] += 1

    def remove_run(self, run_id: str) -> bool:
        """No longer. True if no run is left: the storage is as it was before."""
        try:
            self.flush()
        finally:
            self._runs[run_id] -= 1
            self._runs += Counter()  # without those that are at zero
            if not self._runs:
                self._close()
        return not self._runs

    def store(self, event: EventLogEntry) -> None:
        """In the place of the storage's store_event. Raises what an earlier attempt to write has raised."""
        if event.run_id not in self._runs or not _may_wait(event):
            self.flush()
            self._store_event(event)
            return
        with self._changed:
            self._raise_error()
            self._events.append(event)
            count = len(self._events)
            if count == 1:
                self._oldest = time.monotonic()
            if count in (1, _MOST):
                self._changed.notify()
        if count >= _TOO_MANY:
            self.flush()

    def flush(self) -> None:
        """Returns when every event that was stored before is durable."""
        with self._writing:
            with self._changed:
                self._raise_error()
                events, self._events = self._events, []
            if not events:
                return
            self._in_writer.now = True
            try:
                self._writer.write(events)
            except BaseException as error:
                self._error = error
                raise
            finally:
                self._in_writer.now = False

    def _connect_up_to_date(self, *arguments: Any) -> Any:
        # Whoever reads, finds what was said; whoever writes (a pool's place), does so after it.
        if not getattr(self._in_writer, "now", False):
            self.flush()
        return self._connect(*arguments)

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _write_when_due(self) -> None:
        while True:
            with self._changed:
                while not self._events:
                    if self._closed:
                        return
                    self._changed.wait()
                while self._events and len(self._events) < _MOST:
                    left = self._oldest + _LONGEST - time.monotonic()
                    if left <= 0 or self._closed:
                        break
                    self._changed.wait(left)
            try:
                self.flush()
            except Exception:  # noqa: BLE001 - kept, and raised to whoever stores the next event
                return

    def _close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()
        for name in self._patches:
            vars(self._storage).pop(name, None)
        self._writer.close()


_batches: WeakKeyDictionary[EventLogStorage, EventBatch] = WeakKeyDictionary()
_batches_lock = threading.Lock()


@contextlib.contextmanager
def batched_events(instance: DagsterInstance, run_id: str) -> Iterator[Callable[[], None]]:
    """While inside, the run's events are written in batches; gives the call that makes them durable at once.

    All are when the block ends. A storage that is not known here is left alone.
    """
    storage = instance.event_log_storage
    with _batches_lock:
        batch = _batches.get(storage)
        if batch is None:
            writer = writer_for(storage)
            if writer is not None:
                batch = _batches[storage] = EventBatch(storage, writer)
        if batch is not None:
            batch.add_run(run_id)
    if batch is None:
        yield lambda: None
        return
    try:
        yield batch.flush
    finally:
        with _batches_lock:
            try:
                batch.remove_run(run_id)
            finally:
                if not batch._runs:
                    _batches.pop(storage, None)


def _may_wait(event: EventLogEntry) -> bool:
    """Not a run's status, which others wait for, nor what the storage keeps in further tables for itself."""
    kind = event.dagster_event_type
    return kind is None or (kind not in EVENT_TYPE_TO_PIPELINE_RUN_STATUS and kind not in ASSET_CHECK_EVENTS)
