"""Where the daemon finds a code location: in this environment, in a workspace.yaml, at a code server that is asked."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import JobDefinition, RepositoryDefinition

from flowhub_assets.errors import InputError
from flowhub_assets.executor.dagster_runs import Origins, location_in_workspace, origins_here, origins_of
from flowhub_assets_tests.checkout import ROOT
from flowhub_assets_tests.loopback_server import free_port


@pytest.fixture(scope="module")
def code_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder, port = tmp_path_factory.mktemp("code"), free_port()
    (folder / "served_definitions.py").write_text("import dagster as dg\ndefs = dg.Definitions()\n")
    command = [
        sys.executable,
        "-m",
        "dagster",
        "api",
        "grpc",
        "-f",
        "served_definitions.py",
        "-p",
        str(port),
        "-h",
        "127.0.0.1",
    ]
    environment = {**os.environ, "DAGSTER_CURRENT_IMAGE": "registry.test/code:7", "DAGSTER_DISABLE_TELEMETRY": "yes"}
    server = subprocess.Popen([*command, "--container-image", "registry.test/code:7"], cwd=folder, env=environment)
    yield port
    server.terminate()
    server.wait(30)


def job_at(origins: Origins) -> JobDefinition:
    repository = origins.python.code_pointer.load_target()
    assert isinstance(repository, RepositoryDefinition)
    return repository.get_job("quick_start")


def test_what_this_environment_runs_is_named_as_dagster_dev_names_it() -> None:
    origins = origins_here("flowhub_assets.definitions", "flowhub_assets")
    assert origins.label == "__repository__@flowhub_assets"
    assert job_at(origins).name == "quick_start"


def test_the_shipped_workspace_is_the_same_place() -> None:
    origins = origins_of(location_in_workspace(ROOT / "workspace.yaml", None))
    assert origins.label == "__repository__@flowhub_assets"
    assert job_at(origins).name == "quick_start"


def test_a_code_server_is_asked_for_its_image(code_server: int, tmp_path: Path) -> None:
    file = tmp_path / "workspace.yaml"
    server = f"{{grpc_server: {{host: 127.0.0.1, port: {code_server}, location_name: flowhub}}}}"
    file.write_text(f"load_from:\n  - {server}\n  - {{python_module: {{module_name: m, location_name: other}}}}\n")
    found = location_in_workspace(file, "flowhub")
    last = time.monotonic() + 60
    while True:
        try:
            origins = origins_of(found)
            break
        except Exception:  # noqa: BLE001 - it is not up yet
            assert time.monotonic() < last
            time.sleep(0.3)
    assert origins.label == "__repository__@flowhub"
    assert origins.python.container_image == "registry.test/code:7"
    assert origins.python.entry_point == ["dagster"]


@pytest.mark.parametrize(
    ("text", "location", "told"),
    [
        ("load_from: [{python_module: a}, {python_module: b}]", None, "it has 2 code locations"),
        ("load_from: [{python_module: a}]", "b", "there is no code location 'b'"),
        ("load_from: [{nothing: a}]", None, "it is no workspace"),
        ("{", None, "it is no workspace"),
        ("", None, "it is no workspace"),
    ],
)
def test_a_workspace_that_does_not_say_where_is_told(
    tmp_path: Path, text: str, location: str | None, told: str
) -> None:
    file = tmp_path / "workspace.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=told) as refused:
        location_in_workspace(file, location)
    assert refused.value.where == str(file)
