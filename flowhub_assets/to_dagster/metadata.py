"""What the UI shows beside an asset: its placement and source, and its value each time it is made."""

from __future__ import annotations

import base64
import json
import re
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

from dagster import (
    BetaWarning,
    CodeReferencesMetadataValue,
    LocalFileCodeReference,
    MetadataValue,
    TableColumn,
    TableColumnConstraints,
    TableRecord,
    TableSchema,
)

from flowhub_assets.executor.forked.loaded_code import IMPORTS
from flowhub_assets.ir.encoding import plain
from flowhub_assets.ir.gpu_presets import preset_and_count
from flowhub_assets.ir.kubernetes_spec import GPU_RESOURCE
from flowhub_assets.ir.pipeline import Pipeline, Task
from flowhub_assets.ir.placement import Placement
from flowhub_assets.ir.task_tree import all_tasks
from flowhub_assets.runtime.show import CHECK, DESCRIBED, Shown
from flowhub_assets.to_dagster.tags import deployed_placement

# The link to the source is worth more than Dagster's promise that its class stays as it is; the version is pinned.
warnings.filterwarnings("ignore", message=".*CodeReference.* is currently in beta", category=BetaWarning)

#: The most characters of a value that its preview shows, and the most rows of a table.
PREVIEW_CHARACTERS = 4_000
PREVIEW_ROWS = 100

_COLUMN_TYPES = {bool: "bool", int: "int", float: "float", str: "string"}


def definition_metadata(pipeline: Pipeline, task: Task) -> dict[str, Any]:
    """What is known before a run: where the task is written and where it will run."""
    reference = LocalFileCodeReference(file_path=task.source.file, line_number=task.source.line, label=task.function)
    known: dict[str, Any] = {
        "dagster/code_references": CodeReferencesMetadataValue(code_references=[reference]),
        "source": f"{task.source}",
        "flow": pipeline.name,
        "task": task.name,
    }
    placement = deployed_placement(pipeline, task)
    if plain(placement):
        known["placement"] = MetadataValue.json(plain(placement))
    if note := _gpu_note(placement):
        known["gpu"] = note
    if task.timeout is not None:
        known["timeout (s)"] = task.timeout
    return known


def job_metadata(pipeline: Pipeline) -> dict[str, Any]:
    """What the page of a job shows: where it is written, and what its runs import once for all tasks."""
    told: dict[str, Any] = {"source": f"{pipeline.source}"}
    if pipeline.imports:
        told[IMPORTS] = ", ".join(pipeline.imports)
    return told


def graph_metadata(pipeline: Pipeline) -> dict[str, Any]:
    """What the page of a graph's job shows beside that: what each of its nodes is for."""
    rows = [f"| {task.name} | {_kind(task)} | {_cell(task.description)} |" for task in pipeline.tasks]
    asked = [(task.name, _gpu_note(deployed_placement(pipeline, task))) for task in all_tasks(pipeline)]
    notes = [f"{name}: {note}" for name, note in asked if note]
    return {
        **job_metadata(pipeline),
        **({"gpu": "; ".join(notes)} if notes else {}),
        "nodes": MetadataValue.md("\n".join(["| node | type | description |", "|---|---|---|", *rows])),
    }


def _gpu_note(placement: Placement) -> str:
    """That a preset's name is only counted here; "" where nothing is to be said."""
    preset, count = preset_and_count(placement.gpu or "")
    if preset is None:
        return ""
    return f"the profile of this code location has no preset {preset!r} (GPU): {count} of {GPU_RESOURCE}"


def _kind(task: Task) -> str:
    return task.node.type if task.node is not None else "Python"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def value_metadata(value: Mapping[str, Any], shown: Iterable[Shown]) -> dict[str, Any]:
    """What a step made: all that the task showed, a preview of its value, and its size."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    preview = text if len(text) <= PREVIEW_CHARACTERS else f"{text[:PREVIEW_CHARACTERS]}\n… {len(text)} characters"
    return {
        **shown_metadata(shown),
        "preview": MetadataValue.md(_fenced(preview, "json")),
        "size (bytes)": len(json.dumps(value, ensure_ascii=False).encode()),
    }


def shown_metadata(shown: Iterable[Shown]) -> dict[str, Any]:
    """What was shown, under its names, without the checks, which Dagster shows in a place of their own."""
    known: dict[str, Any] = {}
    for one in shown:
        if one.kind != CHECK:
            known.update(_described(one.data) if one.kind == DESCRIBED else {one.name: _shown_value(one)})
    return known


def _shown_value(shown: Shown) -> Any:
    if shown.kind == "png":
        picture = base64.b64encode(shown.data).decode()
        return MetadataValue.md(f"![{_link_text(shown.name)}](data:image/png;base64,{picture})")
    if shown.kind == "table":
        return _table(shown.data)
    return MetadataValue.md(shown.data) if shown.kind == "markdown" else shown.data


def _described(table: Mapping[str, Any]) -> dict[str, Any]:
    """What Dagster shows in its own places for tables: columns, row count, name, place."""
    known: dict[str, Any] = {}
    if table["columns"]:
        known["dagster/column_schema"] = MetadataValue.table_schema(
            TableSchema([*map(_described_column, table["columns"])])
        )
    if "rows" in table:
        known["dagster/row_count"] = table["rows"]
    if "name" in table:
        known["dagster/table_name"] = table["name"]
    if "url" in table:
        known["dagster/uri"] = MetadataValue.text(table["url"])
    return known


def _described_column(column: Mapping[str, Any]) -> TableColumn:
    constraints = TableColumnConstraints(
        nullable=column["nullable"], unique=column["unique"], other=list(column["constraints"])
    )
    return TableColumn(column["name"], column["type"], column["description"] or None, constraints)


def _table(rows: list[dict[str, Any]]) -> Any:
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = [TableColumn(name, _column_type(rows, name)) for name in names]
    records = [TableRecord({name: row.get(name) for name in names}) for row in rows[:PREVIEW_ROWS]]
    return MetadataValue.table(records, TableSchema(columns))


def _column_type(rows: list[dict[str, Any]], name: str) -> str:
    kinds = {_COLUMN_TYPES.get(type(row[name]), "string") for row in rows if row.get(name) is not None}
    return kinds.pop() if len(kinds) == 1 else "float" if kinds == {"int", "float"} else "string"


def _fenced(text: str, language: str) -> str:
    # A fence longer than any run of backticks inside keeps users' text from ending the block.
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _link_text(text: str) -> str:
    return text.replace("[", "(").replace("]", ")")
