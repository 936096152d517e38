"""What does not fit a node is told by its path and type, never by its value."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, model_validator

from flowhub_assets.nodes import NodeInput
from flowhub_assets.nodes.validation import InputRefused, ValueProblem, checked, problems_in
from flowhub_assets_tests.nodes.kinds import Model

SECRET = "hunter2-hunter2"


class Mixed(NodeInput):
    """Fields of many types."""

    number: int | float | None = None
    either: str | list[str] = ""
    flag: bool = False
    named: dict[str, int] = Field({}, description="Counts by name.")
    messages: list[Model.Message] = Field([], description="What was said.")
    short: str = Field("", max_length=3)
    few: list[int] = Field([], max_length=2)
    at_least_one: int = Field(1, ge=1)

    @model_validator(mode="after")
    def _fits_together(self) -> Mixed:
        if self.short and self.few:
            raise ValueError("must have short or few")
        if self.short and self.named:
            raise ValueError("short and named do not go together")
        return self


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"flag": SECRET}, "inputs.flag is text, but must be true or false"),
        ({"number": [1]}, "inputs.number is a list, but must be a whole number or a number"),
        ({"either": {"a": 1}}, "inputs.either is an object, but must be text or a list"),
        ({"named": {"a": SECRET}}, "inputs.named.a is text, but must be a whole number"),
        ({"named": []}, "inputs.named is an empty list, but must be an object"),
        (
            {"messages": [{"role": "user", "content": "a"}, {"role": SECRET}]},
            "inputs.messages[1].role is text, but must",
        ),
        ({"messages": ["a"]}, "inputs.messages[0] is text, but must be an object"),
        ({"atLeastOne": 0}, "inputs.atLeastOne is 0, but must be greater than or equal to 1"),
        ({"short": SECRET}, "inputs.short is text, but must have at most 3 characters"),
        ({"few": [1, 2, 3]}, "inputs.few is a list, but must have at most 2 items"),
        ({"short": "a", "few": [1]}, "inputs must have short or few"),
        ({"short": "a", "named": {"a": 1}}, "inputs is refused: short and named do not go together"),
        ({"flag": None}, "inputs.flag is null, but must be true or false"),
    ],
)
def test_each_value_is_told_by_path_and_type(values: dict[str, Any], told: str) -> None:
    with pytest.raises(InputRefused) as raised:
        checked(Mixed, values, "inputs")
    assert told in raised.value.what
    assert SECRET not in raised.value.what + raised.value.remedy
    assert raised.value.retry is False


def test_a_missing_field_is_asked_for_with_its_description() -> None:
    assert problems_in(Model.Config, {}) == [ValueProblem(("model",), "is missing", "Give model: Which model answers.")]


def test_a_misspelt_field_gets_the_nearest_one() -> None:
    (problem,) = problems_in(Model.Config, {"model": "m", "maxToken": 3})
    assert (problem.path, problem.what) == (("maxToken",), "is no field of this node")
    assert problem.remedy == "maxToken: did you mean 'maxTokens'?"
    (problem,) = problems_in(Model.Config, {"model": "m", "zzz": 3})
    assert problem.remedy == "zzz: the node takes model and maxTokens."


def test_a_misspelt_word_gets_the_nearest_one() -> None:
    (problem,) = problems_in(Model.Message, {"role": "users", "content": ""})
    assert problem.remedy == "did you mean 'user'?"


def test_many_problems_are_told_in_one_breath() -> None:
    with pytest.raises(InputRefused) as raised:
        checked(Mixed, {"few": ["a", "b"], "named": dict.fromkeys("abcdef", "x")}, "inputs")
    assert raised.value.what.count("; inputs.") == 4
    assert raised.value.what.endswith("; and 3 more")


JSON_WITH_SECRETS = st.recursive(
    st.just(SECRET) | st.none() | st.booleans() | st.integers() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["role", "content", "a"]), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*Mixed.model_fields, "atLeastOne", "other"]), JSON_WITH_SECRETS))
def test_no_value_whatever_it_is_gets_into_a_message(values: dict[str, Any]) -> None:
    for problem in problems_in(Mixed, values):
        assert SECRET not in f"{problem.what} {problem.remedy} {problem.path}"
        inner: Any = values
        for step in problem.path[:-1]:
            inner = inner[step]
        assert problem.what == "is missing" or problem.path[-1] in inner or isinstance(problem.path[-1], int)
