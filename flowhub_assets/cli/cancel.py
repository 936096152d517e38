"""``flowhub cancel RUN``: ends a run."""

from __future__ import annotations

import click

from flowhub_assets.cli.access import Access, run_id_of, with_access


@click.command()
@click.argument("run")
@with_access
def cancel(access: Access, run: str) -> None:
    """End RUN: one that waits never begins, one that runs is told to stop.

    RUN is a run's id or its first characters.
    """
    view = access.cancel(run_id_of(access, run))
    click.echo(f"{view.run_id} {view.status}")
