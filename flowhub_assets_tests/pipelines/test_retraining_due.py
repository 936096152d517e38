"""Whether a retraining is due, by the script alone: the asset is skipped where none is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flowhub_assets.ml.drift_watch import ask_for_retraining

Run = Callable[..., Any]
FOUND = {"data_set": "iris", "data_set_version": "0123456789ab", "exceeded": True, "drifted": ["petal_width"]}


def test_it_asks_once_for_each_version(run_script: Run, tmp_path: Path) -> None:
    env = {"WORKSPACE": str(tmp_path / "tmp"), "run_id": "watch"}
    asked = []
    for found in ({**FOUND, "exceeded": False}, FOUND, FOUND, {**FOUND, "data_set_version": "ba9876543210"}):
        ask_for_retraining(found, env)
        done = run_script("retraining_due", "--partition", "iris")
        assert done.code == 0, done.printed
        asked.append(done.log.get("asked", {}).get("output", {}).get("data_set_version"))
    assert asked == [None, "0123456789ab", None, "ba9876543210"]
    begun = json.loads((tmp_path / "tmp" / "drift" / "iris" / "begun.json").read_text())
    assert begun["data_set_version"] == "ba9876543210"
