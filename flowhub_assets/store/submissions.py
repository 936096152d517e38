"""Requests to start a run: kept before anything is launched, so that none is lost and none starts twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update

from flowhub_assets.store.tables import keys, submissions

ACCEPTED, DELAYED, LAUNCHED = "accepted", "delayed", "launched"
ANSWERED, RECORDED, SUPERSEDED, FAILED = "answered", "recorded", "superseded", "failed"
CANCELLED = "cancelled"
#: The server is about to answer it itself, until ``due``: see answers.py.
ANSWERING = "answering"
#: The most seconds between two tries to launch one.
LONGEST_PAUSE = 60.0
#: States of what is still to be launched.
WAITING = (ACCEPTED, DELAYED)


@dataclass(frozen=True)
class Order:
    """What is to be launched, all of it JSON: params and trigger as checked, the profile's name, the run's tags.

    ``partition`` is the one that the request named, and None where it named none, whichever its run is about then.
    ``again`` is of a run that takes up another one again: its ``run_id``, ``from_failure``, and the ``steps`` (keys).
    """

    params: Mapping[str, Any] = field(default_factory=dict)
    trigger: Mapping[str, Any] | None = None
    profile: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    again: Mapping[str, Any] | None = None
    partition: str | None = None

    @property
    def text(self) -> str:
        """The order as JSON; the same order gives the same text. Raises ValueError for NaN and the like."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False, allow_nan=False)


@dataclass(frozen=True)
class Submission:
    """One accepted request. ``due`` and ``accepted`` are seconds since 1970; ``latest_of`` is its latest-wins key."""

    run_id: str
    pipeline: str
    door: str
    caller: str
    order: Order
    state: str
    accepted: float
    due: float
    reason: str = ""
    latest_of: str | None = None


@dataclass(frozen=True)
class KeyUse:
    """An earlier use of an idempotency key; ``same`` says whether it was for the same order."""

    run_id: str
    same: bool


