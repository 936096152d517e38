"""``flowhub token``: makes, lists and ends API tokens; ``flowhub audit`` shows who asked for what."""

from __future__ import annotations

import getpass
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from flowhub_assets.cli.surroundings import dagster_instance

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from flowhub_assets.store.tokens import Token

_DAY = 24 * 3_600
_ROLES = click.Choice(["viewer", "runner", "editor", "admin"])


@click.group()
def token() -> None:
    """Make, list and end the tokens by which others may ask the server."""


@token.command()
@click.argument("name")
@click.option("--role", type=_ROLES, required=True, help="What it may do: look, start runs, write pipelines, all.")
@click.option(
    "--days", type=click.FloatRange(min=0, min_open=True), help="For how many days it holds; always, if left out."
)
def create(name: str, role: str, days: float | None) -> None:
    """Make a token and print it, this once: only its hash is kept."""
    from flowhub_assets.store import tokens

    now = time.time()
    with _acting("create a token", name) as connection:
        made = tokens.create(connection, name, role, now, None if days is None else now + days * _DAY)
    click.echo(made)


@token.command()
@click.argument("name")
def revoke(name: str) -> None:
    """End a token: it opens nothing any more, a few seconds from now at the latest."""
    from flowhub_assets.store import tokens

    with _acting("revoke a token", name) as connection:
        tokens.revoke(connection, name)
    click.echo(f"{name} is ended", err=True)


@token.command("list")
def list_tokens() -> None:
    """List the tokens: names, roles, until when they hold."""
    from flowhub_assets.store import tokens

    now = time.time()
    with _database() as connection:
        for one in tokens.all_tokens(connection):
            until = "revoked" if one.revoked else f"until {_time(one.expires)}" if one.expires else "for ever"
            click.echo(
                f"{one.name:24} {one.role:8} {until}{'' if one.is_good(now) or one.revoked else ', which is over'}"
            )


@click.command()
@click.option("--limit", default=50, show_default=True, help="How many lines, the newest first.")
def audit(limit: int) -> None:
    """Show who asked for what, by which door, and what came of it."""
    from flowhub_assets.store import audit as log

    with _database() as connection:
        for act in log.newest(connection, limit):
            detail = f" ({act.detail})" if act.detail else ""
            click.echo(f"{_time(act.time)} {act.caller} {act.door} {act.action} {act.target}: {act.result}{detail}")


def _lifetime(one: Token, now: float) -> str:
    if one.revoked:
        return "revoked"
    if one.expires is None:
        return "for ever"
    return f"{'until' if one.is_good(now) else 'over since'} {_time(one.expires)}"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


@contextmanager
def _database() -> Iterator[Connection]:
    from flowhub_assets.store.opened import database_of

    with dagster_instance() as instance, database_of(instance).begin() as connection:
        yield connection


@contextmanager
def _acting(action: str, target: str) -> Iterator[Connection]:
    """A transaction in which something is done, and kept in the audit log with it."""
    from flowhub_assets.store.audit import Act, write

    with _database() as connection:
        yield connection
        write(connection, Act(time.time(), _user(), "", "cli", action, target, "done"))


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"
