"""What leaves the database with time, and what never does."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from flowhub_assets.server.backend import launching_in_background
from flowhub_assets.server.forgetting import KEPT_SECONDS, forget_old
from flowhub_assets.store import deliveries, submissions
from flowhub_assets.store.database import Database, default_url, open_database
from flowhub_assets.store.submissions import Order, Submission
from flowhub_assets_tests.server.backends import GREET, backend_over

STATES = [
    *(submissions.ACCEPTED, submissions.DELAYED, submissions.LAUNCHED, submissions.ANSWERED, submissions.ANSWERING),
    *(submissions.RECORDED, submissions.SUPERSEDED, submissions.FAILED, submissions.CANCELLED),
]
NOW = 100 * KEPT_SECONDS


def kept_in(database: Database, state: str, accepted: float) -> str:
    run_id = f"{state}-{accepted:g}"
    with database.begin() as connection:
        one = Submission(run_id, "greet", "http", "local", Order(), state, accepted, accepted)
        submissions.keep(connection, one)
        submissions.keep_key(connection, run_id, one, accepted + 60)
        deliveries.keep(connection, "greet", run_id, run_id, None, accepted + 60, accepted)
    return run_id


def is_there(database: Database, run_id: str, now: float) -> tuple[bool, bool, bool]:
    """Whether the submission, its key and its delivery are there."""
    with database.read() as connection:
        return (
            submissions.find(connection, run_id) is not None,
            submissions.find_key(connection, "greet", run_id, Order(), now) is not None,
            deliveries.find(connection, "greet", run_id, now) is not None,
        )


@pytest.mark.parametrize("state", STATES)
def test_what_is_settled_goes_and_what_is_not_stays(tmp_path: Path, state: str) -> None:
    database = open_database(default_url(str(tmp_path)))
    is_settled = state in STATES[5:] or state == submissions.LAUNCHED
    old, new = NOW - KEPT_SECONDS - 1, NOW - 30
    first, second = kept_in(database, state, old), kept_in(database, state, new)
    forget_old(database, NOW)
    assert is_there(database, first, old) == (not is_settled, False, False)
    assert is_there(database, second, new) == (True, True, True)
    database.close()


def test_a_server_forgets_by_itself(tmp_path: Path) -> None:
    (tmp_path / "greet.yaml").write_text(GREET)
    with backend_over(tmp_path, tmp_path) as backend:
        run_id = kept_in(backend.database, submissions.LAUNCHED, 0.0)
        with launching_in_background(backend):
            last = time.monotonic() + 60
            while is_there(backend.database, run_id, 0.0)[0] and time.monotonic() < last:
                time.sleep(0.02)
        assert is_there(backend.database, run_id, 0.0) == (False, False, False)
