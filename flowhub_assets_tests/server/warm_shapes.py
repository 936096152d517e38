"""Pipelines of light nodes that answer, in all shapes: what the server answers itself must be what Dagster would do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any


@dataclass(frozen=True)
class WarmShape:
    """``body`` stands behind the pipeline's head; ``status`` and ``answer`` are what the caller gets."""

    name: str
    body: str
    status: int
    answer: Any

    def write(self, folder: Path) -> None:
        """The pipeline ``shape`` in a file of ``folder``, its values in ``folder/work``."""
        folder.mkdir(exist_ok=True)
        head = f"""\
            apiVersion: flume/v1
            kind: Pipeline
            metadata: {{name: shape}}
            trigger: {{type: webhook}}
            profiles: {{default: {{WORKSPACE: {folder / "work"}}}}}
        """
        (folder / "shape.yaml").write_text(dedent(head) + dedent(self.body).strip("\n") + "\n", encoding="utf-8")


SHAPES = [
    WarmShape(
        "a chain that logs",
        """
        nodes:
          - {id: note, type: log, inputs: {message: "주문 {{trigger.body.n}}"}}
          - {id: words, type: template, inputs: {template: "{{trigger.body.n}} words"}}
          - id: answer
            type: http-response
            config: {status: 201, headers: {X-Shape: chain}}
            inputs: {body: {said: "{{words.output}}"}}
        edges: [{from: note, to: words}]
        """,
        201,
        {"said": "7 words"},
    ),
    WarmShape(
        "a branch, one side of it skipped",
        """
        nodes:
          - {id: big, type: condition, config: {if: trigger.body.n > 5}}
          - {id: many, type: template, inputs: {template: "many"}}
          - {id: few, type: template, inputs: {template: "few"}}
          - {id: answer, type: http-response, inputs: {body: "{{many.output if few.skipped else few.output}}"}}
        edges:
          - {from: big, to: many, when: "true"}
          - {from: big, to: few, when: "false"}
          - {from: many, to: answer}
          - {from: few, to: answer}
        """,
        200,
        "many",
    ),
    WarmShape(
        "a loop",
        """
        nodes:
          - id: each
            type: loop
            config: {items: [1, 2, 3], maxConcurrency: 2}
            nodes:
              - {id: word, type: template, inputs: {template: "{{item}} of {{trigger.body.n}}"}}
          - {id: answer, type: http-response, inputs: {body: "{{each.output}}"}}
        """,
        200,
        ["1 of 7", "2 of 7", "3 of 7"],
    ),
    WarmShape(
        "a failure after two tries more, and what comes last all the same",
        """
        nodes:
          - id: refuse
            type: error
            config: {retry: true}
            inputs: {message: "not today"}
            retry: {times: 2, delay: 0.01}
          - {id: answer, type: http-response, inputs: {body: "{{refuse.output}}"}}
        finally:
          - {id: last, type: log, inputs: {message: "the end"}}
        """,
        502,
        None,
    ),
    WarmShape(
        "a failure that is tolerated",
        """
        nodes:
          - {id: refuse, type: error, inputs: {message: "not today"}, continueOnError: true}
          - {id: answer, type: http-response, inputs: {body: "{{refuse.error.message}}"}}
        edges: [{from: refuse, to: answer}]
        """,
        200,
        "not today",
    ),
    WarmShape(
        "fused steps",
        """
        fuse: true
        nodes:
          - {id: words, type: template, inputs: {template: "{{trigger.body.n}} words"}}
          - {id: more, type: template, inputs: {template: "{{words.output}} more"}}
          - {id: answer, type: http-response, inputs: {body: "{{more.output}}"}}
        """,
        200,
        "7 words more",
    ),
    WarmShape(
        "an answer that is skipped",
        """
        nodes:
          - {id: note, type: log, inputs: {message: "nothing to say"}}
          - {id: answer, type: http-response, when: trigger.body.n > 100, inputs: {body: "large"}}
        edges: [{from: note, to: answer}]
        """,
        202,
        None,
    ),
    WarmShape(
        "assets",
        """
        nodes:
          - {id: words, type: template, inputs: {template: "{{trigger.body.n}} words"}, asset: shop/words}
          - {id: more, type: template, inputs: {template: "{{words.output}} more"}, asset: shop/more}
          - {id: answer, type: http-response, inputs: {body: "{{more.output}}"}}
        """,
        200,
        "7 words more",
    ),
]
