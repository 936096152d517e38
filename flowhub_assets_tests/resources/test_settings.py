"""What the surroundings say: FLOWHUB_ENV, FLOWHUB_PIPELINES and [tool.flowhub] of pyproject.toml."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flowhub_assets.errors import ProfileError
from flowhub_assets.resources.settings import Settings, deployed_profile, read_settings

TABLE = '[tool.flowhub]\npipelines = ["workflows", "더"]\n[tool.flowhub.env.default]\nWORKSPACE = "./tmp"\n'


def test_nothing_said(tmp_path: Path) -> None:
    assert read_settings({}, tmp_path) == Settings("default", (), {})


def test_pyproject_is_found_above_and_its_folders_lie_beside_it(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(TABLE, encoding="utf-8")
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    settings = read_settings({}, inner)
    assert settings.folders == ((tmp_path / "workflows").resolve(), (tmp_path / "더").resolve())
    assert settings.profiles == {"default": {"WORKSPACE": "./tmp"}}


def test_a_nearer_pyproject_without_the_table_ends_the_search(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(TABLE, encoding="utf-8")
    inner = tmp_path / "other"
    inner.mkdir()
    (inner / "pyproject.toml").write_text("[project]\nname = 'other'\n")
    assert read_settings({}, inner).folders == ()


def test_a_variable_beats_the_file(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(TABLE, encoding="utf-8")
    folders = os.pathsep.join(["one", "", str(tmp_path / "two")])
    settings = read_settings({"FLOWHUB_PIPELINES": folders, "FLOWHUB_ENV": "airflow"}, tmp_path)
    assert settings.folders == ((tmp_path / "one").resolve(), (tmp_path / "two").resolve())
    assert settings.profile == "airflow"
    assert read_settings({"FLOWHUB_PIPELINES": "", "FLOWHUB_ENV": ""}, tmp_path).profile == "default"
    assert len(read_settings({"FLOWHUB_PIPELINES": ""}, tmp_path).folders) == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[tool.flowhub", "it is not TOML"),
        ("[tool.flowhub]\npipelines = 'workflows'\n", "pipelines is 'workflows'"),
        ("[tool.flowhub]\npipelines = [1]\n", "pipelines is [1]"),
        ("[tool.flowhub]\nenv = 'x'\n", "one table for each profile"),
        ("[tool.flowhub.env]\nWORKSPACE = './tmp'\n", "one table for each profile"),
        ("[tool.flowhub]\nkubernetes = 3\n", "[tool.flowhub.kubernetes] is 3"),
        ("[tool]\nflowhub = 'workflows'\n", "[tool.flowhub] is 'workflows'"),
        ("tool = 1\n", "[tool] is 1"),
        ("[tool.flowhub]\npiplines = ['workflows']\n", "no setting 'piplines'"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_with_its_path(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ProfileError) as refused:
        read_settings({}, tmp_path)
    assert told in refused.value.what
    assert refused.value.where == str(path)
    assert refused.value.remedy


def test_bytes_that_are_no_utf8(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b"x = '\xff'")
    with pytest.raises(ProfileError, match="not TOML"):
        read_settings({}, tmp_path)


def test_the_deployed_profile_is_the_flows_own_over_the_shared_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.flowhub.env.cluster]\nBUCKET = "shared"\nA = 1\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOWHUB_ENV", "cluster")
    own = {"cluster": {"BUCKET": "own"}, "default": {"WORKSPACE": "./tmp"}}
    assert deployed_profile(own) == ("cluster", {"BUCKET": "own", "A": 1})
    assert deployed_profile({}) == ("cluster", {"BUCKET": "shared", "A": 1})
    monkeypatch.setenv("FLOWHUB_ENV", "elsewhere")
    assert deployed_profile(own) == ("elsewhere", {})