def digest_of(order: Order) -> str:
    """What tells two orders apart: the SHA-256 of their params and what goes with them, not of their tags."""
    what = [order.params, order.trigger, order.profile, *([order.again] if order.again is not None else [])]
    if order.partition is not None:
        what.append({"partition": order.partition})
    told = json.dumps(what, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(told.encode()).hexdigest()


def find_key(connection: Connection, pipeline: str, key: str, order: Order, now: float) -> KeyUse | None:
    """The earlier use of ``key`` whose lifetime is not over."""
    where = (keys.c.pipeline == pipeline, keys.c.key == key, keys.c.expires > now)
    row = connection.execute(select(keys.c.run_id, keys.c.digest).where(*where)).one_or_none()
    return None if row is None else KeyUse(row.run_id, row.digest == digest_of(order))


def keep_key(connection: Connection, key: str, submission: Submission, expires: float) -> None:
    """Ties ``key`` to the submission's run. Raises IntegrityError if another request does so at this moment."""
    connection.execute(delete(keys).where(keys.c.pipeline == submission.pipeline, keys.c.key == key))
    connection.execute(
        insert(keys).values(
            pipeline=submission.pipeline,
            key=key,
            run_id=submission.run_id,
            digest=digest_of(submission.order),
            expires=expires,
        )
    )


def keep(connection: Connection, submission: Submission) -> None:
    """Keeps a new submission."""
    values = {name: getattr(submission, name) for name in ("run_id", "pipeline", "door", "caller", "state", "reason")}
    times = {"accepted": submission.accepted, "due": submission.due}
    connection.execute(
        insert(submissions).values(**values, **times, request=submission.order.text, latest_of=submission.latest_of)
    )


def find(connection: Connection, run_id: str) -> Submission | None:
    """The submission of that run."""
    row = connection.execute(select(submissions).where(submissions.c.run_id == run_id)).one_or_none()
    return None if row is None else _submission(row)


def due(connection: Connection, now: float, most: int = 100) -> list[Submission]:
    """What is to be launched by ``now``, the oldest first.

    One that is accepted waits for no time of its own: where its ``due`` is far away the clock was set back.
    """
    is_set_back = and_(submissions.c.state == ACCEPTED, submissions.c.due > now + LONGEST_PAUSE)
    where = (submissions.c.state.in_(WAITING), or_(submissions.c.due <= now, is_set_back))
    query = select(submissions).where(*where).order_by(submissions.c.due).limit(most)
    return [_submission(row) for row in connection.execute(query)]


def put_off(connection: Connection, run_id: str, due: float) -> None:
    """One that could not be launched is tried again at ``due``; others go before it."""
    where = (submissions.c.run_id == run_id, submissions.c.state.in_(WAITING))
    connection.execute(update(submissions).where(*where).values(due=due))


def in_state(connection: Connection, state: str, most: int = 100) -> list[Submission]:
    """Those in that state, the oldest first."""
    query = select(submissions).where(submissions.c.state == state).order_by(submissions.c.accepted).limit(most)
    return [_submission(row) for row in connection.execute(query)]


def newest(
    connection: Connection, states: Sequence[str], pipeline: str | None, before: float, most: int
) -> list[Submission]:
    """Those in one of ``states``, of one pipeline or all, that were accepted before a time, the newest first."""
    where = (submissions.c.state.in_(states), submissions.c.accepted < before)
    query = select(submissions).where(*where).order_by(submissions.c.accepted.desc()).limit(most)
    if pipeline is not None:
        query = query.where(submissions.c.pipeline == pipeline)
    return [_submission(row) for row in connection.execute(query)]


def set_state(
    connection: Connection, run_ids: Iterable[str], state: str, now: float, *, only: Sequence[str], reason: str = ""
) -> int:
    """Moves those that are in one of the states ``only``; how many."""
    where = (submissions.c.run_id.in_(list(run_ids)), submissions.c.state.in_(only))
    launched = {"launched": now} if state == LAUNCHED else {}
    done = connection.execute(update(submissions).where(*where).values(state=state, reason=reason, **launched))
    return done.rowcount


def supersede(connection: Connection, newer: Submission, now: float) -> list[str]:
    """Those before ``newer`` with its latest-wins key that are not launched never will be; returns the others.

    They wait in Dagster's queue, or did when somebody last looked.
    """
    if connection.dialect.name == "postgresql":
        # Two that are kept at the same moment do not see each other: the second waits until the first one is.
        connection.execute(select(func.pg_advisory_xact_lock(_number_of(newer))))
    same = (submissions.c.pipeline == newer.pipeline, submissions.c.latest_of == newer.latest_of)
    others = (submissions.c.run_id != newer.run_id, submissions.c.state.in_((*WAITING, LAUNCHED)))
    rows = connection.execute(select(submissions.c.run_id, submissions.c.state).where(*same, *others)).all()
    set_superseded(connection, [row.run_id for row in rows if row.state != LAUNCHED], newer.run_id, now)
    return [row.run_id for row in rows if row.state == LAUNCHED]


def _number_of(newer: Submission) -> int:
    told = hashlib.sha256(f"{newer.pipeline}\0{newer.latest_of}".encode()).digest()
    return int.from_bytes(told[:8], signed=True)


def set_superseded(connection: Connection, run_ids: Iterable[str], newer: str, now: float) -> None:
    """Those will not run: run ``newer`` comes in their place."""
    set_state(connection, run_ids, SUPERSEDED, now, only=(*WAITING, LAUNCHED), reason=f"run {newer} came later")


def end_waiting(connection: Connection, run_ids: Iterable[str]) -> None:
    """Those have started: no later one of their key takes their place."""
    connection.execute(update(submissions).where(submissions.c.run_id.in_(list(run_ids))).values(latest_of=None))


def superseded_by(connection: Connection, run_id: str) -> str | None:
    """The run that came in its place; None if none did."""
    found = find(connection, run_id)
    if found is None or found.state != SUPERSEDED:
        return None
    return found.reason.removeprefix("run ").removesuffix(" came later")


def is_cancelled(connection: Connection, run_id: str) -> bool:
    """Whether somebody has cancelled it before it was launched."""
    found = find(connection, run_id)
    return found is not None and found.state == CANCELLED


def forget(connection: Connection, before: float, now: float) -> None:
    """Drops what is settled and older than ``before``, and the keys whose lifetime is over."""
    settled = submissions.c.state.in_((LAUNCHED, RECORDED, SUPERSEDED, FAILED, CANCELLED))
    connection.execute(delete(submissions).where(settled, submissions.c.accepted < before))
    connection.execute(delete(keys).where(keys.c.expires < now))


def _submission(row: Any) -> Submission:
    return Submission(
        run_id=row.run_id,
        pipeline=row.pipeline,
        door=row.door,
        caller=row.caller,
        order=Order(**json.loads(row.request)),
        state=row.state,
        accepted=row.accepted,
        due=row.due,
        reason=row.reason,
        latest_of=row.latest_of,
    )
