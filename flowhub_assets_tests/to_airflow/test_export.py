"""GPUs by the names of presets: what the profile of an export makes of them."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from flowhub_assets.errors import DefinitionError
from flowhub_assets.from_python.loading import load_file
from flowhub_assets.from_yaml.loading import load_file as load_pipeline_file
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.to_airflow.export import export

FLOW = """\
from flowhub import flow, task

@task(gpu="{gpu}", node_selector={{"zone": "a"}})
def train(args):
    return args

@flow(env={{
    "default": {{"WORKSPACE": "./tmp"}},
    "cluster": {{"BUCKET": "b", "GPU": {{
        "a100": {{
            "resource": "nvidia.com/gpu",
            "node_selector": {{"gpu": "a100", "zone": "b"}},
            "tolerations": [{{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}}],
        }},
        "mig": {{"resource": "nvidia.com/mig-1g.5gb"}},
    }}}},
}})
def training(args):
    return train(args)
"""

NODES = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: nodes}
profiles:
  cluster: {BUCKET: b, FLOWHUB_IMAGE: "ours:1", GPU: {mig: {resource: nvidia.com/mig-1g.5gb}}}
nodes:
  - {id: say, type: log, placement: {gpu: "mig:3"}, inputs: {message: hello}}
"""


def pipeline(folder: Path, gpu: str) -> Pipeline:
    path = folder / "training.py"
    path.write_text(FLOW.format(gpu=gpu), encoding="utf-8")
    (one,) = load_file(str(path))
    return one.pipeline


def pod_spec(dag: str) -> dict[str, Any]:
    """The spec of the only pod in a DAG file."""
    (value,) = (
        statement.value
        for statement in ast.parse(dag).body
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "PIPELINE"
    )
    (manifest,) = ast.literal_eval(value)["pods"].values()
    spec: dict[str, Any] = manifest["spec"]
    return spec


def test_a_preset_is_what_the_profile_of_the_export_says(tmp_path: Path) -> None:
    spec = pod_spec(export(pipeline(tmp_path, "a100:2"), "cluster").dag)
    assert spec["containers"][0]["resources"] == {"limits": {"nvidia.com/gpu": "2"}}
    assert spec["nodeSelector"] == {"gpu": "a100", "zone": "a"}
    assert spec["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]


def test_so_is_that_of_a_pipeline_file(tmp_path: Path) -> None:
    path = tmp_path / "nodes.yaml"
    path.write_text(NODES, encoding="utf-8")
    (one,) = load_pipeline_file(str(path))
    spec = pod_spec(export(one.pipeline, "cluster").dag)
    assert spec["containers"][0]["resources"] == {"limits": {"nvidia.com/mig-1g.5gb": "3"}}


@pytest.mark.parametrize(
    ("gpu", "profile", "told"),
    [
        ("a10O", "cluster", "gpu 'a10O' of task 'train' names no preset of the profile 'cluster'"),
        ("a100:2", "default", "gpu 'a100:2' of task 'train' names a preset, and the profile has none"),
    ],
)
def test_a_preset_that_is_not_there_is_refused_at_the_line_of_its_task(
    tmp_path: Path, gpu: str, profile: str, told: str
) -> None:
    with pytest.raises(DefinitionError) as refused:
        export(pipeline(tmp_path, gpu), profile)
    assert refused.value.what == told
    assert refused.value.where == f"{tmp_path / 'training.py'}:3"
    assert "GPU" in refused.value.remedy


def test_a_count_needs_no_preset(tmp_path: Path) -> None:
    spec = pod_spec(export(pipeline(tmp_path, "4"), "default").dag)
    assert spec["containers"][0]["resources"] == {"limits": {"nvidia.com/gpu": "4"}}
    assert spec["nodeSelector"] == {"zone": "a"}
