"""Pipeline files: branches, joins, loops with branches inside, retries, conditions, and what ends a run."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import dedent
from typing import Any

from flowhub_assets_tests.conformance.branch_shapes import TakenShape
from flowhub_assets_tests.conformance.failing_shapes import FailingShape

#: Kinds of node, as a user writes them into a file beside the pipeline.
NODES = '''"""Written by a test."""

import json
import os
from typing import Any

from flowhub.nodes import Node, NodeConfig, NodeContext, NodeInput, NodeOutput, registry


def count(context, what):
    """How often this was called by the node, counted in a file that survives the process."""
    with open(os.path.join(context.profile["WORKSPACE"], f"{what} of {context.node}"), "a+") as file:
        file.write("x")
        return file.tell()


@registry.register
class Probe(Node):
    """Gives what it is given."""

    name = "probe"
    primary = "value"

    class Input(NodeInput):
        value: Any = None

    class Output(NodeOutput):
        value: Any

    async def execute(self, input: Input) -> Output:
        return self.Output(value=input.value)


@registry.register
class Choose(Node):
    """Chooses the port that it is told."""

    name = "choose"
    ports = ("true", "false")

    class Input(NodeInput):
        port: str

    class Output(NodeOutput):
        port: str

    def execute(self, input: Input) -> Output:
        return self.Output(port=input.port)


@registry.register
class Flaky(Node):
    """Fails at its first tries."""

    name = "flaky"

    class Input(NodeInput):
        failures: int = 0
        error: str = "ConnectionResetError"

    class Output(NodeOutput):
        tries: int

    def execute(self, input: Input, context: NodeContext) -> Output:
        tries = count(context, "attempts")
        if tries <= input.failures:
            raise {"ConnectionResetError": ConnectionResetError, "ValueError": ValueError}[input.error](f"try {tries}")
        return self.Output(tries=tries)


@registry.register
class Note(Node):
    """Keeps what it is given, one line for each call."""

    name = "note"

    class Input(NodeInput):
        args: dict[str, Any]

    class Output(NodeOutput):
        pass

    async def execute(self, input: Input, context: NodeContext) -> Output:
        with open(os.path.join(context.profile["WORKSPACE"], "told"), "a", encoding="utf-8") as file:
            file.write(json.dumps({"args": input.args}, ensure_ascii=False) + "\\n")
        return self.Output()
'''

_HEAD = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: shape}
"""


def _file(
    name: str, body: str, ran: str, output: Any, *, given: Mapping[str, Any] | None = None, **more: Any
) -> TakenShape:
    text = _HEAD + dedent(body).strip("\n") + "\n"
    more = {"values": {}, **more}
    return TakenShape(
        name, text, given=dict(given or {}), ran=tuple(ran.split()), output=output, file="pipeline.yaml", **more
    )


_BRANCH = """
params: {port: {type: string, default: "true"}}
nodes:
  - {id: start, type: probe, inputs: {value: 3}}
  - {id: big, type: choose, inputs: {port: "{{params.port}}"}}
  - {id: many, type: probe, inputs: {value: "{{start.output}} many"}}
  - {id: few, type: probe, inputs: {value: "{{start.output}} few"}}
  - {id: join, type: probe, inputs: {value: ["{{many.output}}", "{{few.output}}", "{{many.skipped}}"]}}
edges:
  - {from: start, to: big}
  - {from: big, to: many, when: "true"}
  - {from: big, to: few, when: "false"}
"""

_LOOP = """
params: {list: {type: array, default: [1, 2, 3]}}
nodes:
  - {id: start, type: probe, inputs: {value: "*"}}
  - id: each
    type: loop
    config: {items: "{{params.list}}", maxConcurrency: 2, result: end}
    nodes:
      - {id: odd, type: choose, inputs: {port: "{{'true' if item % 2 else 'false'}}"}}
      - {id: star, type: probe, inputs: {value: "{{start.output}}{{item}}"}}
      - {id: plain, type: probe, inputs: {value: "{{index}}"}}
      - {id: end, type: probe, inputs: {value: ["{{star.output}}", "{{plain.output}}"]}}
    edges:
      - {from: odd, to: star, when: "true"}
      - {from: odd, to: plain, when: "false"}
  - {id: all, type: probe, inputs: {value: "{{each.output}}"}}
"""

