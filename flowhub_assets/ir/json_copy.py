"""A copy of JSON values that shares nothing with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def json_copy(value: Any) -> Any:
    """``value`` with all its dicts and lists made anew; tuples become lists, whatever else it holds stays the same."""
    if isinstance(value, Mapping):
        return {key: json_copy(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_copy(item) for item in value]
    return value
