"""Route files: what is written is read, and who answers is the same for the same key."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.ml.serving.places import Place
from flowhub_assets.ml.serving.routes import Arm, Route, Routes, read_route, write_route

CHAMPION = Arm("champion", "3", "champion-3-a", "http://127.0.0.1:1")
CHALLENGER = Arm("challenger", "4", "challenger-4-b", "http://127.0.0.1:2")
SPLIT = Route("iris", 1.5, CHAMPION, CHALLENGER, 0.25)


def test_a_route_is_read_as_it_was_written(tmp_path: Path) -> None:
    place = Place("iris", tmp_path / "iris")
    for route in (SPLIT, Route("iris", 2.0, CHAMPION)):
        write_route(place, route)
        assert read_route(place) == route
    write_route(place, None)
    write_route(place, None)
    assert read_route(place) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"model": "iris", "since": "soon"}'])
def test_a_file_that_is_no_route_is_none(tmp_path: Path, text: str) -> None:
    place = Place("iris", tmp_path)
    place.route.write_text(text, "utf-8")
    assert read_route(place) is None
    assert Routes(tmp_path.parent).now() == {}


@given(st.text(min_size=1, max_size=40))
def test_the_same_key_is_always_answered_by_the_same_version(key: str) -> None:
    assert SPLIT.arm(None, key) is SPLIT.arm(None, key)


def test_the_split_is_the_share_of_the_keys_and_each_model_draws_by_itself() -> None:
    keys = [f"caller-{number}" for number in range(4000)]
    iris = [SPLIT.arm(None, key) == CHALLENGER for key in keys]
    assert 0.22 < sum(iris) / len(keys) < 0.28
    other = Route("titanic", 1.5, CHAMPION, CHALLENGER, 0.25)
    both = sum(mine and other.arm(None, key) == CHALLENGER for mine, key in zip(iris, keys, strict=True))
    assert 0.04 < both / len(keys) < 0.09
    drawn = [SPLIT.arm(None, None) == CHALLENGER for _ in range(4000)]
    assert 0.2 < sum(drawn) / len(drawn) < 0.3


def test_an_alias_is_answered_by_that_version_or_by_none() -> None:
    assert SPLIT.arm("challenger", "any") is CHALLENGER
    assert SPLIT.arm("champion", "any") is CHAMPION
    assert SPLIT.arm("other", None) is None
    assert Route("iris", 1.5, CHAMPION).arm("challenger", None) is None
    assert Route("iris", 1.5, CHAMPION).arm(None, "key") is CHAMPION


def test_the_model_served_first_comes_first_and_a_switch_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Routes, "_EVERY", 0.0)
    routes = Routes(tmp_path)
    assert routes.now() == {}
    for name, since in (("titanic", 1.0), ("iris", 2.0)):
        write_route(Place(name, tmp_path / name), Route(name, since, CHAMPION))
    assert list(routes.now()) == ["titanic", "iris"]
    for number in range(20):
        # Within one tick of the clock, too.
        arm = Arm("champion", str(number), f"server-{number}", "http://127.0.0.1:3")
        write_route(Place("iris", tmp_path / "iris"), Route("iris", 2.0, arm))
        assert routes.now()["iris"].champion == arm
    write_route(Place("titanic", tmp_path / "titanic"), None)
    assert list(routes.now()) == ["iris"]
