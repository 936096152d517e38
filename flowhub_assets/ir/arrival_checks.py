"""Checks of what the trigger of arriving objects is told by a flow; a pipeline file's is checked where it is read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from flowhub_assets.ir.pipeline import Source
from flowhub_assets.ir.problem import Problem
from flowhub_assets.ir.spelling import did_you_mean, listed
from flowhub_assets.ir.webhook_checks import SIGNED_KEYS

#: What a run is for.
PER = ("object", "batch")
#: The most objects that one look may take.
MOST_OBJECTS = 1000
#: The most looks over which a long list is gone through.
MOST_LOOKS = 100
_MOST = {"limit": MOST_OBJECTS, "looks": MOST_LOOKS}
ARRIVAL_KEYS = ("prefix", "pattern", "every", "per", "limit", "lateness", "looks", "existing", *SIGNED_KEYS)


def arrival_faults(config: Mapping[str, Any], where: Source) -> Iterator[Problem]:
    """What is wrong with the config that ``@flow(object_arrival=...)`` has given."""
    if not where.file.endswith(".py"):
        return
    for key, value in config.items():
        if key not in ARRIVAL_KEYS:
            remedy = did_you_mean(key, ARRIVAL_KEYS) or f"it takes {listed(ARRIVAL_KEYS)}"
            yield Problem(f"object_arrival has {key!r}, which is nothing that it takes", where, remedy=remedy)
        elif wanted := _wanted(key, value):
            yield Problem(f"{key} of object_arrival is {value!r}", where, remedy=f"write {wanted}")


def _wanted(key: str, value: Any) -> str:
    """What is to stand there instead; "" where ``value`` will do."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if key in ("prefix", "pattern") and not isinstance(value, str):
        return "a text: 'inbox/' as the prefix, '*.csv' as the pattern"
    if key == "every" and not (is_number and value > 0):
        return "the seconds between two looks, or timedelta(minutes=1)"
    if key == "lateness" and not (is_number and value >= 0):
        return "the seconds by which an object may come late, or timedelta(hours=1)"
    if key == "per" and value not in PER:
        return f"one of {listed(PER)}"
    if key in _MOST and not (isinstance(value, int) and is_number and 1 <= value <= _MOST[key]):
        return f"a whole number from 1 to {_MOST[key]}"
    if key == "existing" and not isinstance(value, bool):
        return "True or False"
    return ""
