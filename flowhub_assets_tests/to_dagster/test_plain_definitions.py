"""What a user wrote for Dagster itself, beside the flows."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from dagster import AssetKey, DagsterInstance, in_process_executor

from flowhub_assets.errors import DefinitionError
from flowhub_assets.from_python.finding import find_files
from flowhub_assets.from_python.loading import flows_in, load_module
from flowhub_assets.to_dagster.plain_definitions import looks_like_definitions, plain_definitions
from flowhub_assets.to_dagster.repository import CodeLocation, LoadedFile, whole_repository
from flowhub_assets_tests.workflows import Workflows

ASSET = "from dagster import asset\n\n\n@asset\ndef {name}():\n    return 1\n"
WHOLE = "import dagster as dg\n\n\n@dg.asset\ndef {name}():\n    return 1\n\n\ndefs = dg.Definitions(assets=[{name}])\n"


def found(folder: Path) -> list[str]:
    return [Path(path).name for path in find_files(str(folder), or_if=looks_like_definitions)]


def location(folder: Path) -> CodeLocation:
    def load(path: Path) -> LoadedFile:
        return LoadedFile((), plain_definitions(load_module(str(path))))

    def find(place: str) -> list[str]:
        return find_files(place, or_if=looks_like_definitions)

    return CodeLocation([folder], find, load, {}, in_process_executor)


def test_files_with_assets_or_definitions_are_found_and_helpers_are_not(tmp_path: Path) -> None:
    (tmp_path / "loose.py").write_text(ASSET.format(name="one"))
    (tmp_path / "whole.py").write_text(WHOLE.format(name="two"))
    (tmp_path / "helper.py").write_text("from dagster import MetadataValue\n\nLIMIT = MetadataValue.int(3)\n")
    (tmp_path / "_shared.py").write_text(ASSET.format(name="three"))
    assert found(tmp_path) == ["loose.py", "whole.py"]


def test_loose_assets_and_definitions_objects_are_both_loaded(tmp_path: Path) -> None:
    (tmp_path / "loose.py").write_text(ASSET.format(name="one"))
    (tmp_path / "whole.py").write_text(WHOLE.format(name="two"))
    assert set(whole_repository(location(tmp_path)).assets_defs_by_key) == {AssetKey("one"), AssetKey("two")}


def test_the_same_asset_in_two_files_is_a_red_asset_and_the_first_stays(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(ASSET.format(name="one"))
    (tmp_path / "b.py").write_text(ASSET.format(name="one"))
    repository = whole_repository(location(tmp_path))
    assert set(repository.assets_defs_by_key) == {AssetKey("one"), AssetKey(["_invalid", "b"])}


def test_definitions_that_do_not_resolve_are_a_red_asset(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(ASSET.format(name="one"))
    (tmp_path / "b.py").write_text(
        "from dagster import Definitions, asset\n\n\n@asset(required_resource_keys={'missing'})\n"
        "def two(): ...\n\n\ndefs = Definitions(assets=[two])\n"
    )
    repository = whole_repository(location(tmp_path))
    assert set(repository.assets_defs_by_key) == {AssetKey("one"), AssetKey(["_invalid", "b"])}


def test_two_definitions_objects_in_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "two.py").write_text("from dagster import Definitions\n\na = Definitions()\nb = Definitions()\n")
    with pytest.raises(DefinitionError, match="2 Definitions objects"):
        plain_definitions(load_module(str(tmp_path / "two.py")))


def test_an_asset_takes_another_files_asset_whichever_file_comes_first(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("from dagster import asset\n\n\n@asset\ndef clean(raw):\n    return raw + 1\n")
    (tmp_path / "b.py").write_text(ASSET.format(name="raw"))
    repository = whole_repository(location(tmp_path))
    assert set(repository.assets_defs_by_key) == {AssetKey("raw"), AssetKey("clean")}
    result = repository.get_job("__ASSET_JOB").execute_in_process()
    assert result.output_for_node("clean") == 2


def test_an_asset_that_takes_what_nobody_makes_is_a_red_asset(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("from dagster import asset\n\n\n@asset\ndef clean(raw):\n    return raw\n")
    assert set(whole_repository(location(tmp_path)).assets_defs_by_key) == {AssetKey(["_invalid", "a"])}


def test_a_folder_that_is_not_there_is_a_red_asset(tmp_path: Path) -> None:
    repository = whole_repository(location(tmp_path / "nowhere"))
    (spec,) = (spec for asset in repository.assets_defs_by_key.values() for spec in asset.specs)
    assert spec.key == AssetKey(["_invalid", "nowhere"])
    assert "there is no such folder" in (spec.description or "")


def test_an_asset_takes_the_value_of_a_flows_task(workflows: Workflows, instance: DagsterInstance) -> None:
    workflows.write(
        "flow.py",
        """
        @task
        def save(args):
            return {"n": 5}

        @flow(name="night-ly")
        def main(args):
            return save(args)
        """,
    )
    (workflows.folder / "plain.py").write_text(
        "from dagster import AssetIn, AssetKey, asset\n\n\n"
        "@asset(ins={'saved': AssetIn(key=AssetKey(['night_ly', 'save']))})\n"
        "def doubled(saved):\n    return saved['n'] * 2\n"
    )

    def load(path: Path) -> LoadedFile:
        module = load_module(str(path))
        return LoadedFile([flow.runnable for flow in flows_in(module)], plain_definitions(module))

    place = replace(workflows.location(load), find_files=partial(find_files, or_if=looks_like_definitions))
    job = whole_repository(place).get_job("__ASSET_JOB")
    alone = job.execute_in_process(asset_selection=[AssetKey("doubled")], instance=instance, raise_on_error=False)
    (failed,) = (event for event in alone.all_events if event.is_step_failure)
    told = failed.step_failure_data.user_failure_data
    assert told is not None
    assert "Step doubled has no args and was not run.\n  Materialise night_ly/save first" in (told.description or "")
    both = [AssetKey("doubled"), AssetKey(["night_ly", "save"])]
    assert job.execute_in_process(asset_selection=both, instance=instance).output_for_node("doubled") == 10
    again = job.execute_in_process(asset_selection=[AssetKey("doubled")], instance=instance)
    assert again.output_for_node("doubled") == 10
