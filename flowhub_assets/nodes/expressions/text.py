"""How a value looks inside a text."""

from __future__ import annotations

import json
from typing import Any

from flowhub_assets.nodes.expressions.limits import Budget
from flowhub_assets.nodes.expressions.operations import there


def text_of(value: Any, budget: Budget) -> str:
    """The text of a value: itself if it is one, else its JSON: 3, true, null, ["a", "b"]. Raises ValueAbsent."""
    if isinstance(value, str):
        return value
    there(value)
    return json_text(value, budget)


def json_text(value: Any, budget: Budget, indent: int | None = None) -> str:
    """``value`` as JSON, letters of any script as they are."""
    budget.measure(value)
    return json.dumps(value, ensure_ascii=False, indent=indent)
