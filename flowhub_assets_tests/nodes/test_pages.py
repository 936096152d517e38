"""The pages of the kinds: complete, equal to what is committed, and written nowhere they do not belong."""

from __future__ import annotations

import textwrap
from pathlib import Path

import jsonschema
import pytest

import flowhub_assets.nodes
from flowhub_assets.errors import InputError
from flowhub_assets.from_yaml.check import problems_in
from flowhub_assets.nodes import registry
from flowhub_assets.nodes.builtin import BUILTIN
from flowhub_assets.nodes.pages import (
    all_pages,
    documentation,
    example,
    first_line,
    index,
    page,
    schemas_of,
    write_pages,
)
from flowhub_assets.nodes.schema_text import type_text
from flowhub_assets_tests.nodes.kinds import Apart, Choice, Model, Repeat

COMMITTED = Path(flowhub_assets.nodes.__path__[0]) / "documentation"


def test_the_committed_pages_are_those_of_the_classes() -> None:
    kinds = {name: registry.get(name) for name in BUILTIN}
    there = {path.name: path.read_text("utf-8") for path in COMMITTED.iterdir()}
    # `flowhub nodes --write flowhub_assets/nodes/documentation` writes them anew.
    assert there == all_pages(kinds)


@pytest.mark.parametrize("name", BUILTIN)
def test_every_built_in_kind_is_documented(name: str) -> None:
    kind = registry.get(name)
    assert len(first_line(kind)) > 10
    assert kind.example
    assert f"type: {name}" in kind.example
    for model in (kind.Config, kind.Input, kind.Output):
        for field, info in model.model_fields.items() if model else ():
            assert info.description, f"{name}: {field} of {model} has no description"


@pytest.mark.parametrize("name", BUILTIN)
def test_every_example_passes_the_check(name: str, tmp_path: Path) -> None:
    path = tmp_path / "example.yaml"
    start = "apiVersion: flume/v1\nkind: Pipeline\nmetadata: {name: example}\nnodes:\n"
    path.write_text(start + textwrap.indent(example(registry.get(name)), "  "), "utf-8")
    assert problems_in(str(path)) == []


def test_a_page_says_all_about_a_kind() -> None:
    assert (
        page(Model)
        == """# model

Has a Config, a primary field and names of several words.

Category: ai. Runs in a pod with a GPU (`runOn: gpu`).

## Config

| Name | Type | Default | |
|---|---|---|---|
| `model` | text | required | Which model answers. |
| `maxTokens` | whole number (at least 1) | `100` | How long the answer may be. |

## Inputs

| Name | Type | Default | |
|---|---|---|---|
| `messages` | list of Message | `[]` | What was said so far. |

Each `Message`:

| Name | Type | Default | |
|---|---|---|---|
| `role` | "user" or "system" | required |  |
| `content` | text | required |  |

## Output

| Name | Type | |
|---|---|---|
| `text` | text |  |
| `total_tokens` | whole number |  |

In templates `{{id.output}}` is `text`; every field is `{{id.<name>}}`.
"""
    )


def test_a_kind_without_config_says_so() -> None:
    assert "They may stand under `config:` as well." in page(Repeat)
    assert "`{{id.output}}` is the whole object; a field of it is `{{id.output.result}}`." in page(Repeat)
    assert "names one of these in `when:`: `yes`, `no`." in page(Choice)
    assert "Always in a process of its own." in page(Apart)


def test_the_index_has_a_line_for_each_kind() -> None:
    text = index({"model": Model, "repeat": Repeat})
    assert "## ai\n\n| Kind | Runs on | |\n|---|---|---|\n| [model](model.md) | gpu | Has a Config" in text
    assert "| [repeat](repeat.md) | engine | Repeats a text. |" in text


def test_a_docstring_is_the_kinds_own() -> None:
    class Silent(Repeat):
        name = "silent"

    assert documentation(Silent) == ""
    assert page(Silent).startswith("# silent\n\nCategory")


@pytest.mark.parametrize("kind", [Model, Repeat, Choice])
def test_the_schemas_are_json_schemas_that_say_what_fits(kind: type[Repeat]) -> None:
    facts = schemas_of(kind)
    for part in ("config", "inputs", "output"):
        if facts[part] is not None:
            jsonschema.Draft202012Validator.check_schema(facts[part])
    assert facts["inputs"]["additionalProperties"] is False
    jsonschema.validate({"messages": [{"role": "user", "content": ""}]}, schemas_of(Model)["inputs"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"maxTokens": 0, "model": "m"}, schemas_of(Model)["config"])
    assert set(schemas_of(Model)["output"]["properties"]) == {"text", "total_tokens"}


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({}, "anything"),
        (True, "anything"),
        ({"type": "string", "maxLength": 3, "pattern": "a|b"}, "text (at most 3 characters, matches a|b)"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "text or null"),
        ({"type": "array", "items": {"type": "integer"}}, "list of whole number"),
        ({"type": "array"}, "list"),
        ({"type": "array", "minItems": 1, "maxItems": 5}, "list (not empty, at most 5 items)"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "object of number"),
        ({"type": "object", "additionalProperties": True}, "object"),
        ({"enum": ["가", 1]}, '"가" or 1'),
        ({"type": ["string", "null"]}, "text or null"),
        ({"$ref": "#/$defs/Kind"}, '"a"'),
        ({"$ref": "#/$defs/Gone"}, "anything"),
    ],
)
def test_a_schema_in_words(schema: object, text: str) -> None:
    assert type_text(schema, {"Kind": {"const": "a"}}) == text


def test_pages_are_written_anew_and_old_ones_go(tmp_path: Path) -> None:
    folder = tmp_path / "pages"
    assert len(write_pages({"model": Model, "repeat": Repeat}, folder)) == 3
    write_pages({"repeat": Repeat}, folder)
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "repeat.md"]


def test_a_folder_of_somebodys_own_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# Mine\n", "utf-8")
    with pytest.raises(InputError, match="holds Markdown files that"):
        write_pages({"repeat": Repeat}, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
