"""``flowhub run PIPELINE``: starts a run of a pipeline by its name, through the same door as HTTP and gRPC."""

from __future__ import annotations

import json

import click

from flowhub_assets.cli.access import Access, Begun, Order, with_access
from flowhub_assets.cli.exit_codes import INTERRUPTED, SUCCESS, TIMED_OUT, code_of
from flowhub_assets.cli.matrix import told_and_waited_for_all
from flowhub_assets.cli.params_given import given_params
from flowhub_assets.cli.run_display import display
from flowhub_assets.cli.watching import OutOfTime, events_until_over, wait_until_over
from flowhub_assets.server.run_facts import RunView


@click.command(
    "run", epilog="Exit codes: 0 done, 1 failed, 2 refused, 3 cancelled, 4 no answer, 124 --timeout is over."
)
@click.argument("pipeline")
@click.option(
    "--param", "words", multiple=True, metavar="NAME=VALUE", help="One param: a text, or JSON; data.city too."
)
@click.option("--params", "document", metavar="JSON|@FILE|-", help="All params as a JSON object; - reads stdin.")
@click.option("--env", help="The profile that the run takes.")
@click.option("--queue", help="The queue that it waits in.")
@click.option("--priority", type=click.IntRange(-1_000_000, 1_000_000), help="A higher number goes first.")
@click.option("--partition", metavar="KEY", help="Which one it is about [the last one]; of keys many: 'iris|*', '*'.")
@click.option("--key", help="An idempotency key: the same one answers with the same run.")
@click.option(
    "--key-lifetime", type=click.FloatRange(min=0, min_open=True), help="For how many seconds the key holds [a day]."
)
@click.option("--force", is_flag=True, help="Start also if the key was used before.")
@click.option("--wait", is_flag=True, help="Wait for its end, and print its result as JSON.")
@click.option("--watch", is_flag=True, help="Wait, and show its steps and what they print.")
@click.option("--timeout", type=click.FloatRange(min=0), help="The most seconds to wait; the run goes on.")
@with_access
def start(
    access: Access,
    pipeline: str,
    words: tuple[str, ...],
    document: str | None,
    env: str | None,
    queue: str | None,
    priority: int | None,
    partition: str | None,
    key: str | None,
    key_lifetime: float | None,
    force: bool,
    wait: bool,
    watch: bool,
    timeout: float | None,
) -> None:
    """Start a run of PIPELINE in Dagster, and print its id.

    Of a pipeline whose partitions are keys, --partition 'iris|*', model=xgboost or '*' starts a run for each that it
    means, and prints a table of them; with --wait or --watch once all are over. Each has a key of its own in --key.

    PIPELINE is a pipeline's name; a FILE is run on this machine, see flowhub run FILE --help.
    """
    schema = access.params_schema(pipeline)
    params = given_params(document, words, schema)
    begun = access.start(Order(pipeline, params, env, queue, priority, partition, key, key_lifetime, force))
    if begun[0].partition:
        raise SystemExit(told_and_waited_for_all(access, begun, wait=wait or watch, timeout=timeout))
    raise SystemExit(told_and_waited(access, begun[0], wait=wait, watch=watch, timeout=timeout))


def told_and_waited(access: Access, begun: Begun, *, wait: bool, watch: bool, timeout: float | None) -> int:
    """Tells of the run that was begun, and waits for it if asked; the exit code.

    stdout has the run's id, or, where it was waited for, its result as JSON; all else is on stderr.
    """
    if begun.reason:
        click.echo(begun.reason, err=True)
    if begun.url:
        click.echo(begun.url, err=True)
    if not (wait or watch):
        click.echo(begun.run_id)
        return SUCCESS
    click.echo(f"run {begun.run_id}", err=True)
    try:
        if watch:
            with display() as shown:
                for event in events_until_over(access, begun.run_id, timeout, shown.on_view):
                    shown.on_event(event)
        else:
            wait_until_over(access, begun.run_id, timeout)
    except OutOfTime:
        click.echo(f"{begun.run_id} goes on after {timeout:g} s. {_more(begun.run_id)}", err=True)
        return TIMED_OUT
    except KeyboardInterrupt:
        click.echo(f"\n{begun.run_id} goes on. {_more(begun.run_id)}", err=True)
        return INTERRUPTED
    return _ended(access, access.run(begun.run_id))


def _ended(access: Access, view: RunView) -> int:
    code = code_of(view.status)
    if code == SUCCESS:
        click.echo(json.dumps(access.result(view.run_id), ensure_ascii=False))
        return code
    click.echo(f"{view.run_id} is {view.status}{f': {view.error}' if view.error else ''}", err=True)
    return code


def _more(run_id: str) -> str:
    return f"See it: flowhub logs {run_id} --follow. End it: flowhub cancel {run_id}."
