"""Deliveries of webhooks, and what each was answered: what comes again is answered the same, and starts nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from flowhub_assets.store.tables import deliveries


@dataclass(frozen=True)
class Answer:
    """What goes back over HTTP."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass(frozen=True)
class Delivery:
    """One that came, the run that it started, and its answer; None while that is being made."""

    run_id: str
    answer: Answer | None


def find(connection: Connection, pipeline: str, delivery: str, now: float) -> Delivery | None:
    """The delivery of that id whose lifetime is not over."""
    where = (*_is(pipeline, delivery), deliveries.c.expires > now)
    row = connection.execute(select(deliveries).where(*where)).one_or_none()
    if row is None:
        return None
    answer = None if row.status is None else Answer(row.status, json.loads(row.headers), row.body)
    return Delivery(row.run_id, answer)


def keep(
    connection: Connection, pipeline: str, delivery: str, run_id: str, answer: Answer | None, expires: float, now: float
) -> None:
    """Keeps a delivery that is not there yet. Raises IntegrityError if it comes twice at this moment."""
    connection.execute(delete(deliveries).where(*_is(pipeline, delivery), deliveries.c.expires <= now))
    given = _columns(answer) if answer else {}
    connection.execute(
        insert(deliveries).values(pipeline=pipeline, delivery=delivery, run_id=run_id, expires=expires, **given)
    )


def answer_with(connection: Connection, pipeline: str, delivery: str, answer: Answer) -> None:
    """The answer of a delivery that has none yet; one that was given stays."""
    where = (*_is(pipeline, delivery), deliveries.c.status.is_(None))
    connection.execute(update(deliveries).where(*where).values(**_columns(answer)))


def forget(connection: Connection, now: float) -> None:
    """Drops those whose lifetime is over."""
    connection.execute(delete(deliveries).where(deliveries.c.expires <= now))


def _is(pipeline: str, delivery: str) -> tuple[ColumnElement[bool], ...]:
    return (deliveries.c.pipeline == pipeline, deliveries.c.delivery == delivery)


def _columns(answer: Answer) -> dict[str, object]:
    return {"status": answer.status, "headers": json.dumps(dict(answer.headers)), "body": answer.body}
