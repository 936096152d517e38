"""What a deployment's folder holds, and what is said of one that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowhub_assets.deploy_check.folder import read_folder
from flowhub_assets.errors import InputError
from flowhub_assets_tests.deploy_check.changed_folder import DEPLOY, changed


def test_every_kind_of_file_has_its_place() -> None:
    folder = read_folder(DEPLOY)
    assert not folder.problems
    assert [Path(one.file).name for one in folder.overlays] == [
        "values-gpu.yaml",
        "values-minio.yaml",
        "values-production.yaml",
    ]
    assert {Path(one.file).name for one in folder.manifests} == {"minio.yaml"}
    assert [chart.name for chart in folder.charts] == ["flowhub-server"]
    assert [str(Path(one.file).relative_to(DEPLOY)) for one in folder.settings] == [
        "dagster-production.yaml",
        "dagster.yaml",
        "compose/dagster.yaml",
    ]
    assert folder.compose is not None
    assert folder.schema is not None


def test_a_folder_without_values_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError) as told:
        read_folder(tmp_path)
    assert "there is no helm/values.yaml" in told.value.what
    assert told.value.where == str(tmp_path)


def test_values_that_are_no_yaml_are_told_with_their_line(tmp_path: Path) -> None:
    folder = changed(tmp_path, ("helm/values.yaml", "rbacEnabled: false", "rbacEnabled: [false"))
    with pytest.raises(InputError) as told:
        read_folder(folder)
    assert "values.yaml:" in told.value.where


def test_a_manifest_that_is_no_yaml_is_a_problem_among_others(tmp_path: Path) -> None:
    folder = changed(tmp_path, ("helm/minio.yaml", "kind: Service", "kind: {Service"))
    (problem, *_others) = read_folder(folder).problems
    assert problem.file.endswith("minio.yaml")


def test_a_file_that_is_not_utf_8_is_a_problem(tmp_path: Path) -> None:
    folder = changed(tmp_path)
    (folder / "dagster.yaml").write_bytes(b"a: \xff")
    assert [problem.what for problem in read_folder(folder).problems] == ["the file is not UTF-8"]
