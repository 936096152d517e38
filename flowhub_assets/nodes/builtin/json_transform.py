"""The kind json-transform: another shape of the same data."""

from __future__ import annotations

import re
from typing import Any

from pydantic import Field, field_validator

from flowhub_assets.nodes.sdk import Node, NodeConfig, NodeError, NodeInput, NodeOutput
from flowhub_assets.nodes.verbatim import VerbatimText

#: Characters of an expression, and of what jmespath says of it, in a message.
_MOST_SHOWN, _MOST_SAID = 100, 300


class JsonTransform(Node):
    """Picks, filters and reshapes JSON with a JMESPath expression.

    ``rows[?score > `0.5`].{name: title, at: date}`` takes the rows with a high score and two of their keys. Keys with
    hyphens stand in double quotes, texts in single ones, other constants in backticks. What is not there is null.
    The expression is taken as it is written: values of other nodes come in through `data`.

    Its steps make five million entries of lists and objects at most, and take ten seconds.

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

        expression: VerbatimText = Field(max_length=10_000, description="The JMESPath expression, see jmespath.org.")

        @field_validator("expression")
        @classmethod
        def _can_be_read(cls, value: str) -> str:
            import jmespath
            from jmespath.exceptions import JMESPathError

            try:
                jmespath.compile(value)
            except (JMESPathError, RecursionError) as error:
                said = _misread(error) or "it is nested too deeply"
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

        from flowhub_assets.nodes.expressions.jmespath_evaluation import TooMuch, evaluated

        try:
            return self.Output(result=evaluated(jmespath.compile(self.config.expression), input.data))
        except TooMuch as error:
            raise NodeError(
                f"the expression {_shown(self.config.expression)} asks for too much: {error}",
                remedy="Give it less data, or do the work in a python node.",
                retry=False,
            ) from None
        except (JMESPathError, ArithmeticError, RecursionError, TypeError, ValueError) as error:
            raise NodeError(
                f"the expression {_shown(self.config.expression)} does not fit the data: {_said(error)}",
                remedy="type(@) tells a value's type; not_null(a, b) takes the first that is there.",
                retry=False,
            ) from None


def _shown(expression: str) -> str:
    return repr(expression if len(expression) <= _MOST_SHOWN else f"{expression[:_MOST_SHOWN]}…")


def _misread(error: Exception) -> str:
    """What jmespath says of an expression that it cannot read, without the expression, and what a bare number lacks."""
    said = str(error).partition("\n")[0].removesuffix(", for expression:").rstrip(":")[:_MOST_SAID]
    bare = re.search(r'token "(-?\d+)" \(NUMBER\)', said)
    return f"{said}; a number stands in backticks: `{bare[1]}`" if bare else said


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:_MOST_SAID]
