"""Times as people write them: 30, "30s", "1h30m"."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*")


def seconds_of(value: Any) -> Any:
    """The seconds that a text such as 1h30m stands for; other values as they are. Raises ValueError."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if not text or _PART.sub("", text):
        raise ValueError("must be a time such as 30, 30s, 5m or 1h30m")
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


#: Seconds, also written with a unit.
Seconds = Annotated[float, BeforeValidator(seconds_of, json_schema_input_type=float | str)]
