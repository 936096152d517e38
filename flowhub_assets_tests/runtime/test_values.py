"""Values in a real folder: per run and the latest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flowhub_assets.errors import StorageError, ValueMissing, ValueRefused
from flowhub_assets.runtime.storage import get_storage
from flowhub_assets.runtime.values import Values


@pytest.fixture
def values(tmp_path: Path) -> Values:
    return Values(get_storage({"WORKSPACE": str(tmp_path)}), "flow")


def test_a_value_is_kept_per_run_and_as_the_latest(values: Values, tmp_path: Path) -> None:
    url = values.save("r1", "load", {"n": 1, "글": "한"})
    values.save("r2", "load", {"n": 2})
    assert values.load("r1", "load") == {"n": 1, "글": "한"}
    assert values.load("r2", "load") == {"n": 2}
    assert values.load_latest("load") == {"n": 2}
    assert url == values.storage.url("flow/runs/r1/load.json")
    assert json.loads((tmp_path / "flow" / "latest" / "load.json").read_bytes()) == {"n": 2}


def test_a_missing_value_is_named(values: Values) -> None:
    with pytest.raises(ValueMissing, match="task 'load' has no saved output in run r9"):
        values.load("r9", "load")
    with pytest.raises(ValueMissing, match="task 'load' has no saved output"):
        values.load_latest("load")


def test_a_refused_value_replaces_nothing(values: Values) -> None:
    values.save("r1", "load", {"n": 1})
    with pytest.raises(ValueRefused, match="'load'"):
        values.save("r1", "load", {"n": float("nan")})
    assert values.load("r1", "load") == {"n": 1}


def test_a_damaged_value_is_told_with_its_url(values: Values, tmp_path: Path) -> None:
    values.save("r1", "load", {"n": 1})
    (tmp_path / "flow" / "runs" / "r1" / "load.json").write_bytes(b'{"n":')
    with pytest.raises(StorageError, match=r"runs/r1/load\.json: a saved value cannot be read"):
        values.load("r1", "load")
