"""What is known by hand of a shape in which tasks are skipped, held against how it ran."""

from __future__ import annotations

import json
from typing import Any

from flowhub_assets_tests.conformance.branch_shapes import TakenShape
from flowhub_assets_tests.conformance.runners import Ran, merged


def require_taken(shape: TakenShape, ran: Ran) -> None:
    """Raises AssertionError unless the run came to what the shape says."""
    values: dict[str, Any] = {name: json.loads(text) for name, text in ran.values.items()}
    assert set(values) == set(shape.ran)
    assert {name: values[name] for name in shape.values} == shape.values
    writers = {name: [one.get("shared") for one in values[name]["given"]] for name in shape.last_writers}
    assert writers == shape.last_writers
    assert ran.result is not None
    expected = shape.output if shape.output is not None else merged(values[name] for name in shape.result)
    assert json.loads(ran.result) == expected
    assert ran.attempts == {**dict.fromkeys(shape.ran, 1), **shape.attempts}
