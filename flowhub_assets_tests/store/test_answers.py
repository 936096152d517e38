"""Requests that the server answers itself, as the database has them: whoever takes one has it alone."""

from __future__ import annotations

from flowhub_assets.store import answers, submissions
from flowhub_assets.store.answers import LEASE
from flowhub_assets.store.database import Database
from flowhub_assets.store.submissions import ACCEPTED, ANSWERED, RECORDED, Order, Submission
from flowhub_assets_tests.store.databases import database, shared_postgres

__all__ = ["database", "shared_postgres"]

NOW = 1_000_000.0


def keep(database: Database, run_id: str, accepted: float = NOW) -> Submission:
    one = Submission(run_id, "p", "webhook", "local", Order(), ACCEPTED, accepted, accepted)
    one = answers.to_be_answered(one)
    with database.begin() as connection:
        submissions.keep(connection, one)
    return one


def state(database: Database, run_id: str) -> str:
    with database.begin() as connection:
        found = submissions.find(connection, run_id)
    assert found is not None
    return found.state


def test_nobody_launches_it_until_its_lease_is_over(database: Database) -> None:
    keep(database, "a")
    keep(database, "b")
    with database.begin() as connection:
        answers.renew(connection, ["a"], NOW + LEASE / 2)
        answers.take_back(connection, NOW + LEASE - 1)
        assert submissions.due(connection, NOW + LEASE - 1) == []
        answers.take_back(connection, NOW + LEASE)
        assert [one.run_id for one in submissions.due(connection, NOW + LEASE)] == ["b"]
        assert not answers.keep_answer(connection, "b", "{}", NOW + LEASE)
        assert answers.keep_answer(connection, "a", "{}", NOW + LEASE)


def test_an_answer_is_recorded_by_one_alone(database: Database) -> None:
    keep(database, "a")
    with database.begin() as connection:
        assert answers.keep_answer(connection, "a", '{"said": "김하나"}', NOW)
        assert not answers.keep_answer(connection, "a", "another", NOW)
        assert answers.release(connection, ["a"], NOW) == 0
    with database.begin() as connection:
        [(submission, document)] = answers.take_to_record(connection, NOW, 10)
        assert (submission.run_id, document) == ("a", '{"said": "김하나"}')
    with database.begin() as connection:
        assert answers.take_to_record(connection, NOW + 1, 10) == []
        # Whoever took it was killed.
        assert len(answers.take_to_record(connection, NOW + 60, 10)) == 1
        answers.put_back(connection, ["a"], NOW + 65)
    assert state(database, "a") == ANSWERED
    with database.begin() as connection:
        assert len(answers.take_to_record(connection, NOW + 65, 10)) == 1
        answers.set_recorded(connection, ["a"], NOW + 66)
        assert answers.take_to_record(connection, NOW + 999, 10) == []
    assert state(database, "a") == RECORDED


def test_the_oldest_are_recorded_first(database: Database) -> None:
    for number in (3, 1, 2):
        keep(database, str(number), NOW + number)
        with database.begin() as connection:
            answers.keep_answer(connection, str(number), "{}", NOW + 5)
    with database.begin() as connection:
        assert [one.run_id for one, _ in answers.take_to_record(connection, NOW + 6, 2)] == ["1", "2"]
        assert [one.run_id for one, _ in answers.take_to_record(connection, NOW + 6, 2)] == ["3"]
