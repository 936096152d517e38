"""Starts a run: the one function behind every door. HTTP, webhooks, gRPC and the command line only translate to it.

    find the pipeline → check its params → keep the request, durably, with its key → launch it in Dagster → answer

What was kept is launched, also if this process dies in between: ``launch_due`` is asked at the start and once a second.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dagster import DagsterInvalidConfigError
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from flowhub_assets.errors import Conflict, FlowhubError, InputError, NotFound, ParamsRefused
from flowhub_assets.resources.queues import LATEST_TAG, Queues
from flowhub_assets.server.catalogue import Catalogue, Entry
from flowhub_assets.server.launching import Launcher
from flowhub_assets.server.legal_text import require_legal
from flowhub_assets.server.param_faults import checked_params
from flowhub_assets.store import answers, audit, submissions
from flowhub_assets.store.audit import Act
from flowhub_assets.store.database import Database
from flowhub_assets.store.submissions import ACCEPTED, DELAYED, FAILED, LAUNCHED, Order, Submission
from flowhub_assets.to_dagster.partitions import partition_tags

#: For how many seconds an idempotency key answers with the same run, where nobody says otherwise.
KEY_LIFETIME = 24 * 3_600.0
#: What was accepted by a request that is just being answered is launched by that request.
_GRACE_SECONDS = 5.0


@dataclass(frozen=True)
class StartRequest:
    """What a door was asked for.

    ``params`` are JSON as given; ``trigger`` is what a webhook or an event brought. ``profile``, ``queue`` and
    ``priority`` are the pipeline's own where None; ``partition`` is the key of the partition that the run is about, of
    those by time the one that ended last where None. ``key`` is an idempotency key, good for ``key_lifetime`` seconds;
    ``force`` starts all the same and gives the key to the new run. With ``latest_of`` an earlier run of that key which
    still waits is dropped. The run starts ``delay`` seconds from now at the earliest. ``caller`` is who asked, from
    the address ``peer``.
    """

    pipeline: str
    params: Mapping[str, Any] = field(default_factory=dict)
    trigger: Mapping[str, Any] | None = None
    profile: str | None = None
    queue: str | None = None
    priority: int | None = None
    partition: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None
    key_lifetime: float = KEY_LIFETIME
    force: bool = False
    latest_of: str | None = None
    delay: float = 0.0
    door: str = "api"
    caller: str = "local"
    peer: str = ""


@dataclass(frozen=True)
class Started:
    """The answer: the run's id, and whether this request started it; if not, ``reason`` says why."""

    run_id: str
    pipeline: str
    is_new: bool = True
    reason: str = ""


#: What is to be kept, what asked for it, and what writes more beside it.
_Asked = tuple[Submission, StartRequest, Callable[[Connection], None]]


