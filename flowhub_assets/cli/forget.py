"""``flowhub forget PIPELINE KEY``: gives a dedupe key back, so that the next tick starts a run of it."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import click

from flowhub_assets.cli.surroundings import dagster_instance
from flowhub_assets.errors import NotFound


@click.command()
@click.argument("pipeline")
@click.argument("key", required=False)
def forget(pipeline: str, key: str | None) -> None:
    """Give back the KEY that a run of PIPELINE holds: the next tick of its schedules and sensors starts it again.

    Without KEY, the keys that are held are listed.
    """
    from flowhub_assets.store import seen
    from flowhub_assets.store.opened import database_of
    from flowhub_assets.to_dagster.dedupe import dedupe_topic

    topic = dedupe_topic(pipeline)
    with dagster_instance() as instance, database_of(instance).begin() as connection:
        if key is None:
            for one in seen.all_of(connection, topic, time.time()):
                until = datetime.fromtimestamp(one.expires, UTC).isoformat(timespec="seconds")
                click.echo(f"{one.key}  until {until.replace('+00:00', 'Z')}, by {one.detail}")
            return
        if not seen.drop(connection, topic, key):
            raise NotFound(
                f"pipeline {pipeline!r} holds no key {key[:100]!r}",
                effect="Nothing was changed.",
                remedy=f"The keys that are held: flowhub forget {pipeline}",
            )
    click.echo(f"{key} is given back", err=True)
