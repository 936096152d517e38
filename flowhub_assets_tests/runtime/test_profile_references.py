from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.errors import ProfileError
from flowhub_assets.runtime.profile_references import referenced_variable, resolved
from flowhub_assets_tests.json_values import json_values


def test_references_are_replaced_however_deep_they_lie() -> None:
    profile = {
        "ACCESS_KEY": {"env": "ID"},
        "MORE": [{"deep": {"env": "URL"}}, {"env": 1}, {"env": "ID", "x": 1}],
    }
    assert resolved(profile, {"ID": "id\n", "URL": "redis://h"}) == {
        "ACCESS_KEY": "id",
        "MORE": [{"deep": "redis://h"}, {"env": 1}, {"env": "ID", "x": 1}],
    }
    assert profile["ACCESS_KEY"] == {"env": "ID"}


@given(st.dictionaries(st.text(), json_values(st.text() | st.just("env")), max_size=3))
def test_a_profile_without_references_stays_as_it_is(profile: dict[str, Any]) -> None:
    try:
        assert resolved(profile, {}) == profile
    except ProfileError:
        assert "'env': '" in repr(profile) or "'env': \"" in repr(profile)


def test_all_that_is_missing_is_told_at_once() -> None:
    profile = {"A": {"env": "X"}, "B": [{"C": {"env": "Y"}}], "D": {"env": "SET"}, "E": {"env": "EMPTY"}}
    with pytest.raises(ProfileError) as caught:
        resolved(profile, {"SET": "very-secret", "EMPTY": " "}, name="airflow", secret="my-secrets")
    told = str(caught.value)
    assert "A is the environment variable 'X'" in told
    assert "B[0].C is the environment variable 'Y'" in told
    assert (
        "kubectl create secret generic my-secrets --from-literal=X=... --from-literal=Y=... --from-literal=EMPTY=..."
        in told
    )
    assert "very-secret" not in told
    with pytest.raises(ProfileError, match="Set X, Y, EMPTY"):
        resolved(profile, {"SET": "v"})


def test_what_a_reference_is() -> None:
    assert referenced_variable({"env": "X"}) == "X"
    assert [referenced_variable(value) for value in ("X", {"env": "X", "a": 1}, {"env": 3}, {}, None)] == [None] * 5
