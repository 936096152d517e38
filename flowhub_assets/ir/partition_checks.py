"""Checks of partitions by keys: the names of their dimensions, the keys, and how many there are."""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowhub_assets.ir.pipeline import Pipeline, Source
from flowhub_assets.ir.problem import Problem
from flowhub_assets.ir.spelling import listed
from flowhub_assets.ir.triggers import Dimension, Partitions

#: As many as Dagster's MultiPartitionsDefinition has.
MOST_DIMENSIONS = 2
#: Each cell is one run of a backfill, and one square of Dagster's page of an asset.
MOST_CELLS = 1_000
LONGEST_KEY = 60
#: What a task finds beside its keys, and what partitions by time are called.
_TAKEN = ("key", "start", "end", "every", "timezone")
_NAME = re.compile(r"[A-Za-z_]\w{0,59}", re.ASCII)
#: What Dagster puts between keys ('|'), what its dialog and its ranges take for something else, and all keys ('*').
_SIGNS = "|*,[]\"'\\"
#: Triggers that start one run each, and know nothing of partitions by keys.
ONE_RUN = ("webhook", "object-arrival")

_EFFECT = "no run could be told what it is about"


def key_faults(pipeline: Pipeline, partitions: Partitions) -> Iterator[Problem]:
    """What is wrong with the ``dimensions`` of a pipeline's partitions, and with what starts their runs."""
    where, dimensions = pipeline.source, partitions.dimensions
    if partitions.every or partitions.start:
        remedy = "write every and start, or lists of keys"
        yield Problem("partitions are spans of time and keys at once", where, _EFFECT, remedy)
    if len(dimensions) > MOST_DIMENSIONS:
        remedy = f"Dagster takes {MOST_DIMENSIONS}: make the others params, or join two of them: 'iris-small'"
        yield Problem(f"partitions have {len(dimensions)} dimensions", where, _EFFECT, remedy)
    names = [dimension.name for dimension in dimensions]
    if len(set(names)) < len(names):
        yield Problem("two dimensions of partitions have one name", where, _EFFECT, "give each a name of its own")
    cells = 1
    for dimension in dimensions:
        yield from _dimension_faults(dimension, where)
        cells *= max(len(dimension.keys), 1)
    if cells > MOST_CELLS:
        remedy = f"leave keys out, {MOST_CELLS:,} are the most, or make one dimension a param"
        yield Problem(f"partitions by keys are {cells:,}", where, "a backfill of all is as many runs", remedy)
    yield from _trigger_faults(pipeline)


def _dimension_faults(dimension: Dimension, where: Source) -> Iterator[Problem]:
    name, seen = dimension.name, set()
    if not _NAME.fullmatch(name) or name in _TAKEN:
        why = "is taken" if name in _TAKEN else "is no name"
        remedy = f"write letters, digits and '_', at most 60, and none of {listed(_TAKEN)}: data_set"
        yield Problem(f"a dimension of partitions is called {name[:80]!r}, which {why}", where, _EFFECT, remedy)
    if not dimension.keys:
        yield Problem(f"dimension {name!r} of partitions has no keys", where, _EFFECT, f"write {name}: [iris, titanic]")
    for key in dimension.keys:
        if key in seen:
            effect = "each of its runs would be there twice"
            yield Problem(f"dimension {name!r} of partitions has {key!r} twice", where, effect, "leave one of them out")
        seen.add(key)
        fault = _key_fault(key)
        if fault:
            remedy = f"write 1 to {LONGEST_KEY} characters, none of {' '.join(_SIGNS)}: 'scikit-learn'"
            yield Problem(f"key {key[:80]!r} of dimension {name!r} {fault}", where, _EFFECT, remedy)


def _key_fault(key: str) -> str:
    """Why that can be no key, "" if it can."""
    if not 0 < len(key) <= LONGEST_KEY:
        return f"has {len(key)} characters"
    if not key.isprintable() or key != key.strip():
        return "begins or ends with a blank, or has characters that cannot be shown"
    sign = next((sign for sign in (*_SIGNS, "...") if sign in key), None)
    if sign is not None:
        return f"has {sign} in it"
    # Each key is part of a file's name: these two are folders.
    return "is no name of a file" if key in (".", "..") else ""


def _trigger_faults(pipeline: Pipeline) -> Iterator[Problem]:
    for trigger in pipeline.triggers:
        if trigger.type in ONE_RUN:
            what = f"a pipeline whose partitions are keys has a trigger of type {trigger.type}"
            remedy = "give the trigger to a pipeline of its own, and this one a trigger of type run, after that one"
            yield Problem(what, pipeline.source, "nothing says which partition its run is about", remedy)
