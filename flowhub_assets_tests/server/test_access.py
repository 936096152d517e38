"""Who is let in: by a token, or from this machine; and what each role may do."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.errors import InputError, NotAllowed, NotAuthenticated
from flowhub_assets.server import access
from flowhub_assets.server.access import ROLES, Caller, Doorkeeper, bearer, is_loopback, require_token_to_listen
from flowhub_assets.store import tokens
from flowhub_assets.store.database import Database, default_url, open_database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(default_url(str(tmp_path)))
    yield database
    database.close()


def new_token(database: Database, name: str, role: str, expires: float | None = None) -> str:
    with database.begin() as connection:
        return tokens.create(connection, name, role, time.time(), expires)


def test_a_token_tells_who_asks(database: Database) -> None:
    token = new_token(database, "shop", "runner")
    caller = Doorkeeper(database, is_open=False).caller(token, "192.0.2.7")
    assert caller == Caller("shop", "runner", "192.0.2.7")


@pytest.mark.parametrize("token", ["", "flowhub_", "flowhub_" + "A" * 43, "\ud800", "x" * 10_000])
def test_nobody_is_known_by_another_token(database: Database, token: str) -> None:
    new_token(database, "shop", "runner")
    with pytest.raises(NotAuthenticated) as refused:
        Doorkeeper(database, is_open=True).caller(token, "127.0.0.1")
    assert not token or token not in str(refused.value)


def test_tokens_that_are_over_open_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    over = new_token(database, "over", "admin", expires=time.time() - 1)
    ended = new_token(database, "ended", "admin")
    doorkeeper = Doorkeeper(database, is_open=False)
    assert doorkeeper.caller(ended, "").name == "ended"
    with database.begin() as connection:
        tokens.revoke(connection, "ended")
    monkeypatch.setattr(access, "_KEPT_SECONDS", -1.0)  # they are looked up again after some seconds
    for token in (over, ended):
        with pytest.raises(NotAuthenticated):
            doorkeeper.caller(token, "")


def test_this_machines_users_need_none_only_where_it_is_open(database: Database) -> None:
    opened, closed = (Doorkeeper(database, is_open=is_open) for is_open in (True, False))
    assert opened.caller(None, "127.0.0.1") == Caller("local", "admin", "127.0.0.1")
    assert opened.caller(None, "::1").role == "admin"
    for doorkeeper, peer, forwarded in (
        (closed, "127.0.0.1", False),
        (opened, "192.0.2.7", False),
        (opened, "127.0.0.1", True),
        (opened, "", False),
    ):
        with pytest.raises(NotAuthenticated):
            doorkeeper.caller(None, peer, is_forwarded=forwarded)


@pytest.mark.parametrize(("host", "own"), [
    ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("::ffff:127.0.0.1", True),
    ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("localhost.evil.test", False), ("", False),
])  # fmt: skip
def test_loopback(host: str, own: bool) -> None:
    assert is_loopback(host) is own


def test_a_server_for_others_needs_a_token_that_holds(database: Database) -> None:
    require_token_to_listen(database, "127.0.0.1")
    new_token(database, "over", "admin", expires=time.time() - 1)
    with pytest.raises(InputError, match=r"0\.0\.0\.0 can be reached"):
        require_token_to_listen(database, "0.0.0.0")
    new_token(database, "ops", "admin")
    require_token_to_listen(database, "0.0.0.0")


@given(role=st.sampled_from(ROLES), needed=st.sampled_from(ROLES))
def test_a_role_may_what_those_before_it_may(role: str, needed: str) -> None:
    caller = Caller("shop", role)
    if ROLES.index(role) >= ROLES.index(needed):
        caller.require(needed, "do it")
    else:
        with pytest.raises(NotAllowed, match=f"shop is a {role}"):
            caller.require(needed, "do it")


@given(scheme=st.text(max_size=10), rest=st.text(max_size=20))
def test_only_a_bearer_token_is_read_from_the_header(scheme: str, rest: str) -> None:
    header = f"{scheme} {rest}"
    try:
        token = bearer(header)
    except NotAuthenticated:
        return
    assert header.partition(" ")[0].lower() == "bearer"
    assert token == header.partition(" ")[2].strip() != ""


def test_no_header_is_no_token() -> None:
    assert bearer(None) is None
