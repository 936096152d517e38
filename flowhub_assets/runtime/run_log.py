"""The run log of a script: what each task was given and what it returned, so that a run can be gone on with.

    {
    "load": {"input": {...}, "output": {...}},
    "join": {"input": [{...}, {...}]}
    }

"input" is a dict; for a task whose function has several parameters a list of dicts, one for each. "output"
is missing until the task has succeeded. The env is in neither.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from flowhub_assets.errors import InputError
from flowhub_assets.ir.pipeline import Pipeline, Task
from flowhub_assets.ir.task_tree import waits_for
from flowhub_assets.runtime.joining import skip_reason
from flowhub_assets.runtime.step import step_inputs


class RunLog:
    """The run log at ``path``: changes are kept in memory until ``flush`` replaces the file as a whole."""

    def __init__(self, path: str, entries: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        # A link is kept and what it leads to replaced.
        self.path = os.path.realpath(path)
        self.entries: dict[str, dict[str, Any]] = {name: dict(entry) for name, entry in (entries or {}).items()}
        self._documents = {name: _document(entry) for name, entry in self.entries.items()}
        self._changed = False
        self._tidied = False

    def started(self, task: Task, inputs: Sequence[Mapping[str, Any]]) -> None:
        """The task begins with ``inputs``, one dict for each parameter; an output of an earlier run is dropped."""
        self._set(task.name, {"input": saved_input(task, inputs)})

    def succeeded(self, task: str, value: Mapping[str, Any]) -> None:
        """The task returned ``value``, without env."""
        self._set(task, {**self.entries.get(task, {}), "output": value})

    def outputs(self) -> dict[str, dict[str, Any]]:
        """The output of each task that has one."""
        return {name: entry["output"] for name, entry in self.entries.items() if "output" in entry}

    def flush(self) -> None:
        """Writes what has changed: a reader sees the old log or the new one, never half of one. Raises InputError."""
        if not self._changed:
            return
        if not self._tidied:
            _remove_parts_of_the_dead(self.path)
            self._tidied = True
        lines = ",\n".join(f"{json.dumps(name, ensure_ascii=False)}: {text}" for name, text in self._documents.items())
        write_whole(self.path, f"{{\n{lines}\n}}\n".encode(), "the run log")
        self._changed = False

    def _set(self, task: str, entry: dict[str, Any]) -> None:
        self.entries[task] = entry
        # Only this entry is encoded anew: a log of many tasks would otherwise cost the square of their number.
        self._documents[task] = _document(entry)
        self._changed = True


def read_run_log(path: str) -> RunLog:
    """The run log at ``path``, an empty one if there is no such file.

    Raises InputError, naming file, line and column, for a file that is no run log: it is left as it is.
    """
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        return RunLog(path)
    except OSError as error:
        raise _refused(path, f"the run log cannot be read: {error.strerror}") from None
    try:
        entries = json.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _refused(path, f"the run log is not UTF-8 text (byte {error.start})") from None
    except json.JSONDecodeError as error:
        place = f"{path}:{error.lineno}:{error.colno}"
        raise _refused(place, f"the run log is not JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise _refused(path, f"the run log cannot be read: {error}") from None
    if not isinstance(entries, dict):
        raise _refused(path, f"the run log holds a {type(entries).__name__}, not an object of tasks")
    for name, entry in entries.items():
        wrong = _what_is_wrong(entry)
        if wrong:
            raise _refused(path, f"the run log is damaged at {name!r}: {wrong}")
    return RunLog(path, entries)


def saved_input(task: Task, inputs: Sequence[Mapping[str, Any]]) -> Any:
    """``inputs`` as the run log keeps them: the dict itself, or a list of them for several parameters."""
    return dict(inputs[0]) if task.merge and len(inputs) == 1 else [dict(one) for one in inputs]


def kept_outputs(pipeline: Pipeline, log: RunLog, flow_input: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """What a resumed run need not make again: the outputs of tasks that would take just what the log says they took.

    So a changed input, or a changed output upstream, is not passed over.
    """
    kept: dict[str, Mapping[str, Any]] = {}
    skipped: set[str] = set()
    given = {**pipeline.params, **flow_input}
    for task in pipeline.tasks:
        entry = log.entries.get(task.name, {})
        if not all(name in kept or name in skipped for name in waits_for(task)):
            continue
        if skip_reason(task, kept, skipped):
            skipped.add(task.name)
        elif "output" in entry and entry.get("input") == saved_input(task, step_inputs(task, kept, given, skipped)):
            kept[task.name] = entry["output"]
    return kept


def write_whole(path: str, data: bytes, what: str) -> None:
    """Writes ``data`` so that the file at ``path`` is there whole or not at all. Raises InputError.

    A link is followed. What is there already and is no ordinary file, /dev/null say, is written to, not replaced.
    """
    path = os.path.realpath(path)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.exists(path) and not os.path.isfile(path):
            with open(path, "wb") as device:
                device.write(data)
        else:
            _replace(path, data)
    except OSError as error:
        raise InputError(
            f"{what} cannot be written: {error.strerror}",
            where=path,
            remedy="Name a file in a folder that can be written to, on a disk with room.",
        ) from None


def _replace(path: str, data: bytes) -> None:
    part = f"{path}.{os.getpid()}.part"
    try:
        with open(part, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise


def _remove_parts_of_the_dead(path: str) -> None:
    """What a process that was killed while it wrote has left beside ``path``."""
    folder, name = os.path.split(path)
    with contextlib.suppress(OSError):
        for entry in os.listdir(folder):
            found = re.fullmatch(rf"{re.escape(name)}\.(\d+)\.part", entry)
            if found and not _is_alive(int(found[1])):
                os.unlink(os.path.join(folder, entry))


def _is_alive(pid: int) -> bool:
    if os.name != "posix":
        return True  # on Windows signal 0 is Ctrl-C, not a question
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _document(entry: Mapping[str, Any]) -> str:
    fields = (f'"{name}": {json.dumps(value, ensure_ascii=False, allow_nan=False)}' for name, value in entry.items())
    return "{" + ",\n ".join(fields) + "}"


def _what_is_wrong(entry: Any) -> str:
    if not isinstance(entry, dict):
        return f"a {type(entry).__name__} where {{'input': ..., 'output': ...}} is expected"
    if "output" in entry and not isinstance(entry["output"], dict):
        return f"'output' is a {type(entry['output']).__name__}, not an object"
    given = entry.get("input", {})
    if isinstance(given, dict) or (isinstance(given, list) and all(isinstance(one, dict) for one in given)):
        return ""
    return f"'input' is a {type(given).__name__}, not an object or a list of objects"


def _refused(where: str, what: str) -> InputError:
    return InputError(
        what,
        where=where,
        effect="Nothing was run and the file is left as it is.",
        remedy="Mend it, move it away, or name another file with --run-log.",
    )
