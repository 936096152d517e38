"""The exit codes of the verbs about runs: run, runs, logs, cancel, retry.

| code | meaning |
|---|---|
| 0 | done; with --wait or --watch: the run has succeeded |
| 1 | the run has failed, or could never be launched |
| 2 | refused: wrong usage, wrong params, no such pipeline or run, not allowed; nothing was done |
| 3 | the run was cancelled, or a later one of its key came in its place |
| 4 | the server, its database or Dagster does not answer: the same command may be given again |
| 124 | --timeout is over; the run goes on |
| 130 | Ctrl-C; the run goes on |
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from flowhub_assets.errors import FlowhubError, ParamsRefused, TooMuch, Unavailable

SUCCESS, FAILED, REFUSED, CANCELLED, UNAVAILABLE, TIMED_OUT, INTERRUPTED = 0, 1, 2, 3, 4, 124, 130

_OF_STATUS = {"SUCCESS": SUCCESS, "FAILURE": FAILED, "FAILED_TO_LAUNCH": FAILED}


def code_of(status: str) -> int:
    """The exit code for a run that has ended with that status."""
    return _OF_STATUS.get(status, CANCELLED)


@contextmanager
def errors_told() -> Iterator[None]:
    """Errors of ours inside become their words on stderr, each wrong param on a line of its own, and an exit code."""
    try:
        yield
    except FlowhubError as error:
        click.echo(f"Error: {error}", err=True)
        if isinstance(error, ParamsRefused):
            for field, what, remedy in error.fields:
                click.echo(f"  {field or 'params'}: {what}{f' ({remedy})' if remedy else ''}", err=True)
        raise SystemExit(UNAVAILABLE if isinstance(error, Unavailable | TooMuch) else REFUSED) from None
