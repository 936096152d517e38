"""JSON → objects of a class → JSON."""

from __future__ import annotations

import dataclasses
import io
import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given

from flowhub_assets.errors import DefinitionError
from flowhub_assets.ir.param_checks import value_fault
from flowhub_assets.runtime.typed_values import form_of, is_typed, object_as_json, typed_path
from flowhub_assets_tests.typed_models import Order, OrderModel, order_models, orders


@given(orders | order_models)
def test_an_object_survives_the_way_through_json(order: Any) -> None:
    form = form_of(type(order))
    document = json.loads(json.dumps(form.to_json(order)))

    assert form.from_json(document) == order
    # What the params' schemas refuse at a door would never come to the object.
    assert value_fault(document, form.json_schema()) == ((), "")


def test_faults_name_the_field() -> None:
    faults = form_of(OrderModel).faults({"urls": ["a", 1], "where": {"name": "x", "inside": {}}, "share": 2})

    assert [typed_path(path) for path, _ in faults] == ["urls[1]", "where.inside.name", "share"]
    assert "less than or equal to 1" in faults[2][1]


def test_only_models_and_dataclasses_are_typed() -> None:
    assert is_typed(Order)
    assert is_typed(OrderModel)
    assert not any(map(is_typed, (dict, int, "Order", None, dict[str, int])))
    assert object_as_json({"a": 1}) == {"a": 1}


def test_a_type_that_pydantic_does_not_know_is_told() -> None:
    odd = dataclasses.make_dataclass("Odd", [("stream", io.TextIOWrapper)])

    with pytest.raises(DefinitionError, match="Odd cannot be read from JSON"):
        form_of(odd)


def test_without_pydantic_the_remedy_is_told() -> None:
    code = (
        "import sys, dataclasses; sys.modules['pydantic'] = None\n"
        "from flowhub_assets.runtime.typed_values import form_of\n"
        "A = dataclasses.make_dataclass('A', ['x'])\n"
        "form_of(A)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert "there is no pydantic 2 here" in ended.stderr
    assert "pip install 'pydantic>=2'" in ended.stderr
