"""What a person decides: the params of promote-model and rollback-model, refused before a run exists."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from flowhub_assets.ml.data_sets import DATA_SETS
from flowhub_assets.ml.decisions import Promotion, Rollback


@pytest.mark.parametrize("kind", [Promotion, Rollback])
def test_forms_are_offered_the_models_that_there_are(kind: type[BaseModel]) -> None:
    assert kind.model_json_schema()["properties"]["model"]["enum"] == list(DATA_SETS)


@pytest.mark.parametrize(
    ("kind", "given", "field"),
    [
        (Promotion, {"model": "irs", "version": 1}, "model"),
        (Promotion, {"model": "iris", "version": 0}, "version"),
        (Promotion, {"model": "iris"}, "version"),
        (Promotion, {"model": "iris", "version": 1, "by": "x" * 201}, "by"),
        (Rollback, {"model": "iris", "why": "x" * 501}, "why"),
        (Rollback, {}, "model"),
    ],
)
def test_what_is_refused(kind: type[BaseModel], given: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as raised:
        kind.model_validate(given)
    assert [one["loc"] for one in raised.value.errors()] == [(field,)]
