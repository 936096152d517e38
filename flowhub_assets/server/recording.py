"""Writes into Dagster what the server has answered itself: each as a run that is over, with all that it told."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flowhub_assets.errors import FlowhubError, NotFound
from flowhub_assets.executor.dagster_records import events_of_text, is_written, take_away, write_events, writing
from flowhub_assets.server.backend import Backend
from flowhub_assets.store import answers, submissions
from flowhub_assets.store.submissions import ANSWERED, FAILED, Submission

logger = logging.getLogger("flowhub.server")

#: So many at a time, so that they are written within the time for which they are taken.
_MOST = 10
#: Seconds between two looks where nobody says that there is something; and until what failed is tried again.
_LOOK_SECONDS, _AGAIN_SECONDS = 1.0, 5.0
#: What was accepted so long ago makes way no more for requests that are being answered; until then so long for each.
_HAS_TIME, _MAKE_WAY = 2.0, 0.2


def record_answered(backend: Backend, clock: Callable[[], float] = time.time) -> tuple[int, list[str]]:
    """Writes the oldest of what was answered and is not in Dagster yet.

    Returns how many there were, and what is wrong, in words. Raises Unavailable.
    """
    now = clock()
    with backend.database.begin() as connection:
        taken = answers.take_to_record(connection, now, _MOST)
    if not taken:
        return 0, []
    done, gone, wrong = [], {}, {}
    for submission, document in taken:
        if clock() - submission.accepted < _HAS_TIME:
            backend.warm.wait_for_quiet(_MAKE_WAY)
        try:
            _write(backend, submission, document)
            done.append(submission.run_id)
        except NotFound as error:
            gone[submission.run_id] = error.what
        except Exception as error:  # noqa: BLE001 - Dagster is away, say: it is tried again
            wrong[submission.run_id] = f"{type(error).__name__}: {error}"
    with backend.database.begin() as connection:
        answers.set_recorded(connection, done, now)
        answers.put_back(connection, list(wrong), clock() + _AGAIN_SECONDS)
        for run_id, reason in gone.items():
            submissions.set_state(connection, [run_id], FAILED, now, only=(ANSWERED,), reason=reason)
    told = [
        f"run {run_id} was answered and is not in Dagster: {reason}" for run_id, reason in {**gone, **wrong}.items()
    ]
    return len(taken), told


def _write(backend: Backend, submission: Submission, document: str) -> None:
    instance, run_id = backend.instance, submission.run_id
    events = events_of_text(json.loads(document)["events"])
    if not backend.launcher.create(submission):
        # Somebody began to write it, and was killed before we could be told of it.
        if is_written(instance, run_id, events):
            return
        take_away(instance, run_id)
        backend.launcher.create(submission)
    with writing(instance, [run_id]):
        write_events(instance, events)


@contextmanager
def recording_in_background(backend: Backend) -> Iterator[None]:
    """Writes what an earlier process has left, and then each answer as soon as it is given."""
    ended = threading.Event()
    something = backend.warm.answered

    def look() -> None:
        while not ended.is_set():
            something.clear()
            try:
                count, wrong = record_answered(backend)
                for one in wrong:
                    logger.warning("%s", one)
            except FlowhubError as error:
                count = 0
                logger.warning("%s", error.what)
            except Exception:
                count = 0
                logger.exception("recording what was answered")
            if not count:
                something.wait(_LOOK_SECONDS)

    thread = threading.Thread(target=look, name="flowhub-recording", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        something.set()
        thread.join(30)
