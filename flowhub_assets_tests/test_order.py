"""Long files begin first, and the order of the others stays."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from flowhub_assets_tests.order import LONGEST, longest_first

HERE = Path(__file__).parent


@pytest.mark.parametrize("name", LONGEST)
def test_each_long_file_is_there_and_named_once(name: str) -> None:
    assert (HERE / name).is_file()
    assert LONGEST.count(name) == 1


def test_long_files_come_first_and_all_others_stay_as_they_were() -> None:
    names = ["a.py", LONGEST[1], "b.py", LONGEST[0], LONGEST[1], "a.py"]
    found = [names[number] for number in longest_first(HERE / name for name in names)]
    assert found == [LONGEST[0], LONGEST[1], LONGEST[1], "a.py", "b.py", "a.py"]


def test_the_session_keeps_to_it(request: pytest.FixtureRequest) -> None:
    paths = [item.path for item in request.session.items]
    assert longest_first(paths) == list(range(len(paths)))


def test_what_was_collected_is_not_looked_at_by_the_garbage_collector() -> None:
    assert gc.get_freeze_count() > 10_000
