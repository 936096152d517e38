"""Requests that the server answers itself: who is at work on them, and what their runs did, until Dagster has it.

answering (until ``due``, unless it is renewed) → answered, with its record → recorded
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from sqlalchemy import Connection, delete, insert, select, update

from flowhub_assets.store import submissions as kept
from flowhub_assets.store.submissions import ACCEPTED, ANSWERED, ANSWERING, RECORDED, Submission
from flowhub_assets.store.tables import records, submissions

#: For how many seconds a process is believed to be at work on a request without a word from it.
LEASE = 45.0
#: For how many seconds nobody else writes into Dagster what one process has begun to write.
_WRITING = 30.0


def to_be_answered(submission: Submission) -> Submission:
    """The submission as it is kept before the server answers it: nobody launches it meanwhile."""
    return replace(submission, state=ANSWERING, due=submission.accepted + LEASE)


def renew(connection: Connection, run_ids: Collection[str], now: float) -> None:
    """This process is still at work on these."""
    _move(connection, run_ids, ANSWERING, ANSWERING, now + LEASE)


def release(connection: Connection, run_ids: Collection[str], now: float) -> int:
    """This process does not answer them: they are launched as any other. How many there were."""
    return _move(connection, run_ids, ANSWERING, ACCEPTED, now)


def take_back(connection: Connection, now: float) -> None:
    """Those whose process is gone are launched as any other."""
    lapsed = (submissions.c.state == ANSWERING, submissions.c.due <= now)
    connection.execute(update(submissions).where(*lapsed).values(state=ACCEPTED))


def keep_answer(connection: Connection, run_id: str, document: str, now: float) -> bool:
    """Keeps what the run did. False if somebody else has it meanwhile: then nothing is kept."""
    if not _move(connection, [run_id], ANSWERING, ANSWERED, now):
        return False
    connection.execute(insert(records).values(run_id=run_id, document=document, made=now))
    return True


def take_to_record(connection: Connection, now: float, most: int) -> list[tuple[Submission, str]]:
    """What was answered and is to be written into Dagster, the oldest first; nobody else takes it for a while."""
    where = (submissions.c.state == ANSWERED, submissions.c.due <= now)
    query = select(submissions.c.run_id, records.c.document).join(records, records.c.run_id == submissions.c.run_id)
    taken = []
    for row in connection.execute(query.where(*where).order_by(submissions.c.accepted).limit(most)).all():
        is_free = (submissions.c.run_id == row.run_id, *where)
        done = connection.execute(update(submissions).where(*is_free).values(due=now + _WRITING))
        submission = kept.find(connection, row.run_id)
        if done.rowcount and submission is not None:
            taken.append((submission, row.document))
    return taken


def put_back(connection: Connection, run_ids: Collection[str], due: float) -> None:
    """These could not be written: they are tried again at ``due``."""
    _move(connection, run_ids, ANSWERED, ANSWERED, due)


def set_recorded(connection: Connection, run_ids: Collection[str], now: float) -> None:
    """Dagster has them: what they did is kept here no longer."""
    _move(connection, run_ids, ANSWERED, RECORDED, now)
    connection.execute(delete(records).where(records.c.run_id.in_(list(run_ids))))


def _move(connection: Connection, run_ids: Collection[str], before: str, after: str, due: float) -> int:
    where = (submissions.c.run_id.in_(list(run_ids)), submissions.c.state == before)
    return connection.execute(update(submissions).where(*where).values(state=after, due=due)).rowcount
