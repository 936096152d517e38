"""deploy/README.md: its commands name what is there, and the Korean page has the same."""

from __future__ import annotations

import re
import shlex

import pytest
import yaml

from flowhub_assets.deploy_check.strict import supported
from flowhub_assets_tests.checkout import ROOT
from flowhub_assets_tests.readme_blocks import blocks_of

PAGE, KOREAN = (ROOT / "deploy" / name for name in ("README.md", "README.ko.md"))
TEXT = PAGE.read_text("utf-8")
BLOCKS = blocks_of(TEXT)
COMMANDS = [line for block in BLOCKS if block.language == "console" for line in block.code.splitlines()]
VALUES = yaml.safe_load((ROOT / "deploy" / "helm" / "values.yaml").read_text("utf-8"))


def test_the_korean_page_has_the_same_blocks() -> None:
    korean = [(block.language, block.code) for block in blocks_of(KOREAN.read_text("utf-8"))]
    assert korean == [(block.language, block.code) for block in BLOCKS]
    headings = [
        len(re.findall(rf"^{'#' * level} ", path.read_text("utf-8"), re.MULTILINE))
        for path in (PAGE, KOREAN)
        for level in (2, 3)
    ]
    assert headings[:2] == headings[2:]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_whole_and_its_files_are_there(command: str) -> None:
    words = shlex.split(command.replace("<", " ").replace(">", " "))
    assert words[0] in ("pip", "flowhub", "helm", "docker", "kubectl", "rclone")
    for word in words:
        if word.startswith("deploy/") and not word.startswith("deploy/dagster-"):
            assert (ROOT / word).exists(), word


def made(kind: str) -> dict[str, set[str]]:
    """Each Secret or ConfigMap that the page makes, and its keys."""
    found: dict[str, set[str]] = {}
    for command in COMMANDS:
        name = re.search(rf"create {kind} (\S+)", command)
        if name:
            found.setdefault(name[1], set()).update(re.findall(r"--from-(?:literal|file)=([A-Za-z_-]+)=", command))
    return found


def test_what_the_values_name_is_made_before() -> None:
    secrets, settings = made("secret generic"), made("configmap")
    assert "postgresql-password" in secrets[VALUES["global"]["postgresqlSecretName"]]
    assert {one["name"] for one in VALUES["dagsterWebserver"]["envSecrets"]} <= set(secrets)
    assert {one["name"] for one in VALUES["dagsterWebserver"]["envConfigMaps"]} <= set(settings)
    minio = (ROOT / "deploy" / "helm" / "minio.yaml").read_text("utf-8")
    for name, key in re.findall(r"KeyRef: \{name: ([\w-]+), key: (\w+)\}", minio):
        assert key in {**secrets, **settings}[name]


def test_the_profiles_have_their_variables() -> None:
    (settings,) = VALUES["dagster-user-deployments"]["extraManifests"]
    asked = set(re.findall(r'env = "(\w+)"', settings["data"]["pyproject.toml"]))
    given = {key for keys in [*made("secret generic").values(), *made("configmap").values()] for key in keys}
    assert asked <= given


def test_the_versions_are_those_that_are_checked() -> None:
    oldest, newest = supported()
    for text in (TEXT, KOREAN.read_text("utf-8")):
        assert oldest in text
        assert newest in text
    pinned = re.search(r"^dagster==(.+)$", (ROOT / "deploy" / "constraints.txt").read_text("utf-8"), re.MULTILINE)
    assert pinned is not None
    assert set(re.findall(r"--version (\S+)", TEXT)) == {pinned[1]}


def test_every_file_of_the_table_is_there() -> None:
    for target in re.findall(r"\]\((?!http)([^)]+)\)", TEXT):
        assert (PAGE.parent / target).exists(), target
