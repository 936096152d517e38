"""deploy/compose.yaml by the compose specification's own schema, and what the specification does not ask for."""

from __future__ import annotations

import json
import re
import tomllib
from importlib import resources
from typing import Any

import jsonschema
import pytest
import yaml

from flowhub_assets.runtime.secret_values import is_secret_name
from flowhub_assets_tests.checkout import ROOT

COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
# Ends when its work is done.
ONCE = {"bucket"}


def test_the_specification_takes_it() -> None:
    schema = resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    jsonschema.validate(COMPOSE, json.loads(schema.read_text("utf-8")))


def test_all_that_a_deployment_has_is_there() -> None:
    assert set(SERVICES) == {"code-server", "webserver", "daemon", "server", "postgresql", "minio", "bucket", "mlflow"}


@pytest.mark.parametrize("name", sorted(set(SERVICES) - ONCE))
def test_what_stays_says_how_it_is(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_secret_is_written_but_for_a_laptop(name: str) -> None:
    for key, value in (SERVICES[name].get("environment") or {}).items():
        if is_secret_name(key):
            assert re.fullmatch(r"\$\{\w+:-[^}]+\}", value), key


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_ports_are_open_to_this_machine_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_waits_for_what_it_needs(name: str) -> None:
    for other, how in (SERVICES[name].get("depends_on") or {}).items():
        assert other in SERVICES
        wanted = "service_completed_successfully" if other in ONCE else "service_healthy"
        assert how == {"condition": wanted}


def test_what_is_kept_has_a_volume_and_what_is_mounted_is_there() -> None:
    for service in SERVICES.values():
        for mount in service.get("volumes", []):
            source = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", mount).split(":")[0]
            if source.startswith("."):
                assert (ROOT / "deploy" / source).exists(), source
            else:
                assert source in COMPOSE["volumes"], source


def test_mlflow_is_the_version_that_is_pinned() -> None:
    pins = (ROOT / "deploy" / "constraints.txt").read_text("utf-8")
    version = re.search(r"^mlflow==(.+)$", pins, re.MULTILINE)
    assert version is not None
    assert SERVICES["mlflow"]["image"].endswith(f":v{version[1]}")


def test_the_image_is_built_as_on_a_cluster() -> None:
    build = SERVICES["code-server"]["build"]
    assert (ROOT / "deploy" / build["context"] / build["dockerfile"]).is_file()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert set(build["args"]["EXTRAS"].split(",")) <= set(extras)


def test_the_profile_needs_only_what_the_service_has() -> None:
    profile = (ROOT / "deploy" / "compose" / "pyproject.toml").read_text("utf-8")
    asked = set(re.findall(r'env = "(\w+)"', profile))
    environment = COMPOSE["x-image"]["environment"]
    assert asked <= set(environment)
    assert environment["FLOWHUB_ENV"] in tomllib.loads(profile)["tool"]["flowhub"]["env"]