_NESTED = """
nodes:
  - id: rows
    type: loop
    config: {items: [[1, 2], [], [3]], result: row}
    nodes:
      - id: cells
        type: loop
        config: {items: "{{item}}", result: cell}
        nodes:
          - {id: cell, type: probe, inputs: {value: "{{item * 2}}"}}
      - {id: row, type: probe, inputs: {value: "{{cells.output}}"}}
  - {id: all, type: probe, inputs: {value: "{{rows.output}}"}}
"""

_RETRY = """
nodes:
  - id: flaky
    type: flaky
    inputs: {failures: 2}
    retry: {times: 3, delay: 0.01, backoff: exponential, on: [ConnectionError]}
"""

_GOES_ON = """
nodes:
  - {id: bad, type: flaky, inputs: {failures: 9, error: ValueError}, continueOnError: true, retry: {times: 1}}
  - {id: after, type: probe, inputs: {value: "{{bad.error.type}}: {{bad.error.message}}"}}
"""

_WHEN = """
params: {n: {type: integer, default: 1}}
nodes:
  - {id: start, type: probe, inputs: {value: "{{params.n}}"}}
  - {id: maybe, type: probe, inputs: {value: "yes"}, when: "start.output > 1"}
  - {id: behind, type: probe, inputs: {value: "{{maybe.output}}"}}
  - {id: end, type: probe, inputs: {value: ["{{start.output}}", "{{behind.output}}"]}}
"""

_ENDS = """
nodes:
  - {id: start, type: probe, inputs: {value: 1}}
onFailure: {id: alarm, type: note, inputs: {args: {failed_task: "{{failure.failed_task}}"}}}
finally:
  - {id: bell, type: note, inputs: {args: {failed: "{{failure.failed_task}}"}}}
"""

FILES = [
    _file(
        "file: a branch is taken",
        _BRANCH,
        "start big many join",
        {"value": ["3 many", None, False]},
        values={"big": {"port": "true"}, "many": {"value": "3 many"}},
    ),
    _file(
        "file: the other branch is taken",
        _BRANCH,
        "start big few join",
        {"value": [None, "3 few", True]},
        given={"port": "false"},
    ),
    _file(
        "file: a loop with a branch inside",
        _LOOP,
        "start each all",
        {"value": [["*1", None], [None, 1], ["*3", None]]},
    ),
    _file("file: a loop over nothing", _LOOP, "start each all", {"value": []}, given={"list": []}),
    _file("file: a loop in a loop", _NESTED, "rows all", {"value": [[2, 4], [], [6]]}),
    _file("file: tried again with a growing delay", _RETRY, "flaky", {"tries": 3}, attempts={"flaky": 3}),
    _file(
        "file: it goes on when a node has failed",
        _GOES_ON,
        "bad after",
        {"value": "ValueError: try 2"},
        values={"bad": {"error": {"message": "try 2", "type": "ValueError"}}},
        attempts={"bad": 2},
    ),
    _file("file: a condition that holds", _WHEN, "start maybe behind end", {"value": [2, "yes"]}, given={"n": 2}),
    _file("file: a condition that does not hold", _WHEN, "start end", {"value": [1, None]}),
    _file(
        "file: what comes last when all went well",
        _ENDS,
        "start",
        {"value": 1},
        told=[{"args": {"failed": None}}],
    ),
]

_FAILS = """
nodes:
  - {id: a, type: probe, inputs: {value: 1}}
  - id: b
    type: flaky
    inputs: {failures: "{{a.output + 8}}", error: ValueError}
    retry: {times: 3, on: [ConnectionError]}
  - {id: c, type: probe, inputs: {value: "{{b.output}}"}}
onFailure:
  id: alarm
  type: note
  inputs:
    args: {failed_task: "{{failure.failed_task}}", error: "{{failure.error}}", error_type: "{{failure.error_type}}"}
finally:
  - id: bell
    type: note
    inputs:
      args: {failed_task: "{{failure.failed_task}}", error: "{{failure.error}}", error_type: "{{failure.error_type}}"}
"""

FAILING_FILES = [
    FailingShape(
        "file: a node fails, on_failure and finally are told",
        _HEAD + _FAILS,
        error="try 1",
        attempts={"a": 1, "b": 1},
        given={},
        file="pipeline.yaml",
    )
]
