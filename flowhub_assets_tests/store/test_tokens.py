"""Tokens: their hashes alone are kept, each is shown once and can be ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flowhub_assets.errors import Conflict, InputError, NotFound
from flowhub_assets.store import audit, tokens
from flowhub_assets.store.audit import Act
from flowhub_assets.store.database import Database, default_url, open_database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(default_url(str(tmp_path)))
    yield database
    database.close()


def test_the_token_itself_is_nowhere_in_the_database(database: Database, tmp_path: Path) -> None:
    with database.begin() as connection:
        token = tokens.create(connection, "shop", "runner", now=10.0)
    database.close()
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert token.removeprefix(tokens.PREFIX).encode() not in kept
    assert tokens.digest_of(token).encode() in kept


def test_a_token_holds_until_its_time_or_its_end(database: Database) -> None:
    with database.begin() as connection:
        tokens.create(connection, "short", "viewer", now=10.0, expires=20.0)
        tokens.create(connection, "long", "admin", now=10.0)
        tokens.revoke(connection, "long")
        short, long = sorted(tokens.all_tokens(connection), key=lambda token: -(token.expires or 0))
    assert [short.is_good(now) for now in (19.9, 20.0)] == [True, False]
    assert not long.is_good(11.0)


def test_a_name_is_free_again_once_its_token_is_ended(database: Database) -> None:
    with database.begin() as connection:
        first = tokens.create(connection, "shop", "runner", now=1.0)
        with pytest.raises(Conflict, match="'shop'"):
            tokens.create(connection, "shop", "admin", now=2.0)
        tokens.revoke(connection, "shop")
        second = tokens.create(connection, "shop", "viewer", now=3.0)
        (kept,) = tokens.all_tokens(connection)
    assert first != second
    assert (kept.role, kept.digest) == ("viewer", tokens.digest_of(second))


def test_what_is_not_there_cannot_be_ended(database: Database) -> None:
    with pytest.raises(NotFound, match="'shop'"), database.begin() as connection:
        tokens.revoke(connection, "shop")


def test_the_audit_log_has_the_newest_first_and_bounds_what_others_wrote(database: Database) -> None:
    with database.begin() as connection:
        for number in range(3):
            audit.write(connection, Act(number, "shop" * 100, "::1", "http", "start", "greet", "done", "x" * 9_999))
        newest = audit.newest(connection, 2)
    assert [act.time for act in newest] == [2.0, 1.0]
    assert (len(newest[0].caller), len(newest[0].detail)) == (255, 2_000)


def test_a_deployments_own_token_is_the_first_admin_and_can_be_changed(database: Database) -> None:
    with pytest.raises(InputError, match="31 characters"), database.begin() as connection:
        tokens.keep_first(connection, "x" * 31, now=1.0)
    with database.begin() as connection:
        for token in ("a" * 32, "b" * 32):
            tokens.keep_first(connection, token, now=1.0)
        (first,) = tokens.all_tokens(connection)
    assert (first.name, first.role, first.digest) == ("first", "admin", tokens.digest_of("b" * 32))
