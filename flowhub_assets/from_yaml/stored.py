"""A pipeline whose text was sent over the web: checked as a file is, and for what a file may and it may not.

It holds one pipeline, named as it is stored. It has no folder: no task of it is a function of a file beside it. And
it is kept in a database, where others read it: its credentials are references.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from flowhub_assets.from_yaml.loading import Content, read_text, refuse, runnable
from flowhub_assets.from_yaml.positions import Document, Path
from flowhub_assets.from_yaml.problem import FileProblem
from flowhub_assets.from_yaml.read import documents
from flowhub_assets.from_yaml.settings import UNNAMED
from flowhub_assets.nodes.validation import path_text
from flowhub_assets.runtime.profile_references import referenced_variable
from flowhub_assets.runtime.secret_values import is_secret_name
from flowhub_assets.runtime.step import Runnable


def read_stored(text: str, name: str, file: str) -> Content:
    """What the text that is stored as ``name`` holds, and all that is wrong; ``file`` is how problems name it."""
    content = read_text(text, file)
    read, _ = documents(text, file)
    content.problems += _of_name(content, name, file)
    for document in read:
        content.problems += _without_folder(document)
        content.problems += _literal_credentials(document)
    if "\0" in text:
        content.problems.append(FileProblem(file, 0, 0, "the text holds a NUL", "it cannot be kept", "delete it"))
    content.problems.sort(key=lambda problem: (problem.line, problem.column))
    return content


def load_stored(text: str, name: str, file: str) -> Runnable:
    """The pipeline that is stored as ``name``, with the body of every node. Raises DefinitionError, as load_file."""
    content = read_stored(text, name, file)
    refuse(content.problems)
    (pipeline,), (line,) = content.pipelines, content.params_at
    return replace(runnable(pipeline), params_source=replace(pipeline.source, line=line))


def _of_name(content: Content, name: str, file: str) -> Iterator[FileProblem]:
    if not content.pipelines and not content.problems:
        yield FileProblem(file, 0, 0, "the text holds no pipeline", "", "begin it with apiVersion: flume/v1")
    named = list(zip(content.pipelines, content.named_at, strict=True))
    for pipeline, place in named[:1]:
        if pipeline.name not in (name, UNNAMED):
            what, remedy = f"the pipeline is named {pipeline.name!r}, not {name!r}", "give both one name"
            yield FileProblem(file, *place, what, "it would be looked for in vain", remedy)
    for pipeline, place in named[1:]:
        what, remedy = f"a second pipeline, {pipeline.name!r}, follows", "store each under its own name"
        yield FileProblem(file, *place, what, "one is stored under one name", remedy)


def _without_folder(document: Document) -> Iterator[FileProblem]:
    for path, node in _nodes(document.data, ()):
        if "task" in node:
            what = "a stored workflow has no folder, and so no file with a function"
            remedy = "take a node of type python: its script, or a function of an installed module"
            effect = "the node has nothing to do"
            yield FileProblem(document.file, *document.place((*path, "task"), key=True), what, effect, remedy)


def _literal_credentials(document: Document) -> Iterator[FileProblem]:
    data = document.data if isinstance(document.data, dict) else {}
    found = [("profiles",), *((*path, "env") for path, _ in _nodes(data, ()))]
    for start in found:
        for path in _literals(_at(data, start), start, named=False):
            what = f"{path_text(path)} is a credential that is written out"
            remedy = f"write {path[-1]}: {{env: {path[-1]}}}, and set that environment variable where it runs"
            place = document.place(path)
            yield FileProblem(document.file, *place, what, "whoever reads the workflow could use it", remedy)


def _literals(value: Any, path: Path, *, named: bool) -> Iterator[Path]:
    if referenced_variable(value) is not None or (isinstance(value, str) and "{{" in value):
        return
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _literals(item, (*path, key), named=named or is_secret_name(key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _literals(item, (*path, index), named=named)
    elif named and isinstance(value, (str, int, float)) and not isinstance(value, bool) and value != "":
        yield path


def _nodes(value: Any, path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every entry of the document's lists of nodes, those of loops, onFailure and finally too."""
    if not isinstance(value, dict):
        return
    for key in ("nodes", "finally"):
        entries = value.get(key)
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            yield from _with_inner(entry, (*path, key, index))
    yield from _with_inner(value.get("onFailure"), (*path, "onFailure"))


def _with_inner(entry: Any, path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    if isinstance(entry, dict):
        yield path, entry
        yield from _nodes(entry, path)


def _at(value: Any, path: Path) -> Any:
    for part in path:
        value = value.get(part) if isinstance(value, dict) else value[part]
    return value
