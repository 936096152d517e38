"""What ir.checks say about a pipeline, at the place in its file that each of them is about."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any

from flowhub_assets.from_yaml.positions import Path
from flowhub_assets.from_yaml.section import Report
from flowhub_assets.ir.checks import problems
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.ir.problem import Problem

_WORD = re.compile(r"[\w-]+")
_TASK = re.compile(r"(?<!['\w.-])task(s?)(?!['\w.-])")
_SNAKE = re.compile(
    r"\b(limit_cpu|limit_memory|node_selector|toleration_seconds|mount_path|sub_path|read_only|host_path|empty_dir"
    r"|config_map|persistent_volume_claim|service_account_name|airflow_sidecar_image|ephemeral_storage"
    r"|limit_ephemeral_storage|gpu_resource|image_pull_secrets|priority_class_name|active_deadline)\b"
)
_PARAM = re.compile(r"\bparam '([^']*)'")
_KEYWORD = re.compile(r"\b(\w+)='([^']*)'")

#: The first words of what a check says → the key that it is about, where they differ.
_KEYS = {
    "owner": "owners",
    "tag": "tags",
    "annotation": "annotations",
    "label": "labels",
    "GPU": "profiles",
    "profile": "profiles",
    "param": "params",
    "toleration": "tolerations",
    "volume": "volumes",
    "mounts": "volumeMounts",
    "schedule": "schedule",
    "schema": "params",
    "default": "params",
    "asset": "asset",
    "name": "name",
    "two": "id",
}


def tell_pipeline_problems(report: Report, pipeline: Pipeline, nodes: Sequence[tuple[str, Path]]) -> None:
    """Tells what no pipeline may be, whoever wrote it; ``nodes`` are the ids of its nodes and where each stands.

    Where reading the file has already told that a value is wrong, nothing more is said of it.
    """
    told = {(problem.line, problem.column) for problem in report.problems}
    starts = {(), *(path for _, path in nodes)}
    by_line: dict[int, list[tuple[str, Path]]] = {}
    for problem in problems(pipeline):
        if not by_line:
            for name, path in nodes:
                by_line.setdefault(report.document.place(path)[0], []).append((name, path))
        path = _path(report, problem, problem.where == pipeline.source, by_line.get(problem.where.line, []))
        if path in starts or report.document.place(path) not in told:
            report.tell(path, _in_yaml(problem.what), _in_yaml(problem.effect), _in_yaml(problem.remedy))


def _path(report: Report, problem: Problem, of_pipeline: bool, nodes: Sequence[tuple[str, Path]]) -> Path:
    """The value that the problem is about: in the node on its line, found by the words that it says."""
    named = [path for name, path in nodes if repr(name) in problem.what]
    start = named[-1] if named else () if of_pipeline or not nodes else nodes[0][1]
    data = _at(report.document.data, start)
    param = _PARAM.search(problem.what)
    if param and not start and param[1] in (data.get("params") or {}):
        return _path_in_param(data["params"][param[1]], ("params", param[1]), _PARAM.sub("", problem.what))
    words = [_camel(word) for word in _WORD.findall(problem.what)]
    keys = [_KEYS.get(word, word) for word in words]
    if start:
        keys = ["id" if key == "name" else key for key in keys]
    else:
        data = {key: value for key, value in data.items() if key not in ("nodes", "edges")}
    return next(filter(None, (_find(data, start, key, words) for key in keys)), start)


def _path_in_param(written: Any, start: Path, what: str) -> Path:
    """The part of a param that the message names first: its default, its type."""
    words = (word for word in _WORD.findall(what) if isinstance(written, dict) and word in written)
    return (*start, *itertools.islice(words, 1))


def _find(data: Any, path: Path, key: str, words: list[str]) -> Path | None:
    """Below ``path``, the value of ``key``; in it the first one that the message names, and so on inside of that."""
    for at, value in _walk(data, path):
        if at[-1] == key:
            found = at
            for inner, item in _walk(value, at):
                if (inner[-1] in words or item in words) and inner[: len(found)] == found:
                    found = inner
            return found
    return None


def _walk(data: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    items: list[tuple[str | int, Any]] = []
    if isinstance(data, dict):
        items = [(key, value) for key, value in data.items() if key not in ("nodes", "edges", "config", "inputs")]
    elif isinstance(data, list):
        items = list(enumerate(data))
    for key, value in items:
        yield (*path, key), value
        if isinstance(value, (dict, list)):
            yield from _walk(value, (*path, key))


def _at(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part]
    return data


def _camel(word: str) -> str:
    first, *rest = word.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest) if first else word


def _in_yaml(text: str) -> str:
    """The words of @task and @flow as a file writes them: limit_cpu='2' is limitCpu: '2', and a task a node."""
    text = text.replace("@flow(volumes=[...])", "volumes: of the pipeline")
    text = _TASK.sub(r"node\1", text)
    return _KEYWORD.sub(r"\1: '\2'", _SNAKE.sub(lambda match: _camel(match[0]), text))
