"""What happens in a run, as a stream: Dagster's events, and each line that a task prints, also while it runs.

A line has no place of its own in Dagster's event log. It comes between the events of its step: after the one that says
where the lines lie, before the one that ends the attempt.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator

from dagster import DagsterEvent, DagsterEventType, EventLogEntry, EventLogRecord

from flowhub_assets.executor.dagster_runs import captured_in, position_of, read_captured
from flowhub_assets.server.backend import Backend
from flowhub_assets.server.run_cursor import STREAMS, LogFile, RunCursor, parse_cursor
from flowhub_assets.server.run_facts import LOG
from flowhub_assets.server.run_facts import RunEvent as RunEvent
from flowhub_assets.server.run_views import no_run, step_names, submission_of, view_of
from flowhub_assets.store import submissions
from flowhub_assets.to_dagster.failure_sensor import told_of_failure

#: A longer line comes in parts; so many bytes are read at once.
_LONGEST_LINE = 1 << 16
#: Seconds between two looks: at first, and at most where nothing comes.
_FIRST_PAUSE, _LAST_PAUSE, _STOP_SECONDS = 0.1, 1.0, 0.1
#: After these, the attempt prints no more.
_ENDS = frozenset(
    {
        DagsterEventType.STEP_SUCCESS,
        DagsterEventType.STEP_FAILURE,
        DagsterEventType.STEP_SKIPPED,
        DagsterEventType.STEP_UP_FOR_RETRY,
    }
)
#: The class of Dagster's that carries a task's own failure.
_OF_DAGSTER = re.compile(r"\Adagster\.[\w.]+: ")
_RUN_ENDS = frozenset({DagsterEventType.RUN_SUCCESS, DagsterEventType.RUN_FAILURE, DagsterEventType.RUN_CANCELED})


def events_after(backend: Backend, run_id: str, cursor: str | None, *, limit: int = 1000) -> tuple[list[RunEvent], str]:
    """What came after ``cursor`` (None: all), at most ``limit`` of it, and the cursor behind that.

    Raises NotFound, InputError for a cursor that is none.
    """
    reader = RunReader(backend, run_id, cursor)
    return reader.read(max(1, min(limit, 10_000))), reader.cursor


def watch(
    backend: Backend, run_id: str, *, stop: Callable[[], bool] = lambda: False, cursor: str | None = None
) -> Iterator[RunEvent]:
    """What happens in the run until it is over or ``stop()``. Raises NotFound, InputError for a wrong cursor."""
    return _follow(RunReader(backend, run_id, cursor), stop)


def log_text(backend: Backend, run_id: str, step: str, attempt: int | None = None) -> str:
    """What a step has printed and logged so far, of one attempt or all. Raises NotFound."""
    reader = _reader_of_step(backend, run_id, step)
    lines: list[str] = []
    while events := reader.read(1000):
        lines += _lines(events, attempt)
    return "".join(lines)


def follow_log(
    backend: Backend, run_id: str, step: str, attempt: int | None = None, *, stop: Callable[[], bool] = lambda: False
) -> Iterator[str]:
    """The lines of ``log_text``, and those to come, until the run is over or ``stop()``. Raises NotFound."""
    reader = _reader_of_step(backend, run_id, step)
    return (line for event in _follow(reader, stop) for line in _lines([event], attempt))


def _lines(events: list[RunEvent], attempt: int | None) -> list[str]:
    return [f"{one.message}\n" for one in events if one.kind == LOG and attempt in (None, one.attempt)]


def _reader_of_step(backend: Backend, run_id: str, step: str) -> RunReader:
    reader = RunReader(backend, run_id)
    run = backend.instance.get_run_by_id(run_id)
    if run is not None:
        known = [one.step_key for one in backend.instance.get_run_step_stats(run_id)]
        names = step_names(backend, run.job_name)
        reader.only = names.name(names.keys(step, [*(run.step_keys_to_execute or ()), *known])[0])
    return reader


def _follow(reader: RunReader, stop: Callable[[], bool]) -> Iterator[RunEvent]:
    pause = _FIRST_PAUSE
    while not stop():
        over = reader.is_over()  # asked first: what is read then is all that will ever be
        events = reader.read(1000)
        yield from events
        if events:
            pause = _FIRST_PAUSE
        elif over:
            return
        else:
            _wait(pause, stop)
            pause = min(pause * 1.5, _LAST_PAUSE)


def _wait(seconds: float, stop: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0 and not stop():
        time.sleep(min(left, _STOP_SECONDS))


class RunReader:
    """Reads a run's events from a cursor on; ``only`` is a step's name where no other is asked for.

    Raises NotFound for a run that is nowhere, InputError for a cursor that is none.
    """

    def __init__(self, backend: Backend, run_id: str, cursor: str | None = None) -> None:
        view = view_of(backend, run_id)
        self._backend = backend
        self._instance = backend.instance
        self._run_id = run_id
        self._names = step_names(backend, view.job)
        self._state = RunCursor() if cursor is None else parse_cursor(cursor, self._captured_files)
        self._time = view.created
        self.only: str | None = None

    @property
    def cursor(self) -> str:
        """The place behind what was read last."""
        return str(self._state)

    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        run = self._instance.get_run_by_id(self._run_id)
        if run is not None:
            return run.is_finished
        found = submission_of(self._backend, self._run_id)
        if found is None:
            raise no_run(self._run_id)
        return found.state in (submissions.SUPERSEDED, submissions.CANCELLED, submissions.FAILED)

    def read(self, limit: int) -> list[RunEvent]:
        """What has come since, ``limit`` of it at most: none only where there is nothing new."""
        events: list[RunEvent] = []
        while len(events) < limit:
            position = self._state.position
            records = self._instance.get_records_for_run(self._run_id, position, limit=min(limit, 1000)).records
            for record in records:
                if not self._take(record, events, limit):
                    return events
            if not records:
                break
        for file in list(self._state.files):
            self._drain(file, events, limit)
        return events

    def _take(self, record: EventLogRecord, events: list[RunEvent], limit: int) -> bool:
        """One record, with the lines that came before it; False where there is no room for it."""
        entry = record.event_log_entry
        event = entry.dagster_event
        if event is not None and not self._drain_before(event, events, limit):
            return False
        if len(events) >= limit:
            return False
        self._time = entry.timestamp
        self._state.position = position_of(record.storage_id)
        if event is not None and event.event_type is DagsterEventType.LOGS_CAPTURED:
            self._open(event)
        step = self._names.name(entry.step_key) if entry.step_key else ""
        attempt = self._state.attempt(step) if step else 0
        if event is not None and event.event_type is DagsterEventType.STEP_UP_FOR_RETRY:
            self._state.next_attempt(step)
        if self.only is None or step == self.only:
            events.append(self._event(entry, event, step, attempt))
        return True

    def _drain_before(self, event: DagsterEvent, events: list[RunEvent], limit: int) -> bool:
        """The lines of an attempt, or of all, before the event that ends it."""
        of_run = event.event_type in _RUN_ENDS
        if not of_run and event.event_type not in _ENDS:
            return True
        name = self._names.name(event.step_key or "")
        for file in [one for one in self._state.files if of_run or one.step == name]:
            file.has_ended = True
            if not self._drain(file, events, limit):
                return False
        return True

    def _drain(self, file: LogFile, events: list[RunEvent], limit: int) -> bool:
        """The lines of one file so far; False where there is no room for all."""
        is_complete = True
        for number, stream in enumerate(STREAMS):
            while True:
                data, complete = read_captured(
                    self._instance, self._run_id, file.key, stream, file.offsets[number], _LONGEST_LINE
                )
                whole = _whole_lines(data, rest=complete or file.has_ended)
                if not whole:
                    is_complete = is_complete and complete
                    break
                for line in whole.splitlines(keepends=True):
                    if len(events) >= limit:
                        return False
                    file.offsets[number] += len(line)
                    if not self._is_dagsters(line):
                        events.append(self._line(file, line))
        if is_complete:
            self._state.files.remove(file)
        return True

    def _is_dagsters(self, line: bytes) -> bool:
        """Whether Dagster's console logger wrote it: what it says is an event of the run, told as such."""
        return b" - dagster - " in line and f" - {self._run_id} - ".encode() in line

    def _line(self, file: LogFile, line: bytes) -> RunEvent:
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        return RunEvent(self.cursor, self._time, LOG, file.step, "INFO", text, file.attempt)

    def _open(self, event: DagsterEvent) -> None:
        key, step_keys = captured_in(event)
        step = self._names.name(step_keys[0]) if len(step_keys) == 1 else ""
        if self.only is None or step == self.only:
            self._state.files.append(LogFile(key, step, self._state.attempt(step)))

    def _captured_files(self) -> dict[str, str]:
        """The files of the run, and whose they are: a cursor comes from outside and may name any."""
        records = self._instance.get_records_for_run(self._run_id, of_type=DagsterEventType.LOGS_CAPTURED).records
        found = [captured_in(record.event_log_entry.get_dagster_event()) for record in records]
        return {key: self._names.name(steps[0]) if len(steps) == 1 else "" for key, steps in found}

    def _event(self, entry: EventLogEntry, event: DagsterEvent | None, step: str, attempt: int) -> RunEvent:
        kind = event.event_type.name if event is not None else LOG
        message = entry.message if event is None else _message(event)
        level = logging.getLevelName(entry.level)
        return RunEvent(self.cursor, entry.timestamp, kind, step, level, message, attempt)


def _message(event: DagsterEvent) -> str:
    message = event.message or ""
    if event.event_type is DagsterEventType.STEP_FAILURE:
        told = told_of_failure(event)
        return f"{message}\n{told.get('error_type', '')}: {told.get('error', '')}".rstrip()
    if event.event_type is DagsterEventType.STEP_UP_FOR_RETRY:
        error = getattr(event.event_specific_data, "error", None)
        while error is not None and error.cause is not None:
            error = error.cause
        reason = _OF_DAGSTER.sub("", error.message) if error is not None else ""
        return f"{message}\n{reason}".strip()
    return message


def _whole_lines(data: bytes, *, rest: bool) -> bytes:
    """As much as may be told: whole lines; of the last one also a part, where no more of it comes or it is too long."""
    if rest or (len(data) >= _LONGEST_LINE and b"\n" not in data):
        return data
    return data[: data.rfind(b"\n") + 1]
