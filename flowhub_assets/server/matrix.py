"""Starts a run for each of the partitions that a pattern means: iris|*, model=xgboost or * of partitions by keys."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from flowhub_assets.errors import ParamsRefused
from flowhub_assets.server.backend import Backend
from flowhub_assets.server.runs import Started, StartRequest
from flowhub_assets.to_dagster.partitions import keys_of_pattern

#: For how many seconds a request of many runs launches them; the others are launched behind it, as are delayed ones.
PATIENCE = 5.0
#: An idempotency key is no longer, in the table of keys and in every door.
_LONGEST_KEY = 255


@dataclass(frozen=True)
class StartedCell:
    """The run of one of several partitions."""

    partition: str
    started: Started


def start_each(backend: Backend, request: StartRequest, seconds: float = math.inf) -> list[StartedCell]:
    """A run for each partition that ``request.partition`` means; [] where that is no pattern, and names one or none.

    Each has the idempotency key KEY/PARTITION, and the key of ``latest_of`` so too: the same request starts nothing
    twice, and one that was cut short goes on. All are checked before the first is kept, and are kept all or none.
    Raises what Runs.start raises; ParamsRefused for a pattern that means nothing.
    """
    entry = backend.catalogue.get(request.pipeline)
    keys = keys_of_pattern(entry.pipeline, request.partition)
    if not keys:
        return []
    requests = [_of_cell(request, key) for key in keys]
    taken = backend.runs.take_all([(backend.runs.submission(entry, one), one) for one in requests], seconds)
    return [StartedCell(key, started) for key, started in zip(keys, taken, strict=True)]


def _of_cell(request: StartRequest, partition: str) -> StartRequest:
    key, latest_of = _own(request.key, "key", partition), _own(request.latest_of, "latest_of", partition)
    return replace(request, partition=partition, key=key, latest_of=latest_of)


def _own(key: str | None, field: str, partition: str) -> str | None:
    own = None if key is None else f"{key}/{partition}"
    if own is None or len(own) <= _LONGEST_KEY:
        return own
    what = f"{field} {own[:40]!r}... is {len(own)} characters long with the partition that it is of"
    remedy = f"Give one of at most {_LONGEST_KEY - len(partition) - 1} characters."
    raise ParamsRefused(what, effect="Nothing was started.", remedy=remedy, fields=((field, what, remedy),))
