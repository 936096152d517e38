"""``flowhub logs RUN [STEP]``: what a run's tasks have printed."""

from __future__ import annotations

import click

from flowhub_assets.cli.access import Access, run_id_of, with_access
from flowhub_assets.cli.exit_codes import INTERRUPTED
from flowhub_assets.cli.run_display import event_line
from flowhub_assets.cli.watching import events_until_over
from flowhub_assets.server.run_facts import RunEvent


@click.command()
@click.argument("run")
@click.argument("step", required=False)
@click.option("--attempt", type=click.IntRange(1), help="Only this try of a step; all, if left out.")
@click.option("--follow", "-f", is_flag=True, help="Go on until the run is over.")
@with_access
def logs(access: Access, run: str, step: str | None, attempt: int | None, follow: bool) -> None:
    """Show what the steps of RUN have printed, or one STEP alone, as it is.

    RUN is a run's id or its first characters. Without a STEP, the starts and ends of all steps are shown as well.
    """
    run_id = run_id_of(access, run)
    try:
        if step is None:
            _all_steps(access, run_id, attempt, follow=follow)
        elif follow:
            for text in access.follow_log(run_id, step, attempt):
                click.echo(text, nl=False)
        else:
            click.echo(access.log(run_id, step, attempt), nl=False)
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None


def _all_steps(access: Access, run_id: str, attempt: int | None, *, follow: bool) -> None:
    if follow:
        for event in events_until_over(access, run_id, None):
            _show(event, attempt)
        return
    access.run(run_id)
    cursor: str | None = None
    while True:
        events, cursor = access.events(run_id, cursor)
        if not events:
            return
        for event in events:
            _show(event, attempt)


def _show(event: RunEvent, attempt: int | None) -> None:
    line = event_line(event)
    if line and (attempt is None or event.attempt in (0, attempt)):
        click.echo(line)
