"""The database that a process opens once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from flowhub_assets.store.opened import database_beside


def test_a_process_opens_it_once_however_many_threads_ask(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: database_beside(str(tmp_path), {}), range(16)))
    assert len(set(map(id, found))) == 1
    assert (tmp_path / "flowhub.db").exists()


def test_where_it_lies(tmp_path: Path) -> None:
    for name in ("root", "home"):
        (tmp_path / name).mkdir()
    beside = database_beside(str(tmp_path / "root"), {"DAGSTER_HOME": str(tmp_path / "home")})
    assert (tmp_path / "home" / "flowhub.db").exists()
    assert not (tmp_path / "root" / "flowhub.db").exists()
    named = database_beside("/nowhere", {"DAGSTER_HOME": "x", "FLOWHUB_DATABASE": f"sqlite:///{tmp_path}/own.db"})
    assert (tmp_path / "own.db").exists()
    assert named is not beside
