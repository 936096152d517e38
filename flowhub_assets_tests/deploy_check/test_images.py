"""Names of images by the grammar of their registries, and which of them say a version."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.deploy_check.images import Image, image_problems

OWN = "flowhub-assets:0.1.0"
PLACE = ("values.yaml", 3, 5)
DIGEST = "@sha256:" + "0" * 64


def told(name: str) -> list[str]:
    return [problem.what for problem in image_problems([Image(name, PLACE)], OWN)]


@pytest.mark.parametrize(
    "name", ["postgres:16.10", "example.com:5000/team/app_1:v1", f"app{DIGEST}", f"app:1{DIGEST}", OWN, "a/b--c:1"]
)
def test_a_version_is_enough(name: str) -> None:
    assert told(name) == []


@pytest.mark.parametrize("name", ["postgres", "postgres:latest", "example.com:5000/app"])
def test_no_version_is_told(name: str) -> None:
    assert told(name) == [f"the image {name!r} names no version"]


@pytest.mark.parametrize("name", ["Postgres:1", "app:", "", "app@sha256:12", "-app:1", "app:1 ", "a//b:1"])
def test_what_is_no_name_is_told(name: str) -> None:
    assert told(name) == [f"{name!r} is no name of an image"]


@pytest.mark.parametrize("name", ["flowhub-assets:0.2.0", f"flowhub-assets{DIGEST}"])
def test_another_version_of_ours_is_told_with_its_place(name: str) -> None:
    (problem,) = image_problems([Image(name, PLACE)], OWN)
    assert "another version than the code location's" in problem.what
    assert (problem.file, problem.line, problem.column) == PLACE


PARTS = st.from_regex(r"[a-z0-9]+([._-][a-z0-9]+)?", fullmatch=True)
TAGS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True).filter(lambda tag: tag != "latest")


@given(st.lists(PARTS, min_size=1, max_size=3), TAGS)
def test_the_repository_is_what_stands_before_the_tag(parts: list[str], tag: str) -> None:
    repository = "/".join(["registry.example.com:5000", *parts])
    assert Image(f"{repository}:{tag}", PLACE).repository == repository
    assert told(f"{repository}:{tag}") == []
