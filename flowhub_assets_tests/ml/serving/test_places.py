"""Names that can be served, the folder of their state, whole numbers of a profile."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from flowhub_assets.errors import InputError, ProfileError
from flowhub_assets.ml.serving.places import place_of, read_json, serving_folder, setting, write_json


def test_a_place_is_a_folder_of_the_workspace(tmp_path: Path) -> None:
    place = place_of("iris", {"WORKSPACE": str(tmp_path)})
    assert place.folder == tmp_path / "serving" / "iris"
    assert place.route == place.folder / "route.json"


@pytest.mark.parametrize("name", ["", "../x", "a/b", "Iris", "1st", "front", "predict", "metrics", "i" * 64, "iris\n"])
def test_a_name_that_is_no_folder_of_ours_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot be the name"):
        place_of(name, {"WORKSPACE": str(tmp_path)})


@pytest.mark.parametrize("env", [{}, {"WORKSPACE": ""}, {"BUCKET": "b"}, {"WORKSPACE": 5}])
def test_without_a_workspace_the_remedy_is_told(env: dict[str, Any]) -> None:
    with pytest.raises(ProfileError, match="no WORKSPACE"):
        serving_folder(env)


@pytest.mark.parametrize("value", [0, 65, "x", "", None, True, 2.5, "1e1"])
def test_a_setting_out_of_its_bounds_is_refused(value: Any) -> None:
    with pytest.raises(ProfileError, match="SERVING_WORKERS is"):
        setting({"SERVING_WORKERS": value}, "SERVING_WORKERS", 2, 1, 64)


@pytest.mark.parametrize(("value", "number"), [(3, 3), ("3", 3), (64, 64)])
def test_a_setting_may_be_text(value: Any, number: int) -> None:
    assert setting({"SERVING_WORKERS": value}, "SERVING_WORKERS", 2, 1, 64) == number
    assert setting({}, "SERVING_WORKERS", 2, 1, 64) == 2


def test_a_file_is_read_as_written_and_anything_else_is_none(tmp_path: Path) -> None:
    write_json(tmp_path / "a" / "x.json", {"name": "아이리스"})
    assert read_json(tmp_path / "a" / "x.json") == {"name": "아이리스"}
    assert read_json(tmp_path / "none.json") is None
    (tmp_path / "list.json").write_text("[1]", "utf-8")
    assert read_json(tmp_path / "list.json") is None


def test_the_lock_is_held_by_one(tmp_path: Path) -> None:
    place = place_of("iris", {"WORKSPACE": str(tmp_path)})
    inside, told = threading.Event(), []

    def other() -> None:
        inside.set()
        with place.lock():
            told.append("other")

    with place.lock():
        thread = threading.Thread(target=other)
        thread.start()
        assert inside.wait(30)
        told.append("first")
    thread.join(30)
    assert told == ["first", "other"]
