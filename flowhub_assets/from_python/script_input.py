"""What a script is given: a JSON file, a folder of JSON files taken in name order, or standard input."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from flowhub_assets.errors import InputError, ValueMissing
from flowhub_assets.ir.param_checks import value_fault
from flowhub_assets.ir.pipeline import FLOW_INPUT, Pipeline, Task
from flowhub_assets.ir.spelling import did_you_mean, listed
from flowhub_assets.runtime.run_log import RunLog
from flowhub_assets.runtime.step import step_inputs

_NOT_RUN = "Nothing was run."


def read_flow_input(path: str) -> dict[str, Any]:
    """The flow's input at ``path``: the object in that file, or those of a folder merged left to right."""
    merged: dict[str, Any] = {}
    for name, value in _documents(path):
        if not isinstance(value, dict):
            _refuse(name, f"the input is {_kind(value)}, not an object", 'Write {"name": value, ...}.')
        merged.update(value)
    return merged


def read_task_inputs(path: str, task: Task) -> list[dict[str, Any]]:
    """One dict for each parameter of the task's function: the files of a folder, or one file's list of objects."""
    if task.merge:
        return [read_flow_input(path)]
    documents = _documents(path)
    if len(documents) == 1 and isinstance(documents[0][1], list):
        documents = [(path, value) for value in documents[0][1]]
    if len(documents) != len(task.needs) or not all(isinstance(value, dict) for _, value in documents):
        found = f"{len(documents)} object" + ("s" if len(documents) != 1 else "")
        _refuse(
            path,
            f"task {task.name!r} takes {len(task.needs)} dicts, the outputs of {listed(task.needs)}; here is {found}",
            "Name a folder with one JSON file for each, in name order, or a file with a list of that many objects.",
        )
    return [value for _, value in documents]


def params_of_texts(pipeline: Pipeline, texts: Mapping[str, str]) -> dict[str, Any]:
    """The values that ``texts`` stand for: a text where the param is one, else JSON, or a text that is no JSON.

    Where a param may be a text or something else, JSON that it does not take is a text too: 5, for a text or null.
    """
    values: dict[str, Any] = {}
    for name, text in texts.items():
        schema = pipeline.param_schemas.get(name, {})
        kind = schema.get("type", "string" if isinstance(pipeline.params.get(name), str) else None)
        value = text if kind == "string" else _json_or_text(text)
        values[name] = text if _is_rather_text(value, text, schema) else value
    return values


def _is_rather_text(value: Any, text: str, schema: Mapping[str, Any]) -> bool:
    # A Decimal is a number or a text, and only the text has all its digits.
    exact = not (isinstance(value, float) and "anyOf" in schema) and not value_fault(value, schema)[1]
    return bool(schema) and not exact and not value_fault(text, schema)[1]


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return text


def saved_flow_input(pipeline: Pipeline, log: RunLog) -> dict[str, Any] | None:
    """The flow's input of the logged run, as a task was given it; None if no task was given it by itself."""
    for task in pipeline.tasks:
        given = log.entries.get(task.name, {}).get("input")
        if task.needs == (FLOW_INPUT,) and isinstance(given, dict):
            return given
        if FLOW_INPUT in task.needs and isinstance(given, list) and len(given) == len(task.needs):
            return dict(given[task.needs.index(FLOW_INPUT)])
    return None


def choose_task_inputs(
    task: Task, pipeline: Pipeline, log: RunLog, flow_input: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], str]:
    """What the task is run on when no --input is given, and in words where that comes from.

    The saved input of the task, or else the outputs of the tasks upstream, or the flow's input.
    Raises ValueMissing, naming each task upstream whose output is not in the run log.
    """
    saved = log.entries.get(task.name, {}).get("input")
    if saved is not None and _fits(task, saved):
        return (saved if isinstance(saved, list) else [saved]), f"its input saved in {log.path}"
    outputs = log.outputs()
    missing = [name for name in task.needs if name != FLOW_INPUT and name not in outputs]
    if missing:
        raise ValueMissing(
            f"task {task.name!r} needs the output of {listed(map(repr, missing))}, which is not in the run log",
            where=log.path,
            effect=_NOT_RUN,
            remedy=f"Run --task {missing[0]} first, or the whole flow, or give the args with --input FILE.",
        )
    upstream = [name for name in task.needs if name != FLOW_INPUT]
    source = f"the output of {listed(upstream)} in {log.path}" if upstream else "the flow's input"
    return step_inputs(task, outputs, {**pipeline.params, **flow_input}), source


def _fits(task: Task, saved: Any) -> bool:
    return isinstance(saved, dict) if task.merge else isinstance(saved, list) and len(saved) == len(task.needs)


def _documents(path: str) -> Sequence[tuple[str, Any]]:
    if path == "-":
        return [("standard input", _parse("standard input", sys.stdin.buffer.read()))]
    if os.path.isdir(path):
        names = sorted(name for name in os.listdir(path) if name.endswith(".json") and not name.startswith("."))
        if not names:
            _refuse(path, "this folder holds no .json file", "Put the input there, or name the file itself.")
        return [(os.path.join(path, name), _read(os.path.join(path, name))) for name in names]
    return [(path, _read(path))]


def _read(path: str) -> Any:
    try:
        with open(path, "rb") as file:
            return _parse(path, file.read())
    except FileNotFoundError:
        _refuse(path, "there is no such input file", _near_files(path))
    except OSError as error:
        _refuse(path, f"the input cannot be read: {error.strerror}", "Check the path and its permissions.")


def _parse(name: str, data: bytes) -> Any:
    try:
        return json.loads(data.decode("utf-8-sig"), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        _refuse(f"{name}:{line}", f"the input is not UTF-8 text (byte {error.start})", "Save it as UTF-8.")
    except json.JSONDecodeError as error:
        what = "the input is empty" if not data.strip() else f"the input is not JSON: {error.msg}"
        _refuse(f"{name}:{error.lineno}:{error.colno}", what, "Mend that place; python -m json.tool FILE checks it.")
    except RecursionError:
        _refuse(name, "the input is nested too deep", "Write it flatter.")
    except ValueError as error:
        _refuse(name, f"the input is not JSON: {error}", "Write null where there is no number, and long ints as text.")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _near_files(path: str) -> str:
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        return f"There is no folder {folder} either: check the path, seen from {os.getcwd()}."
    names = [name for name in os.listdir(folder) if name.endswith(".json")]
    near = did_you_mean(os.path.basename(path), names)
    if near:
        return near
    return f"JSON files there: {listed(sorted(names)[:10])}; the path is seen from {os.getcwd()}."


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    return {list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}[type(value)]


def _refuse(where: str, what: str, remedy: str) -> NoReturn:
    raise InputError(what, where=where, effect=_NOT_RUN, remedy=remedy)
