"""The audit log: who asked for what, by which door, and what came of it. It is only ever added to."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from flowhub_assets.store.tables import audit

_LONGEST = 255


@dataclass(frozen=True)
class Act:
    """One line. ``time`` is seconds since 1970; ``target`` is a pipeline, run or token; ``result`` done or refused."""

    time: float
    caller: str
    peer: str
    door: str
    action: str
    target: str
    result: str
    detail: str = ""


def write(connection: Connection, act: Act) -> None:
    """Adds a line; it is there once the transaction is."""
    connection.execute(
        insert(audit).values(
            time=act.time,
            caller=act.caller[:_LONGEST],
            peer=act.peer[:_LONGEST],
            door=act.door,
            action=act.action,
            target=act.target[:_LONGEST],
            result=act.result,
            detail=act.detail[:2_000],
        )
    )


def newest(connection: Connection, most: int = 100) -> list[Act]:
    """The newest lines, the newest first."""
    columns = (audit.c[name] for name in Act.__dataclass_fields__)
    query = select(*columns).order_by(audit.c.id.desc()).limit(most)
    return [Act(*row) for row in connection.execute(query)]
