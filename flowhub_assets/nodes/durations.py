"""Times as people write them in a file: 30, "30s", "5m", "1h30m", "PT1H30M". In seconds."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
_PART = re.compile(r"\s*(\d{1,9}(?:\.\d{1,6})?)\s*(ms|s|m|h|d|w)", re.ASCII)
_NUMBER = re.compile(r"\d{1,12}(\.\d{1,9})?", re.ASCII)
_ISO = re.compile(
    r"P(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d{1,6})?)S)?)?", re.ASCII
)
_ISO_UNITS = ("w", "d", "h", "m", "s")


def seconds(text: str) -> float | None:
    """The seconds that ``text`` means; None if it means no time."""
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return float(text)
    iso = _ISO.fullmatch(text)
    if iso and any(iso.groups()):
        return sum(float(part) * _SECONDS[unit] for part, unit in zip(iso.groups(), _ISO_UNITS, strict=True) if part)
    total, at = 0.0, 0
    while at < len(text):
        part = _PART.match(text, at)
        if part is None:
            return None
        total += float(part[1]) * _SECONDS[part[2]]
        at = part.end()
    return total if at else None


def seconds_of(value: Any) -> Any:
    """The seconds that a text means; other values as they are. Raises ValueError for a text that means no time."""
    if not isinstance(value, str):
        return value
    found = seconds(value)
    if found is None:
        raise ValueError("must be a time such as 30, 30s, 5m or 1h30m")
    return found


#: Seconds, also written with a unit.
Seconds = Annotated[float, BeforeValidator(seconds_of, json_schema_input_type=float | str)]