class Runs:
    """Starts runs. ``drop`` cancels runs that wait in Dagster's queue, as a newer one comes; it returns which did."""

    def __init__(
        self,
        catalogue: Catalogue,
        database: Database,
        launcher: Launcher,
        queues: Queues,
        drop: Callable[[list[str], str], list[str]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._catalogue = catalogue
        self._database = database
        self._launcher = launcher
        self._queues = queues
        self._drop = drop
        self._clock = clock

    def start(self, request: StartRequest) -> Started:
        """Raises NotFound, ParamsRefused, Conflict, Unavailable: then nothing was started, nor ever will be."""
        entry = self._catalogue.get(request.pipeline)
        return self.take(self.submission(entry, request), request)

    def take(
        self, submission: Submission, request: StartRequest, also: Callable[[Connection], None] = lambda _: None
    ) -> Started:
        """Keeps a submission that was checked, and launches it. Raises Conflict, Unavailable, what ``also`` raises."""
        earlier, dropped = self.accept(submission, request, also)
        if earlier is not None:
            return earlier
        if dropped:
            self._supersede(dropped, submission.run_id)
        if submission.state == ACCEPTED:
            self._launch(submission)
        return Started(submission.run_id, submission.pipeline)

    def take_all(self, asked: Sequence[tuple[Submission, StartRequest]], seconds: float) -> list[Started]:
        """Keeps submissions that were checked, all or none, and launches them in their order.

        After so many seconds it launches no more: ``launch_due`` does. Raises Conflict, Unavailable.
        """
        began, told = time.monotonic(), []
        kept = self._kept([(submission, request, lambda _: None) for submission, request in asked])
        for (submission, _), (earlier, dropped) in zip(asked, kept, strict=True):
            if dropped:
                self._supersede(dropped, submission.run_id)
            if earlier is None and submission.state == ACCEPTED and time.monotonic() - began < seconds:
                self._launch(submission)
            told.append(earlier or Started(submission.run_id, submission.pipeline))
        return told

    def submission(self, entry: Entry, request: StartRequest) -> Submission:
        """The request as it will be kept, checked. Raises ParamsRefused, NotFound for a queue."""
        params = checked_params(entry.runnable, request.params, request.trigger)
        self._require_profile(entry, request.profile)
        tags = self._queues.tags(request.queue, request.priority)
        tags |= partition_tags(entry.pipeline, request.partition, self._clock())
        tags_of_run = {**request.tags, **tags, **_key_tags(request)}
        order = Order(params, request.trigger, request.profile, tags_of_run, partition=request.partition)
        require_legal(order, {"key": request.key, "latest_of": request.latest_of, "caller": request.caller, **tags})
        now = self._clock()
        return Submission(
            run_id=str(uuid.uuid4()),
            pipeline=entry.pipeline.name,
            door=request.door,
            caller=request.caller,
            order=order,
            state=DELAYED if request.delay > 0 else ACCEPTED,
            accepted=now,
            due=now + request.delay,
            latest_of=request.latest_of,
        )

    def accept(
        self, submission: Submission, request: StartRequest, also: Callable[[Connection], None] = lambda _: None
    ) -> tuple[Started | None, list[str]]:
        """Keeps it, durably; ``also`` writes what is to be kept with it or not at all.

        Returns the earlier run of its key, if there is one, and the waiting runs in whose place it comes.
        Raises Conflict for a key that was used for another request, Unavailable.
        """
        return self._kept([(submission, request, also)])[0]

    def _kept(self, asked: Sequence[_Asked]) -> list[tuple[Started | None, list[str]]]:
        for _ in range(3):
            try:
                with self._database.begin() as connection:
                    return [self._keep(connection, *one) for one in asked]
            except IntegrityError:
                # Another request with the same key was kept at this moment: its run is the answer.
                continue
        raise Conflict(
            f"key {asked[0][1].key!r} is being used by other requests at this moment",
            effect="Nothing was started.",
            remedy="Send the request again.",
        )

    def _keep(
        self, connection: Connection, submission: Submission, request: StartRequest, also: Callable[[Connection], None]
    ) -> tuple[Started | None, list[str]]:
        earlier = self._earlier(connection, submission, request)
        if earlier is not None:
            return earlier, []
        if request.key is not None:
            submissions.keep_key(connection, request.key, submission, submission.accepted + request.key_lifetime)
        submissions.keep(connection, submission)
        audit.write(connection, _act(submission, request))
        also(connection)
        latest = request.latest_of is not None
        return None, submissions.supersede(connection, submission, self._clock()) if latest else []

    def _earlier(self, connection: Connection, submission: Submission, request: StartRequest) -> Started | None:
        if request.key is None or request.force:
            return None
        found = submissions.find_key(
            connection, submission.pipeline, request.key, submission.order, submission.accepted
        )
        if found is None:
            return None
        if not found.same:
            raise Conflict(
                f"key {request.key!r} was used for another request to {submission.pipeline}, run {found.run_id}",
                effect="Nothing was started.",
                remedy="Take a new key for each request, or force it.",
            )
        return Started(found.run_id, submission.pipeline, False, f"key {request.key!r} has started this run already")

    def _launch(self, submission: Submission) -> None:
        """Now, or, where Dagster does not answer, as soon as it does: it is accepted either way."""
        try:
            self._launcher.launch(submission)
        except Exception:  # noqa: BLE001 - it is kept; launch_due tries again and tells
            return
        self._launched(submission)

    def _launched(self, submission: Submission) -> None:
        try:
            with self._database.begin() as connection:
                now, run_ids = self._clock(), [submission.run_id]
                moved = submissions.set_state(connection, run_ids, LAUNCHED, now, only=submissions.WAITING)
                newer = None if moved else submissions.superseded_by(connection, submission.run_id)
                cancelled = not moved and submissions.is_cancelled(connection, submission.run_id)
        except FlowhubError:
            return  # the next look does it: a launch can be repeated
        # A later run of its key was accepted while this one was launched, and did not find it in Dagster yet.
        if newer is not None:
            self._supersede(run_ids, newer)
        if cancelled:
            # So was this one, by somebody who did not find it there either.
            self._launcher.withdraw(submission.run_id)

    def _supersede(self, run_ids: list[str], newer: str) -> None:
        """Drops those that wait in Dagster's queue; the others have started, and no longer wait."""
        try:
            dropped = self._drop(run_ids, newer)
        except Exception:  # noqa: BLE001 - Dagster is away; the sensor of the queues drops them
            return
        try:
            with self._database.begin() as connection:
                submissions.set_superseded(connection, dropped, newer, self._clock())
                submissions.end_waiting(connection, set(run_ids).difference(dropped))
        except FlowhubError:
            return  # the next run of the key looks at them again

    def hand_over(self, submission: Submission) -> None:
        """Launches what the server was to answer itself and does not."""
        try:
            with self._database.begin() as connection:
                released = answers.release(connection, [submission.run_id], self._clock())
        except FlowhubError:
            return  # its lease is over some time: launch_due launches it then
        if released:
            self._launch(submission)

    def settle(self, run_ids: list[str], state: str, *, only: tuple[str, ...], reason: str = "") -> None:
        """Moves submissions on, if the database answers; if not, the next look does it: a launch can be repeated."""
        try:
            with self._database.begin() as connection:
                submissions.set_state(connection, run_ids, state, self._clock(), only=only, reason=reason)
        except FlowhubError:
            return

    def launch_due(self, *, all_accepted: bool = False) -> list[str]:
        """Launches what is due and is not launched; at the start also what was accepted a moment ago.

        Returns what is wrong, in words. Raises Unavailable where the database does not answer.
        """
        now = self._clock()
        with self._database.begin() as connection:
            answers.take_back(connection, now)
            waiting = submissions.due(connection, now)
        wrong = []
        for submission in waiting:
            if submission.state == ACCEPTED and not all_accepted and 0 <= now - submission.due < _GRACE_SECONDS:
                continue
            try:
                self._launcher.launch(submission)
            except (NotFound, InputError, DagsterInvalidConfigError) as error:
                # The pipeline has changed meanwhile: to try again would not help.
                reason = str(getattr(error, "what", error))
                self.settle([submission.run_id], FAILED, only=submissions.WAITING, reason=reason)
                wrong.append(f"run {submission.run_id}: {reason}")
            except Exception as error:  # noqa: BLE001 - Dagster is away, say: the next look tries again
                self._put_off(submission, now)
                wrong.append(f"run {submission.run_id} of {submission.pipeline} waits: {type(error).__name__}: {error}")
            else:
                self._launched(submission)
        return wrong

    def _put_off(self, submission: Submission, now: float) -> None:
        """For as long as it waits already, so that many that cannot be launched do not keep others from it."""
        pause = min(max(now - submission.accepted, _GRACE_SECONDS), submissions.LONGEST_PAUSE)
        with self._database.begin() as connection:
            submissions.put_off(connection, submission.run_id, now + pause)

    def _require_profile(self, entry: Entry, profile: str | None) -> None:
        known = {*entry.pipeline.profiles, *self._queues.profiles}
        if profile is not None and profile not in known:
            raise ParamsRefused(
                f"there is no profile {profile[:100]!r}",
                where=entry.pipeline.name,
                effect="Nothing was started.",
                remedy=f"Its profiles are {', '.join(sorted(known)) or 'none'}.",
                fields=(("env", "is no profile of it", f"one of {', '.join(sorted(known)) or 'none'}"),),
            )


def _act(submission: Submission, request: StartRequest) -> Act:
    return Act(
        submission.accepted,
        request.caller,
        request.peer,
        request.door,
        "start",
        submission.pipeline,
        "done",
        submission.run_id,
    )


def _key_tags(request: StartRequest) -> dict[str, str]:
    tags = {"flowhub/key": request.key, LATEST_TAG: request.latest_of}
    return {name: key for name, key in tags.items() if key is not None}
