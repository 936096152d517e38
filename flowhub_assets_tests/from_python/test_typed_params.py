"""@flow(params=Model): what the pipeline says of its params, and what is refused where it is written and at doors."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from flowhub_assets.cli.params_given import given_params
from flowhub_assets.errors import DefinitionError, ParamsRefused
from flowhub_assets.from_python.loading import load_file
from flowhub_assets.from_python.script_input import params_of_texts
from flowhub_assets.from_python.typed_params import params_of_type
from flowhub_assets.ir.encoding import from_dict, to_dict
from flowhub_assets.ir.pipeline import Pipeline, Source
from flowhub_assets.runtime.typed_values import form_of
from flowhub_assets.server.param_faults import checked_params
from flowhub_assets_tests.from_python.workflow_files import write_file
from flowhub_assets_tests.typed_models import Order, OrderModel, order_models, orders

HEAD = """\
import dataclasses
import datetime
import uuid
from typing import Optional

import pydantic
from pydantic import AliasPath
from flowhub import flow, task

@task
def work(args):
    return args

"""
MODEL = """\
class Model(pydantic.BaseModel):
    model_config = {"extra": "forbid"}
    name: str = pydantic.Field(min_length=2, description="Who.")
    when: Optional[datetime.date] = None
    share: float = pydantic.Field(0.5, alias="part")

    @pydantic.model_validator(mode="after")
    def whole(self):
        if self.name == "nobody":
            raise ValueError("nobody is no name")
        return self

@flow(params=Model)
def main(args):
    return work(args)
"""
SOURCE = Source("flow.py", 1)


def flow_of(tmp_path: Path, text: str) -> Any:
    """The runnable of a file."""
    (runnable,) = load_file(write_file(tmp_path / "workflow.py", HEAD + text))
    return runnable


def test_the_pipeline_has_the_fields_as_params(tmp_path: Path) -> None:
    pipeline = flow_of(tmp_path, MODEL).pipeline

    assert pipeline.params == {"when": None, "part": 0.5}
    assert pipeline.param_schemas == {
        "name": {"description": "Who.", "minLength": 2, "type": "string"},
        "when": {"anyOf": [{"format": "date", "type": "string"}, {"type": "null"}]},
        "part": {"type": "number"},
    }
    assert from_dict(json.loads(json.dumps(to_dict(pipeline))), str(tmp_path)) == pipeline


@pytest.mark.parametrize(
    ("params", "fields"),
    [
        ({"name": "a"}, ["name"]),
        ({}, ["name"]),
        ({"name": "ab", "nme": "x"}, ["nme"]),
        ({"name": "ab", "when": "2026-02-30"}, ["when"]),
        ({"name": "ab", "when": "soon", "part": "x"}, ["when", "part"]),
        ({"name": "nobody"}, [""]),
    ],
)
def test_the_door_tells_each_wrong_field(tmp_path: Path, params: dict[str, Any], fields: list[str]) -> None:
    runnable = flow_of(tmp_path, MODEL)
    with pytest.raises(ParamsRefused) as caught:
        checked_params(runnable, params, None)

    assert [field for field, _, _ in caught.value.fields] == fields
    assert checked_params(runnable, {"name": "ab", "part": 1}, None) == {"name": "ab", "part": 1}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("@dataclasses.dataclass\nclass P:\n    at: uuid.UUID = dataclasses.field(default_factory=uuid.uuid4)\n",
         "the default of P.at is another one each time"),
        ("class P(pydantic.BaseModel):\n    pass\n", "params=P has no fields"),
        (
            "class P(pydantic.BaseModel):\n    a: int = pydantic.Field(3, validation_alias=AliasPath('b', 0))\n",
            "the alias of P.a is a path",
        ),
        ("P = int\n", "params is of type type"),
    ],
)  # fmt: skip
def test_what_cannot_be_params_is_told_where_it_is_written(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        flow_of(tmp_path, f"{text}\n@flow(params=P)\ndef main(args):\n    return work(args)\n")

    assert told in caught.value.what


PIPELINES = {
    kind: Pipeline("p", (), SOURCE, params=params, param_schemas=schemas)
    for kind, (params, schemas) in ((kind, params_of_type(kind, SOURCE)) for kind in (Order, OrderModel))
}


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(orders | order_models)
def test_params_survive_both_command_lines(order: Any) -> None:
    form, pipeline = form_of(type(order)), PIPELINES[type(order)]
    document = form.to_json(order)
    texts = {name: one if isinstance(one, str) else json.dumps(one) for name, one in document.items()}

    assert form.from_json(params_of_texts(pipeline, texts)) == order
    words = [f"{name}={text}" for name, text in texts.items()]
    schema = {"type": "object", "properties": pipeline.param_schemas}
    assert form.from_json(given_params(None, words, schema)) == order
    assert form.from_json(given_params(json.dumps(document), [], schema)) == order


def test_a_pod_without_pydantic_loads_a_flow_whose_tasks_take_dicts(tmp_path: Path) -> None:
    text = (
        HEAD + "@dataclasses.dataclass\nclass P:\n    a: int = 1\n\n"
        "@flow(params=P)\ndef main(args):\n    return work(args)\n"
    )
    path = write_file(tmp_path / "workflow.py", text.replace("import pydantic\nfrom pydantic import AliasPath\n", ""))
    code = (
        "import sys; sys.modules['pydantic'] = None\n"
        "from flowhub_assets.from_python import typed_params\n"
        "from flowhub_assets.from_python.loading import load_file\n"
        "if len(sys.argv) > 2: typed_params.checked_before()\n"
        "print(load_file(sys.argv[1])[0].pipeline.tasks[0].name)"
    )
    command = [sys.executable, "-c", code, path]

    assert subprocess.run([*command, "pod"], capture_output=True, text=True, check=True).stdout == "work\n"
    assert "there is no pydantic 2 here" in subprocess.run(command, capture_output=True, text=True, check=False).stderr
