"""A file that does not load is one red asset with the line and the remedy; all other files load."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from dagster import (
    AssetCheckKey,
    AssetKey,
    AssetSelection,
    DagsterInstance,
    SensorResult,
    SkipReason,
    build_sensor_context,
    materialize,
)

from flowhub_assets.to_dagster.invalid_files import CHECK
from flowhub_assets_tests.workflows import Workflows

GOOD = """
    @task
    def fine(args):
        return {"ok": True}

    @flow
    def good(args):
        return fine(args)
"""

#: What is wrong → the file's text behind its head, the line that is told, what is told, what to do.
BROKEN = {
    "syntax": ("def broken(:\n    pass\n", 3, "SyntaxError", "Mend that line"),
    "library": ("import no_such_library_anywhere\n", 3, "no_such_library_anywhere", "pip install"),
    "misspelt": ("from flowhub import flwo\n", 3, "flwo", "flow"),
    "raises": ("x = 1\nraise ValueError('at import')\n", 4, "at import", "mend"),
    "exits": ("sys.exit(3)\n", 3, "sys.exit(3)", "__main__"),
    "quantity": (
        "@task(memory='4GB')\ndef big(args):\n    return args\n\n@flow\ndef q(args):\n    return big(args)\n",
        3,
        "4GB",
        "4Gi",
    ),
    "traced": (
        "@task\ndef t(args):\n    return args\n\n@flow\ndef f(args):\n    if t(args):\n        return args\n",
        9,
        "if",
        "",
    ),
    "twice": (
        "@task\ndef t(args):\n    return args\n\n@flow(name='good')\ndef f(args):\n    return t(args)\n",
        7,
        "a second pipeline is named 'good'",
        "@flow(name=...)",
    ),
    "same_key": (
        (
            "from dagster import asset\n\n@asset\ndef y():\n    pass\n\n@asset(name='y')\ndef z():\n    pass\n"
            "\n@task\ndef t(args):\n    return args\n\n@flow\ndef f(args):\n    return t(args)\n"
        ),
        0,
        "Asset key y",
        "Mend",
    ),
    "unresolved": (
        (
            "from dagster import asset\n\n@asset(deps=['x'], key='y')\ndef y(no_such_thing):\n    pass\n\n"
            "@asset(required_resource_keys={'nothing'})\ndef z():\n    pass\n"
        ),
        0,
        "nothing",
        "Mend",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_each_kind_is_one_red_asset_and_the_rest_loads(
    workflows: Workflows, instance: DagsterInstance, kind: str
) -> None:
    text, line, what, remedy = BROKEN[kind]
    workflows.write("a_good.py", GOOD)
    path = workflows.folder / f"{kind}.py"
    path.write_text("import json, os, pathlib, sys, time\nfrom flowhub import flow, task\n" + text)
    repository = workflows.repository()
    graph = repository.asset_graph
    key = AssetKey(["_invalid", kind])
    assert set(graph.get_all_asset_keys()) == {AssetKey(["good", "fine"]), key}
    node = graph.get(key)
    assert node.group_name == "INVALID_PIPELINES"
    told = node.metadata["error"].value
    assert told.startswith(f"{path}:{line}: " if line else f"{path}")
    assert what in told
    assert remedy in told
    assert (node.description or "").startswith(f"{path.name} does not load.\n\n")
    assert "Traceback" not in told
    assert graph.asset_check_keys == {AssetCheckKey(key, CHECK)}
    assert workflows.run("good", instance).success


def test_a_file_that_may_not_be_read(workflows: Workflows) -> None:
    workflows.write("a_good.py", GOOD)
    # A link to nothing and a folder of that name: root may read what no permission forbids.
    (workflows.folder / "gone.py").symlink_to(workflows.folder / "nowhere.py")
    (workflows.folder / "folder.py").mkdir()
    assert set(workflows.repository().asset_graph.get_all_asset_keys()) == {AssetKey(["good", "fine"])}
    if os.geteuid() != 0:
        path = workflows.write("locked.py", GOOD)
        path.chmod(0)
        keys = set(workflows.repository().asset_graph.get_all_asset_keys())
        assert keys == {AssetKey(["good", "fine"]), AssetKey(["_invalid", "locked"])}


def test_folders_and_names_that_become_one_stay_apart(workflows: Workflows) -> None:
    for name in ("team/bad.py", "team__bad.py", "bad-one.py", "bad_one.py", "나쁜.py"):
        workflows.write(name, "def (\n")
    repository = workflows.repository()
    repository.load_all_definitions()
    keys = {key.to_user_string() for key in repository.asset_graph.get_all_asset_keys()}
    assert len(keys) == 5
    assert "_invalid/team/bad" in keys
    assert "_invalid/bad_one" in keys


def test_the_same_name_in_two_folders(workflows: Workflows, tmp_path: Path) -> None:
    from flowhub_assets.to_dagster.repository import CodeLocation

    for folder in ("one/flows", "two/flows"):
        workflows.write(f"../{folder}/bad.py", "def (\n")
    whole = workflows.location()
    location = CodeLocation(
        [tmp_path / "one/flows", tmp_path / "two/flows"], whole.find_files, whole.load, whole.resources, whole.executor
    )
    keys = {key.to_user_string() for key in location.repository().asset_graph.get_all_asset_keys()}
    assert len(keys) == 2


def test_the_sensor_turns_the_check_red_once(workflows: Workflows, instance: DagsterInstance) -> None:
    workflows.write("a_good.py", GOOD)
    path = workflows.write("bad.py", "def (\n")
    repository = workflows.repository()
    sensor = repository.get_sensor_def("invalid_pipelines")
    with build_sensor_context(instance, repository_def=repository) as context:
        first = sensor(context)
    assert isinstance(first, SensorResult)
    (event,) = first.asset_events
    instance.report_runless_asset_event(event)
    key = AssetCheckKey(AssetKey(["_invalid", "bad"]), CHECK)
    (record,) = instance.event_log_storage.get_asset_check_execution_history(key, limit=5)
    assert record.status.value == "FAILED"
    assert str(path) in str(record.event)
    with build_sensor_context(instance, repository_def=repository, cursor=first.cursor) as context:
        again = sensor(context)
    assert isinstance(again, SkipReason)
    assert "bad.py" in (again.skip_message or "")
    # Another mistake in the same file is news.
    workflows.write("bad.py", "import nothing_of_that_name\n")
    repository = workflows.repository()
    with build_sensor_context(instance, repository_def=repository, cursor=first.cursor) as context:
        assert isinstance(repository.get_sensor_def("invalid_pipelines")(context), SensorResult)


def test_the_check_can_be_run_again_and_stays_red(workflows: Workflows, instance: DagsterInstance) -> None:
    workflows.write("bad.py", "def (\n")
    key = AssetCheckKey(AssetKey(["_invalid", "bad"]), CHECK)
    repository = workflows.repository()
    check = repository.asset_checks_defs_by_key[key]
    result = materialize([check], instance=instance, raise_on_error=False, selection=AssetSelection.checks(key))
    (evaluation,) = result.get_asset_check_evaluations()
    assert not evaluation.passed
    assert "SyntaxError" in str(evaluation.metadata["error"].value)


def test_no_sensor_where_all_files_load(workflows: Workflows) -> None:
    workflows.write("a_good.py", GOOD)
    assert [sensor.name for sensor in workflows.repository().sensor_defs] == []
