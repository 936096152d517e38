"""Deliveries, on SQLite and PostgreSQL: kept once, answered once, forgotten after their lifetime."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy.exc import IntegrityError

from flowhub_assets.store import deliveries
from flowhub_assets.store.database import Database
from flowhub_assets.store.deliveries import Answer, Delivery
from flowhub_assets_tests.store.databases import database, shared_postgres

__all__ = ["database", "shared_postgres"]

LATER, ANSWER = 100.0, Answer(201, {"X-Shop": "west"}, '{"order": "가"}')
Keep = Callable[..., None]


def keep(database: Database, delivery: str, run_id: str, answer: Answer | None = None, now: float = 0.0) -> None:
    with database.begin() as connection:
        deliveries.keep(connection, "shop", delivery, run_id, answer, now + LATER, now)


def find(database: Database, delivery: str, now: float = 1.0, pipeline: str = "shop") -> Delivery | None:
    with database.read() as connection:
        return deliveries.find(connection, pipeline, delivery, now)


def test_one_is_found_until_its_lifetime_is_over(database: Database) -> None:
    keep(database, "a", "run-1", ANSWER)
    assert find(database, "a") == Delivery("run-1", ANSWER)
    assert find(database, "a", pipeline="other") is None
    assert find(database, "b") is None
    assert find(database, "a", now=LATER) is None
    keep(database, "a", "run-2", None, now=LATER)
    assert find(database, "a", now=LATER) == Delivery("run-2", None)


def test_the_first_answer_stays(database: Database) -> None:
    keep(database, "a", "run-1")
    for answer in (ANSWER, Answer(202)):
        with database.begin() as connection:
            deliveries.answer_with(connection, "shop", "a", answer)
    assert find(database, "a") == Delivery("run-1", ANSWER)


def test_the_same_at_once_is_kept_once(database: Database) -> None:
    def one(number: int) -> bool:
        try:
            keep(database, "a", f"run-{number}")
        except IntegrityError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(one, range(16))) == 1


def test_only_those_that_are_over_are_forgotten(database: Database) -> None:
    keep(database, "old", "run-1")
    keep(database, "new", "run-2", now=50)
    with database.begin() as connection:
        deliveries.forget(connection, LATER)
    assert find(database, "old") is None
    assert find(database, "new") is not None
