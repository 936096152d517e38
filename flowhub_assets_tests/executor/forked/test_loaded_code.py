"""A process knows when what it has imported is no longer what lies on the disk."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import pytest

from flowhub_assets.executor.forked import loaded_code


@pytest.fixture
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a module that this process has imported."""
    file = tmp_path / "imported_here.py"
    file.write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "imported_here", raising=False)
    importlib.import_module("imported_here")
    return file


def test_nothing_has_changed(imported: Path) -> None:
    known = loaded_code.written()
    assert str(imported) in known
    assert not loaded_code.has_changed(known)


def test_a_file_was_written_anew(imported: Path) -> None:
    known = loaded_code.written()
    os.utime(imported, (0, 0))
    assert loaded_code.has_changed(known)
    assert loaded_code.has_changed(loaded_code.written(known)), "what is known is not looked at anew"


def test_a_file_is_gone(imported: Path) -> None:
    known = loaded_code.written()
    imported.unlink()
    assert loaded_code.has_changed(known)


def test_only_what_is_installed_is_imported_for_others(imported: Path) -> None:
    sys.modules.pop("imported_here")
    asked = ["imported_here", "sqlite3.dbapi2", "this_is_not_there", "mlflow.sklearn", "os"]
    missing = [name for name in asked if name not in sys.modules]
    assert loaded_code.installed_only(asked) == [
        name for name in missing if name not in ("imported_here", "this_is_not_there")
    ]


def test_what_cannot_be_imported_keeps_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_here.py").write_text("raise RuntimeError")
    (tmp_path / "whole_here.py").write_text("")
    (tmp_path / "ends_here.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(tmp_path)
    loaded_code.import_all(["this_is_not_there", "broken_here", "ends_here", "whole_here"])
    assert "whole_here" in sys.modules
    monkeypatch.delitem(sys.modules, "whole_here")
