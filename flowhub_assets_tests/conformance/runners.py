"""What runs a workflow file, and what it comes to, in terms that are the same for every runner."""

from __future__ import annotations

import contextlib
import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from flowhub_assets.from_python import loading as python_files
from flowhub_assets.from_yaml import loading as pipeline_files
from flowhub_assets.ir.pipeline import FLOW_INPUT, Pipeline
from flowhub_assets.nodes.finding import load_nodes
from flowhub_assets.runtime.local import run_pipeline
from flowhub_assets.runtime.outcome import SKIPPED, Event
from flowhub_assets.runtime.profiles import choose_profile
from flowhub_assets.runtime.step import Runnable
from flowhub_assets.runtime.values import encode_value


@dataclass(frozen=True)
class Ran:
    """How a run of a workflow ended.

    ``values`` maps each task that ended well to its value, ``result`` is the flow's own, both as JSON text: so
    1, 1.0 and True differ, and so does the order of keys. ``attempts`` counts the tries of each task that was
    started. ``told`` is what each call of on_failure was given.
    """

    values: Mapping[str, str]
    result: str | None
    attempts: Mapping[str, int]
    told: list[dict[str, Any]] = field(default_factory=list)

    def lines(self) -> list[str]:
        """All of it, line by line, for a readable difference."""
        told = [line for call in self.told for line in json.dumps(call, indent=1, sort_keys=True).splitlines()]
        return [
            *(f"value of {name}: {self.values[name]}" for name in sorted(self.values)),
            f"result: {self.result}",
            *(f"attempts at {name}: {self.attempts[name]}" for name in sorted(self.attempts)),
            f"calls of on_failure: {len(self.told)}",
            *told,
        ]


def require_same(name: str, ran: Ran, expected: Ran) -> None:
    """Raises AssertionError, with what differs, unless both runs came to the same."""
    if ran == expected:
        return
    lines = difflib.unified_diff(expected.lines(), ran.lines(), "local runtime", name, lineterm="", n=0)
    raise AssertionError("\n".join(["it is not what the local runtime gives:", *lines]))


def nodes_folder(file: Path) -> Path:
    """Where the kinds of node of pipeline files stand: beside the folders of the files."""
    return file.parent.parent / "nodes"


def load(file: Path) -> Runnable:
    """The last pipeline of a Python file, or of a pipeline file, with the kinds of node that those share."""
    if file.suffix == ".py":
        return python_files.load_file(str(file))[-1]
    for found in load_nodes(str(nodes_folder(file))):
        assert found.error is None, found.error
    return pipeline_files.load_file(str(file))[-1]


class Runner(Protocol):
    """A target that can run a workflow file; another one is another class."""

    name: str

    def run(self, file: Path, given: Mapping[str, Any], workspace: Path) -> Ran:
        """Runs the last flow of ``file`` on the input ``given``, its storage in the folder ``workspace``."""


class Local:
    """The local runtime: each task in a process of its own, or all of them in this one."""

    def __init__(self, *, in_process: bool) -> None:
        self.name = "local, in process" if in_process else "local"
        self._in_process = in_process

    def run(self, file: Path, given: Mapping[str, Any], workspace: Path) -> Ran:
        runnable = load(file)
        outcome = run_pipeline(
            runnable,
            given,
            profile=choose_profile(runnable.pipeline, "default", {"WORKSPACE": str(workspace)}),
            in_process=self._in_process,
            on_event=_ignore,
        )
        tasks = outcome.tasks.values()
        return Ran(
            values={one.task: as_json(one.value, one.task) for one in tasks if one.value is not None},
            result=None if outcome.value is None else as_json(outcome.value, "result"),
            # A task whose own condition did not hold was asked, but not tried.
            attempts={one.task: one.attempts for one in tasks if one.attempts and one.state != SKIPPED},
            told=read_told(workspace),
        )


def _ignore(_event: Event) -> None:
    """Takes what a run tells, so that nothing is printed."""


def as_json(value: Mapping[str, Any], task: str) -> str:
    """The document that is kept of a value."""
    return encode_value(value, task).decode("utf-8")


def read_told(workspace: Path) -> list[dict[str, Any]]:
    """What each call of the task ``note`` was given."""
    with contextlib.suppress(FileNotFoundError):
        # Only "\n" ends a line here: splitlines would also cut at characters that JSON leaves as they are (U+0085).
        return [json.loads(line) for line in (workspace / "told").read_text("utf-8").split("\n")[:-1]]
    return []


def merged_result(pipeline: Pipeline, given: Mapping[str, Any], values: Mapping[str, str]) -> str:
    """The flow's own output, for a target that knows only those of tasks; one that was skipped adds nothing."""
    parts: dict[str, Any] = {name: json.loads(text) for name, text in values.items()}
    parts[FLOW_INPUT] = {**pipeline.params, **given}
    return as_json(merged(parts.get(name, {}) for name in pipeline.result), "result")


def merged(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """All in one dict, the later one winning."""
    result: dict[str, Any] = {}
    for part in parts:
        result.update(part)
    return result
