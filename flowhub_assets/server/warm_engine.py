"""The runs that the server carries out itself: how many at a time, for how long, and what is kept of them."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import partial

from dagster import DagsterInstance
from sqlalchemy import Connection

from flowhub_assets.errors import FlowhubError, Unavailable
from flowhub_assets.executor.daemon_threads import DaemonThreads
from flowhub_assets.executor.dagster_records import RecordingInstance, has_succeeded, run_of, text_of_events
from flowhub_assets.resources.profiles import ProfileResource, StorageResource
from flowhub_assets.server import warm_reply
from flowhub_assets.server.catalogue import Catalogue, Entry
from flowhub_assets.server.launching import run_config_of, tags_of
from flowhub_assets.server.runs import Runs
from flowhub_assets.server.warm_reply import Reply
from flowhub_assets.store import answers
from flowhub_assets.store.database import Database
from flowhub_assets.store.submissions import Submission

logger = logging.getLogger("flowhub.server")

#: For how many seconds a record is tried to be kept while the database is away.
_PATIENCE = answers.LEASE * 0.6

#: Writes what is kept with the record of a run, or not at all.
Also = Callable[[Connection, Reply], None]


@dataclass(frozen=True)
class Bounds:
    """``seconds``: how long a caller waits for its answer; ``at_once``: how many runs go on at a time.

    A request waits ``seconds_for_place`` for a place at most; if there is none, it is launched in Dagster.
    """

    seconds: float = 10.0
    at_once: int = 8
    seconds_for_place: float = 2.0


class WarmEngine:
    """One for each process. ``answered`` is set when there is something to be written into Dagster."""

    def __init__(
        self,
        instance: DagsterInstance,
        database: Database,
        catalogue: Catalogue,
        runs: Runs,
        url_of: Callable[[str], str],
        bounds: Bounds | None = None,
    ) -> None:
        self.answered = threading.Event()
        self.bounds = bounds or Bounds()
        self._instance = RecordingInstance(instance, plain=(ProfileResource, StorageResource))
        self._database = database
        self._catalogue = catalogue
        self._runs = runs
        self._url_of = url_of
        self._places = threading.BoundedSemaphore(self.bounds.at_once)
        self._threads = DaemonThreads("flowhub-warm")
        self._lock = threading.Condition()
        self._at_work: set[str] = set()
        self._renews = False
        self._closed = threading.Event()

    def answer(self, submission: Submission, also: Also | None = None) -> Reply:
        """What the caller is answered: see warm.answer. Raises NotFound."""
        entry = self._catalogue.get(submission.pipeline)
        if not self._places.acquire(timeout=self.bounds.seconds_for_place):
            return self._hand_over(submission)
        self._begin(submission.run_id)
        reply: Future[Reply] = Future()
        self._threads.run(partial(self._work, entry, submission, also, reply))
        wait([reply], self.bounds.seconds)
        return reply.result() if reply.done() else self._later(submission)

    def wait_for_quiet(self, seconds: float) -> None:
        """Waits until nobody waits for an answer, ``seconds`` at most: what has time makes way for those."""
        with self._lock:
            self._lock.wait_for(lambda: not self._at_work, seconds)

    def close(self) -> None:
        """No more requests come. What is still at work is launched in Dagster: its thread ends with this process."""
        self._closed.set()
        self._threads.close()
        with self._lock:
            left = list(self._at_work)
        self._quietly(answers.release, left)

    def _begin(self, run_id: str) -> None:
        with self._lock:
            self._at_work.add(run_id)
            if not self._renews:
                self._renews = True
                threading.Thread(target=self._renew, name="flowhub-warm-leases", daemon=True).start()

    def _renew(self) -> None:
        while not self._closed.wait(answers.LEASE / 9):
            with self._lock:
                at_work = list(self._at_work)
            self._quietly(answers.renew, at_work)

    def _quietly(self, write: Callable[[Connection, list[str], float], object], run_ids: list[str]) -> None:
        """If the database does not answer, the lease is over some time, and the run is launched then."""
        if not run_ids:
            return
        try:
            with self._database.begin() as connection:
                write(connection, run_ids, time.time())
        except FlowhubError as error:
            logger.warning("%s", error.what)

    def _work(self, entry: Entry, submission: Submission, also: Also | None, reply: Future[Reply]) -> None:
        try:
            reply.set_result(self._answered(entry, submission, also))
        except Exception:
            # Not a node's failure, which is an answer: what was to run it is at fault. Dagster may do better.
            logger.exception("run %s of %s is handed over to Dagster", submission.run_id, submission.pipeline)
            reply.set_result(self._hand_over(submission))
        finally:
            with self._lock:
                self._at_work.discard(submission.run_id)
                self._lock.notify_all()
            self._places.release()

    def _answered(self, entry: Entry, submission: Submission, also: Also | None) -> Reply:
        url = self._url_of(submission.run_id)
        job = entry.flow.job
        run = run_of(job, submission.run_id, run_config_of(entry, submission.order), tags_of(submission))
        told = self._instance.run(job, run)
        reply = warm_reply.failed(submission, url)
        if has_succeeded(told):
            try:
                reply = warm_reply.succeeded(entry, submission, run, self._instance, url)
            except FlowhubError:
                logger.exception("run %s of %s: its answer cannot be read", submission.run_id, submission.pipeline)
        document = json.dumps({"version": 1, "events": text_of_events(told)}, ensure_ascii=False)
        if not self._keep(submission.run_id, document, reply, also):
            return self._later(submission)
        self.answered.set()
        return reply

    def _keep(self, run_id: str, document: str, reply: Reply, also: Also | None) -> bool:
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                with self._database.begin() as connection:
                    is_kept = answers.keep_answer(connection, run_id, document, time.time())
                    if is_kept and also is not None:
                        also(connection, reply)
                    return is_kept
            except Unavailable:
                if time.monotonic() > until:
                    raise
                time.sleep(0.5)

    def _hand_over(self, submission: Submission) -> Reply:
        self._runs.hand_over(submission)
        return self._later(submission)

    def _later(self, submission: Submission) -> Reply:
        return warm_reply.later(submission, self._url_of(submission.run_id))
