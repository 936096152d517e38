"""A profile full of credentials is exported: no byte of the file holds one, archives unpacked."""

from __future__ import annotations

import base64
import json
import re
import textwrap
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from flowhub_assets.from_python.loading import load_file
from flowhub_assets.from_yaml.loading import load_file as load_pipeline_file
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.pods.archive import unpack
from flowhub_assets.pods.configmap import Contents, config_maps
from flowhub_assets.to_airflow.export import export

NAMES = ("ACCESS_KEY", "SECRET_KEY", "API_TOKEN", "DATABASE_PASSWORD", "GITHUB_TOKEN", "CREDENTIALS", "PRIVATE_KEY")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6).map(lambda text: f"pl4nted-{text}-9c1d")
NUMBERS = st.integers(10**9, 10**18)
VALUES = st.recursive(
    TEXTS | NUMBERS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b c", "PASSWORD"]), inner, max_size=3)
    ),
    max_leaves=6,
)
PROFILES = st.dictionaries(st.sampled_from(NAMES), VALUES, min_size=1, max_size=5).map(
    lambda secrets: {"WORKSPACE": "./tmp", **secrets}
)


def leaves(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    return [str(value)]


def exported(pipeline: Pipeline, profile_name: str) -> str:
    """All that is written, one file behind the other."""
    return "".join(export(pipeline, profile_name).files.values())


def all_bytes(text: str) -> bytes:
    """The text, and behind it what its archives hold."""
    found = [text.encode()]
    for packed in re.findall(r'"(/Td6WFoA[A-Za-z0-9+/=]*)"', text):
        found += [
            part for name, content in unpack(base64.b64decode(packed)).items() for part in (name.encode(), content)
        ]
    return b"\0".join(found)


def planted(text: str, secrets: list[str]) -> list[str]:
    data = all_bytes(text)
    spelled = [(secret, one) for secret in secrets for one in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1])]
    return [secret for secret, one in spelled if one.encode() in data]


@settings(max_examples=40, deadline=None)
@given(PROFILES, PROFILES, PROFILES)
def test_no_credential_of_a_flow_travels(
    tmp_path_factory: Any, profile: dict[str, Any], default: dict[str, Any], env: dict[str, Any]
) -> None:
    env.pop("WORKSPACE")
    file = tmp_path_factory.mktemp("flow") / "workflow.py"
    file.write_text(
        f"from flowhub import flow, task\n\n\n@task(env={env!r})\ndef work(args):\n    return args\n\n\n"
        f"@flow(name='my-flow', env={{'default': {default!r}, 'airflow': {profile!r}}})\n"
        "def main(args):\n    return work(args)\n",
        encoding="utf-8",
    )
    secrets = [
        secret
        for one in (profile, default, env)
        for key, item in one.items()
        if key != "WORKSPACE"
        for secret in leaves(item)
    ]
    assert planted(exported(load_file(str(file))[0].pipeline, "airflow"), secrets) == []


def test_no_credential_of_a_pipeline_file_travels(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text("def work(args):\n    return args\n")
    file = tmp_path / "pipeline.yaml"
    file.write_text(
        textwrap.dedent("""\
            apiVersion: flume/v1
            kind: Pipeline
            metadata: {name: my-flow}
            profiles:
              default: {SECRET_KEY: pl4nted-one}
              airflow: {SECRET_KEY: pl4nted-two, DATABASE: {PASSWORD: pl4nted-three}}
            nodes:
              - id: work
                task: {function: work, file: work.py}
                env: {API_TOKEN: pl4nted-four}
        """)
    )
    text = exported(load_pipeline_file(str(file))[0].pipeline, "airflow")
    assert planted(text, ["pl4nted-one", "pl4nted-two", "pl4nted-three", "pl4nted-four"]) == []
    assert '"env": "DATABASE_PASSWORD"' in text
    assert '"env": "API_TOKEN"' in text


def test_the_search_finds_what_is_packed(tmp_path: Path) -> None:
    made = config_maps("a-code", "a", Contents({"x": "1\n"}, {}, {"a.py": b"KEY = 'pl4nted-one'"})).text
    assert "pl4nted-one" not in made
    assert planted(made, ["pl4nted-one"]) == ["pl4nted-one"] * 3
