"""``flowhub retry RUN``: takes a run up again, as a new run."""

from __future__ import annotations

import click

from flowhub_assets.cli.access import Access, run_id_of, with_access
from flowhub_assets.cli.start import told_and_waited


@click.command(epilog="Exit codes: as those of flowhub run.")
@click.argument("run")
@click.option("--from-failure", is_flag=True, help="Only what failed there, or never ran.")
@click.option("--step", "steps", multiple=True, help="Only this step and all that follows it; may be repeated.")
@click.option("--wait", is_flag=True, help="Wait for its end, and print its result as JSON.")
@click.option("--watch", is_flag=True, help="Wait, and show its steps and what they print.")
@click.option("--timeout", type=click.FloatRange(min=0), help="The most seconds to wait; the run goes on.")
@with_access
def retry(
    access: Access,
    run: str,
    from_failure: bool,
    steps: tuple[str, ...],
    wait: bool,
    watch: bool,
    timeout: float | None,
) -> None:
    """Run RUN once more with the same params, as a new run, and print its id: all of it, or a part.

    RUN is a run's id or its first characters.
    """
    if from_failure and steps:
        raise click.UsageError("--from-failure and --step exclude each other.")
    begun = access.retry(run_id_of(access, run), from_failure=from_failure, steps=steps)
    raise SystemExit(told_and_waited(access, begun, wait=wait, watch=watch, timeout=timeout))
