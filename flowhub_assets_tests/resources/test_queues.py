"""[tool.flowhub.queues], pools and patience of pyproject.toml, and the tags that they become."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowhub_assets.errors import NotFound, ParamsRefused, ProfileError
from flowhub_assets.resources.queues import HIGHEST_PRIORITY, QUEUE_TAGS, Queue, Queues
from flowhub_assets.resources.settings import read_settings
from flowhub_assets_tests.checkout import ROOT

TEXT = """
[tool.flowhub]
patience = 60
[tool.flowhub.queues.priority]
priority = 10
limit = 1
[tool.flowhub.queues.minority]
[tool.flowhub.pools]
db-lock = 1
closed = 0
[tool.flowhub.env.default]
WORKSPACE = "./tmp"
"""


def queues_of(tmp_path: Path, text: str) -> Queues:
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    return read_settings({}, tmp_path).queues


def test_what_pyproject_says(tmp_path: Path) -> None:
    queues = queues_of(tmp_path, TEXT)
    assert queues.queues == {"priority": Queue("priority", 10, 1), "minority": Queue("minority", 0, None)}
    assert queues.pools == {"db-lock": 1, "closed": 0}
    assert queues.patience == 60
    assert queues.profiles == {"default"}


def test_nothing_said(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    assert read_settings({}, tmp_path).queues == Queues()


def test_make_dev_shows_the_example() -> None:
    queues = read_settings({}, ROOT).queues
    assert queues.queues["priority"] == Queue("priority", 10, 1)
    assert queues.queues["priority"].priority > queues.queues["minority"].priority
    assert queues.pools["db-lock"] == 1


@pytest.mark.parametrize(
    ("text", "told", "remedy"),
    [
        ("[tool.flowhub]\nqueues = 3", "[tool.flowhub.queues] is 3, not a table", "[tool.flowhub.queues.nightly]"),
        ("[tool.flowhub]\npools = []", "[tool.flowhub.pools] is [], not a table", "db-lock = 1"),
        ("[tool.flowhub.queues]\na = 1", "[tool.flowhub.queues.a] is 1, not a table", "limit = 1"),
        ("[tool.flowhub.queues.'a b']\nlimit = 1", "'a b' is not a word", "nightly"),
        ("[tool.flowhub.queues.a]\nlimits = 1", "has no setting 'limits'", "did you mean 'limit'?"),
        ("[tool.flowhub.queues.a]\nlimit = 0", "[tool.flowhub.queues.a] limit is 0", "from 1 to 10"),
        ("[tool.flowhub.queues.a]\nlimit = 11", "[tool.flowhub.queues.a] limit is 11", "from 1 to 10"),
        ("[tool.flowhub.queues.a]\nlimit = true", "[tool.flowhub.queues.a] limit is True", "from 1 to 10"),
        ("[tool.flowhub.queues.a]\npriority = 'x'", "[tool.flowhub.queues.a] priority is 'x'", "a whole number"),
        ("[tool.flowhub.queues.a]\npriority = 1000001", "priority is 1000001", "to 1000000"),
        ("[tool.flowhub.pools]\ndb-lock = -1", "[tool.flowhub.pools] db-lock is -1", "from 0 to 1000"),
        ("[tool.flowhub.pools]\n'db lock' = 1", "'db lock' is empty or holds a blank", "db-lock = 1"),
        ("[tool.flowhub]\npatience = -1", "patience is -1", "0 lets no run go up"),
        ("[tool.flowhub]\npatience = nan", "patience is nan", "write seconds"),
        ("[tool.flowhub]\npatience = '5 min'", "patience is '5 min'", "write seconds"),
    ],
)
def test_what_cannot_be_used_is_told_with_file_key_and_remedy(
    tmp_path: Path, text: str, told: str, remedy: str
) -> None:
    with pytest.raises(ProfileError) as error:
        queues_of(tmp_path, text)
    assert error.value.where == str(tmp_path / "pyproject.toml")
    assert told in error.value.what
    assert remedy in error.value.remedy


def test_the_tags_of_a_queue_are_known_by_their_keys(tmp_path: Path) -> None:
    queues = queues_of(tmp_path, TEXT)
    assert queues.tags("priority", None) == {
        "flowhub/queue": "priority",
        "flowhub/queue_of_1": "priority",
        "dagster/priority": "10",
    }
    assert queues.tags("minority", 7) == {"flowhub/queue": "minority", "dagster/priority": "7"}
    assert queues.tags("minority", None) == {"flowhub/queue": "minority", "dagster/priority": "0"}
    assert queues.tags(None, 2) == {"dagster/priority": "2"}
    assert queues.tags(None, None) == {}
    assert queues.tags("priority", None).keys() <= QUEUE_TAGS


def test_a_queue_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no queue 'minorty'") as error:
        queues_of(tmp_path, TEXT).tags("minorty", None)
    assert error.value.remedy == "did you mean 'minority'?"
    with pytest.raises(NotFound) as error:
        queues_of(tmp_path, TEXT).tags("x", None)
    assert error.value.remedy == "The queues are priority, minority."


def test_where_there_are_no_queues_a_name_is_a_mere_tag() -> None:
    assert Queues().tags("nightly", None) == {"flowhub/queue": "nightly"}
    with pytest.raises(NotFound):
        Queues().tags("two words", None)


@pytest.mark.parametrize("priority", [HIGHEST_PRIORITY + 1, -HIGHEST_PRIORITY - 1])
def test_a_priority_that_the_steps_could_not_add_to_is_refused(priority: int) -> None:
    with pytest.raises(ParamsRefused) as error:
        Queues().tags(None, priority)
    assert error.value.fields[0][0] == "priority"
