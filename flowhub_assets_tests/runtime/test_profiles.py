"""Which profile is taken, and what a word of it means beside the built-in default."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from flowhub_assets.errors import ProfileError
from flowhub_assets.ir.pipeline import Pipeline, Source
from flowhub_assets.runtime.profiles import choose_profile


def flow(**profiles: dict[str, Any]) -> Pipeline:
    return Pipeline("flow", (), Source("f.py", 1), profiles=profiles)


@pytest.mark.parametrize(
    ("profile", "overrides", "chosen"),
    [
        ({}, None, {"WORKSPACE": "./tmp"}),
        ({"WORKSPACE": "w", "A": 1}, None, {"WORKSPACE": "w", "A": 1}),
        ({"BUCKET": "b"}, None, {"BUCKET": "b"}),
        ({"WORKSPACE": "w"}, {"BUCKET": "b"}, {"BUCKET": "b"}),
        ({"BUCKET": "b", "A": 1}, {"WORKSPACE": "w", "A": 2}, {"WORKSPACE": "w", "A": 2}),
        ({"A": 1}, {"B": 2}, {"A": 1, "B": 2, "WORKSPACE": "./tmp"}),
    ],
)
def test_precedence(profile: dict[str, Any], overrides: dict[str, Any] | None, chosen: dict[str, Any]) -> None:
    assert choose_profile(flow(default=profile), "default", overrides) == chosen


def test_a_flow_without_profiles_has_a_default() -> None:
    assert choose_profile(flow(), "default") == {"WORKSPACE": "./tmp"}


@pytest.mark.parametrize(
    ("profiles", "name", "remedy"),
    [
        ({}, "airflow", "leave the profile out"),
        ({"airflow": {}}, "default", "Name one of: airflow"),
        ({"airflow": {}, "default": {}}, "airfow", "Did you mean 'airflow'?"),
    ],
)
def test_an_unknown_profile_is_named(profiles: dict[str, Any], name: str, remedy: str) -> None:
    with pytest.raises(ProfileError, match=f"f.py:1: flow 'flow' has no env profile '{name}'") as unknown:
        choose_profile(flow(**profiles), name)
    assert remedy in str(unknown.value)


def test_a_pipeline_file_says_where_profiles_stand_in_it() -> None:
    cases: list[dict[str, Any]] = [{}, {"airflow": {}}]
    for profiles in cases:
        with pytest.raises(ProfileError, match="pipeline 'flow' has no env profile 'prod'") as unknown:
            choose_profile(dataclasses.replace(flow(**profiles), source=Source("p.yaml", 1)), "prod")
        assert "dd it under profiles: {prod: {...}}" in str(unknown.value)


def test_the_pipelines_own_profile_is_not_changed() -> None:
    pipeline = flow(default={"A": 1})
    choose_profile(pipeline, "default")["A"] = 2
    assert pipeline.profiles["default"]["A"] == 1


def test_a_misspelt_bucket_is_not_taken_for_the_built_in_folder() -> None:
    with pytest.raises(ProfileError) as caught:
        choose_profile(flow(airflow={"BUKET": "b"}), "airflow")
    assert "'BUKET'" in str(caught.value)
    assert "Did you mean 'BUCKET'?" in str(caught.value)
    assert choose_profile(flow(default={"WORKERS": 2}), "default")["WORKSPACE"] == "./tmp"
