"""What the verbs about runs ask for, the same of a Dagster on this machine (local.py) and of a server (remote.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Protocol

import click

from flowhub_assets.cli.exit_codes import errors_told
from flowhub_assets.errors import InputError, NotFound
from flowhub_assets.server.run_facts import RunEvent, RunView

#: The length of a run's id, and how many of the last runs the beginning of one is looked for in.
_WHOLE_ID, _MOST_LOOKED_AT = 36, 500
_LEAST_OF_AN_ID = 4


@dataclass(frozen=True)
class Order:
    """A run to be started. What is None is the pipeline's own; ``key_lifetime`` is in seconds."""

    pipeline: str
    params: Mapping[str, Any] = field(default_factory=dict)
    env: str | None = None
    queue: str | None = None
    priority: int | None = None
    partition: str | None = None
    key: str | None = None
    key_lifetime: float | None = None
    force: bool = False


@dataclass(frozen=True)
class Begun:
    """The run that was started, or, with the ``reason``, the earlier one that stands for it.

    ``partition`` is its partition, of each of several that were started at once.
    """

    run_id: str
    is_new: bool
    reason: str
    url: str
    partition: str = ""


class Access(Protocol):
    """All raise NotFound, Conflict, NotAllowed, Unavailable and the like, as their twins in server/ do."""

    def params_schema(self, pipeline: str) -> Mapping[str, Any]:
        """The JSON Schema of a pipeline's params."""

    def start(self, order: Order) -> list[Begun]:
        """Starts a run, or, where the partition is a pattern, one for each that it means: these have a partition."""

    def run(self, run_id: str) -> RunView:
        """One run with its steps."""

    def runs(self, pipeline: str | None, statuses: Sequence[str], limit: int) -> list[RunView]:
        """The newest runs."""

    def queues(self, limit: int) -> Mapping[str, Any]:
        """The queues as queue_views.QueuesView has them, as JSON; at most ``limit`` runs of each list."""

    def events(self, run_id: str, cursor: str | None) -> tuple[list[RunEvent], str]:
        """What came after a cursor, and the next one."""

    def log(self, run_id: str, step: str, attempt: int | None) -> str:
        """What a step has printed so far."""

    def follow_log(self, run_id: str, step: str, attempt: int | None) -> Iterator[str]:
        """The same as it comes, until the run is over."""

    def result(self, run_id: str) -> Any:
        """The pipeline's own value."""

    def cancel(self, run_id: str) -> RunView:
        """Ends a run."""

    def retry(self, run_id: str, *, from_failure: bool, steps: Sequence[str]) -> Begun:
        """Takes a run up again."""


def opened(url: str | None, token: str | None) -> AbstractContextManager[Access]:
    """The server at ``url``, or, without one, the Dagster of DAGSTER_HOME."""
    if url:
        from flowhub_assets.cli.remote import remote_access

        return remote_access(url, token)
    from flowhub_assets.cli.local import local_access

    return local_access()


def with_access(verb: Callable[..., None]) -> Callable[..., None]:
    """A verb whose first argument is an Access: adds --url and --token, tells errors, and exits with their codes."""

    @click.option("--url", envvar="FLOWHUB_URL", help="A server's address [FLOWHUB_URL]; without one, DAGSTER_HOME's.")
    @click.option("--token", envvar="FLOWHUB_TOKEN", help="Its token; FLOWHUB_TOKEN keeps it out of the shell's list.")
    @wraps(verb)
    def with_server(*args: Any, url: str | None, token: str | None, **more: Any) -> None:
        with errors_told(), opened(url, token) as access:
            verb(access, *args, **more)

    return with_server


def run_id_of(access: Access, text: str) -> str:
    """The id of the run that begins with ``text``. Raises NotFound, InputError where several do."""
    if len(text) >= _WHOLE_ID:
        return text
    if len(text) < _LEAST_OF_AN_ID:
        raise InputError(
            f"{text!r} is too short for a run's id",
            effect="Nothing was done.",
            remedy=f"Give at least its first {_LEAST_OF_AN_ID} characters; flowhub runs lists the last ones.",
        )
    found = [run.run_id for run in access.runs(None, (), _MOST_LOOKED_AT) if run.run_id.startswith(text)]
    if not found:
        raise NotFound(
            f"none of the last {_MOST_LOOKED_AT} runs begins with {text!r}",
            effect="Nothing was done.",
            remedy="Give the whole id; flowhub runs lists the last ones.",
        )
    if len(found) > 1:
        raise InputError(
            f"{len(found)} runs begin with {text!r}: {', '.join(found[:5])}",
            effect="Nothing was done.",
            remedy="Give more of the id.",
        )
    return found[0]
