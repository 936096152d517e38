"""The kind json-transform: another shape of the same data."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from flowhub_assets.nodes.sdk import Node, NodeConfig, NodeError, NodeInput, NodeOutput
from flowhub_assets.nodes.verbatim import VerbatimText


class JsonTransform(Node):
    """Picks, filters and reshapes JSON with a JMESPath expression.

    ``rows[?score > `0.5`].{name: title, at: date}`` takes the rows with a high score and two of their keys. Keys with
    hyphens stand in double quotes, texts in single ones, other constants in backticks. What is not there is null.
    The expression is taken as it is written: values of other nodes come in through `data`.

    **Errors**: an expression that cannot be read is told before anything runs; a function that gets a value of
    another type is told with both types. No retry follows.
    """

    name = "json-transform"
    category = "transform"
    primary = "result"
    example = """\
- id: titles
  type: json-transform
  config: {expression: "rows[?score > `0.5`].title"}
  inputs:
    data:
      rows:
        - {title: first, score: 0.9}
        - {title: second, score: 0.1}
"""

    class Config(NodeConfig):
        """The expression."""

        expression: VerbatimText = Field(description="The JMESPath expression, see jmespath.org.")

        @field_validator("expression")
        @classmethod
        def _can_be_read(cls, value: str) -> str:
            import jmespath
            from jmespath.exceptions import JMESPathError

            try:
                jmespath.compile(value)
            except (JMESPathError, RecursionError) as error:
                said = " ".join(str(error).split()) or "it is nested too deeply"
                raise ValueError(f"must be a JMESPath expression: {said}") from None
            return value

    class Input(NodeInput):
        """The data."""

        data: Any = Field(description="The data that the expression is about.")

    class Output(NodeOutput):
        """What the expression gives."""

        result: Any = Field(description="What the expression gives; null where it finds nothing.")

    config: Config

    async def execute(self, input: Input) -> Output:
        """Applies the expression; NodeError if it does not fit the data."""
        import jmespath
        from jmespath.exceptions import JMESPathError

        try:
            return self.Output(result=jmespath.search(self.config.expression, input.data))
        except (JMESPathError, RecursionError, TypeError, ValueError) as error:
            raise NodeError(
                f"the expression {self.config.expression!r} does not fit the data: {' '.join(str(error).split())}",
                remedy="type(@) tells a value's type; not_null(a, b) takes the first that is there.",
                retry=False,
            ) from None
