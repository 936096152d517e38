"""The documentation of the kinds of node, made from their classes: a page for each, and an index of them all."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flowhub_assets.errors import InputError
from flowhub_assets.nodes.kind_checks import decides
from flowhub_assets.nodes.schema_text import Field, fields_of, json_schema, nested_objects
from flowhub_assets.nodes.sdk import Node

#: The file that GitHub shows for a folder.
INDEX = "README.md"

_RUNS = {
    "engine": "in the run worker (`runOn: engine`)",
    "cpu": "in a process or pod of its own (`runOn: cpu`)",
    "gpu": "in a pod with a GPU (`runOn: gpu`)",
}


def first_line(kind: type[Node]) -> str:
    """The first sentence of the kind's documentation, on one line."""
    paragraph = " ".join(documentation(kind).partition("\n\n")[0].split())
    sentence, dot, _ = paragraph.partition(". ")
    return sentence + dot.strip() if dot else paragraph


def documentation(kind: type[Node]) -> str:
    """The kind's own docstring, never one that it inherits."""
    return inspect.cleandoc(kind.__dict__.get("__doc__") or "")


def example(kind: type[Node]) -> str:
    """The kind's example, an entry of the list ``nodes:``, without what it is indented by in the code."""
    # Not cleandoc: to it the first line's indentation is none, and "- id: x" may stand right behind the quotes.
    return textwrap.dedent(kind.example).strip()


def schemas_of(kind: type[Node]) -> dict[str, Any]:
    """All that is known of a kind, as JSON: its attributes and the JSON Schemas of config, inputs and output."""
    return {
        "name": kind.name,
        "category": kind.category,
        "runOn": kind.run_on,
        "ownProcess": kind.own_process,
        "primary": kind.primary,
        "ports": list(kind.ports),
        "description": documentation(kind),
        "example": example(kind),
        "config": None if kind.Config is None else json_schema(kind.Config, written=True),
        "inputs": json_schema(kind.Input, written=True),
        "output": json_schema(kind.Output, written=False),
    }


def page(kind: type[Node]) -> str:
    """The kind's page in Markdown."""
    facts = schemas_of(kind)
    parts = [f"# {kind.name}", documentation(kind), _place(kind)]
    if facts["example"]:
        parts += ["## Example", f"```yaml\nnodes:\n{_indented(facts['example'])}\n```"]
    if facts["config"] is not None:
        parts += _section("## Config", facts["config"], "It has none.")
        parts += _section("## Inputs", facts["inputs"], "It has none.")
    else:
        parts += ["## Inputs", "They may stand under `config:` as well."] if kind.Input.model_fields else []
        parts += _section("", facts["inputs"], "") if kind.Input.model_fields else ["## Inputs", "It has none."]
    parts += _section("## Output", facts["output"], "It gives nothing.", with_default=False)
    parts += _reading(kind)
    return "\n\n".join(part for part in parts if part) + "\n"


def index(kinds: Mapping[str, type[Node]]) -> str:
    """The list of all kinds in Markdown, by category."""
    parts = [
        "# Kinds of node",
        "Made by `flowhub nodes --write FOLDER` from the classes; `flowhub nodes NAME` shows one.",
    ]
    for category in sorted({kind.category for kind in kinds.values()}):
        rows = [
            f"| [{name}]({name}.md) | {kind.run_on} | {_cell(first_line(kind))} |"
            for name, kind in sorted(kinds.items())
            if kind.category == category
        ]
        parts += [f"## {category}", "\n".join(["| Kind | Runs on | |", "|---|---|---|", *rows])]
    return "\n\n".join(parts) + "\n"


def all_pages(kinds: Mapping[str, type[Node]]) -> dict[str, str]:
    """File name → text: the index and a page for each kind."""
    return {INDEX: index(kinds), **{f"{name}.md": page(kind) for name, kind in kinds.items()}}


def write_pages(kinds: Mapping[str, type[Node]], folder: Path) -> list[Path]:
    """Writes all pages into ``folder``, which is made if absent; pages of kinds that are gone are removed.

    Raises InputError if the folder holds a Markdown file that is no such page: it may be somebody's own.
    """
    pages = all_pages(kinds)
    index_there = folder / INDEX
    old = set(folder.glob("*.md")) if folder.is_dir() else set()
    if old and not (index_there.is_file() and index_there.read_text("utf-8").startswith("# Kinds of node\n")):
        raise InputError(
            f"{folder} holds Markdown files that `flowhub nodes --write` did not write",
            effect="nothing was written",
            remedy="name another folder; one that is not there is made",
        )
    folder.mkdir(parents=True, exist_ok=True)
    for path in old - {folder / name for name in pages}:
        path.unlink()
    for name, text in pages.items():
        (folder / name).write_text(text, "utf-8")
    return [folder / name for name in pages]


def _place(kind: type[Node]) -> str:
    process = " Always in a process of its own." if kind.own_process else ""
    return f"Category: {kind.category}. Runs {_RUNS[kind.run_on]}.{process}"


def _section(title: str, schema: Mapping[str, Any], empty: str, *, with_default: bool = True) -> Iterator[str]:
    yield title
    fields = list(fields_of(schema))
    yield _table(fields, with_default) if fields else empty
    for name, nested in nested_objects(schema):
        yield f"Each `{name}`:"
        yield _table(list(fields_of(nested)), with_default)


def _table(fields: list[Field], with_default: bool) -> str:
    lines = (
        ["| Name | Type | Default | |", "|---|---|---|---|"] if with_default else ["| Name | Type | |", "|---|---|---|"]
    )
    for field in fields:
        default = "required" if field.required else f"`{_cell(field.default)}`" if field.default else ""
        cells = [f"`{field.name}`", _cell(field.type), *([default] if with_default else []), _cell(field.description)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _reading(kind: type[Node]) -> Iterator[str]:
    fields = list(kind.Output.model_fields)
    if "{{id.output" in documentation(kind):
        pass  # the kind says itself what its output is
    elif kind.primary:
        yield f"In templates `{{{{id.output}}}}` is `{kind.primary}`; every field is `{{{{id.<name>}}}}`."
    elif fields:
        yield f"In templates `{{{{id.output}}}}` is the whole object; a field of it is `{{{{id.output.{fields[0]}}}}}`."
    if kind.ports:
        names = ", ".join(f"`{port}`" for port in kind.ports)
        yield f"## Ports\n\nAn edge from it names one of these in `when:`: {names}."
    elif decides(kind):
        yield "## Ports\n\nIts config says which there are; an edge from it names one in `when:`."


def _indented(text: str) -> str:
    return "\n".join(line and f"  {line}" for line in text.splitlines())


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
