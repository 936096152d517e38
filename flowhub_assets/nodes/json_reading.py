"""Reads JSON that came from outside: what Python's json takes beside it, and what breaks it, is refused alike."""

from __future__ import annotations

import json
from typing import Any, NoReturn


def read_json(text: str | bytes) -> Any:
    """The value of a text of JSON. Raises ValueError, also for NaN and Infinity and for what is nested too deeply."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")
