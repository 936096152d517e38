"""The kind loop: nodes that run once for each item of a list."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from flowhub_assets.nodes.sdk import Node, NodeConfig, NodeError, NodeInput, NodeOutput


class Loop(Node):
    """Runs the nodes in it once for each item of a list, and gives the list of their results in the items' order.

    The nodes stand under `nodes:` of the loop, with `edges:` if they need any. Their templates know `{{item}}` and
    `{{index}}`, counted from 0, beside everything that the loop's own templates know. The result of an item is what
    the node `result` gives, the last one if none is named; null where that was skipped. `{{id.output}}` lists the
    `output` of each, as its own `{{result.output}}` would be; `{{id.results}}` lists all fields of each. With
    `maxConcurrency` only so many items are worked on at a time. Retries, timeouts and conditions are said by the
    nodes inside.

    **Errors**: `items` is no list, or has more items than `maxIterations`; an item whose nodes fail fails the loop,
    unless they have `continueOnError`.
    """

    name = "loop"
    category = "logic"
    primary = "results"
    example = """\
- id: greet-all
  type: loop
  config: {items: ["Ann", "Bo"], maxConcurrency: 2, maxIterations: 10}
  nodes:
    - id: greet
      type: template
      inputs: {template: "{{index}}: Hello, {{item}}!"}
"""

    class Config(NodeConfig):
        """The list, and how it is gone through."""

        items: list[Any] = Field(description='The list, or a template that gives one: "{{split.output.parts}}".')
        max_concurrency: int = Field(0, ge=0, description="How many items are worked on at a time; 0 for no limit.")
        max_iterations: int = Field(1_000, ge=1, description="How many items the list may have.")
        result: str | None = Field(None, description="The id of the node whose outputs are collected: the last one.")

    class Input(NodeInput):
        """Nothing: the list stands in the config."""

    class Output(NodeOutput):
        """The results."""

        results: list[Any] = Field(description="All that the result node gave, for each item; null where skipped.")

    async def execute(self, input: Input) -> Output:  # noqa: ARG002 - it takes none
        """Raises NodeError: whoever runs the pipeline runs the nodes of a loop."""
        raise NodeError("a loop has nothing to run by itself", remedy="Write nodes: under the loop.", retry=False)
