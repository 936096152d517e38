from __future__ import annotations

from typing import Any

import pytest

from flowhub_assets.errors import InputError
from flowhub_assets.runtime.given_params import require_params
from flowhub_assets.runtime.step import Runnable
from flowhub_assets_tests.runtime.pipelines_by_hand import runnable, task_of

SCHEMAS = {"who": {"minLength": 2}, "times": {"minimum": 1}}


def step(args: dict[str, Any]) -> dict[str, Any]:
    return args


def with_schemas(schemas: dict[str, Any]) -> Runnable:
    return runnable((task_of(step), step), params={"times": 2}, param_schemas=schemas)


@pytest.mark.parametrize(
    ("given", "what", "remedy"),
    [
        ({}, "param 'who' is missing, and it has no default", "give it by hand"),
        ({"who": "Ann", "times": 0}, "param 'times' is 0, below the minimum 1", "give it another value by hand"),
        ({"who": "Ann", "tmes": 3}, "there is no param 'tmes'", "did you mean 'times'?"),
        (
            {"times": 0},
            "param 'who' is missing, and it has no default; param 'times' is 0, below the minimum 1",
            "give each by hand",
        ),
    ],
)
def test_every_fault_is_told_at_once_and_how_a_param_is_given(given: dict[str, Any], what: str, remedy: str) -> None:
    with pytest.raises(InputError) as raised:
        require_params(with_schemas(SCHEMAS), given, effect="nothing ran", how="by hand")
    assert (raised.value.what, raised.value.effect, raised.value.remedy) == (what, "nothing ran", remedy)
    assert raised.value.where == f"{__file__.replace('test_given_params', 'pipelines_by_hand')}:1"


def test_what_fits_passes_and_without_schemas_everything_does() -> None:
    require_params(with_schemas(SCHEMAS), {"who": "Ann"}, effect="", how="")
    require_params(with_schemas({}), {"anything": [1]}, effect="", how="")


def test_what_only_the_runnable_can_tell_is_asked_where_the_plain_checks_find_nothing() -> None:
    asked: list[Any] = []

    def faults(given: Any) -> list[tuple[str, str]]:
        asked.append(given)
        return [("it does not fit", "mend it")]

    plain = with_schemas(SCHEMAS)
    strict = Runnable(plain.pipeline, plain.bodies, faults)
    with pytest.raises(InputError, match="is missing"):
        require_params(strict, {}, effect="", how="")
    assert asked == []
    with pytest.raises(InputError, match="it does not fit") as raised:
        require_params(strict, {"who": "Ann"}, effect="", how="by hand")
    assert raised.value.remedy == "mend it"
