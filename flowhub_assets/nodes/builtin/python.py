"""The kind python: a function, or a few lines written in the pipeline file."""

from __future__ import annotations

import re
from typing import Any

from pydantic import Field, field_validator, model_validator

from flowhub_assets.nodes.python_call import call_function, run_script
from flowhub_assets.nodes.sdk import Node, NodeConfig, NodeContext, NodeInput, NodeOutput
from flowhub_assets.nodes.verbatim import VerbatimTextOrNone

#: Names with dots between them.
_PATH = r"[^\W\d]\w*(\.[^\W\d]\w*)*"


class Python(Node):
    """Runs Python: a function by its import path, or a script that stands in the pipeline file.

    The **function** `package.module:function` is called with `args` as its keyword arguments; what it returns is
    the result. It may be async. Its path is written out: no template chooses what is run. The **script** finds
    `args`, `env` (the profile) and `log` (a logger); it either sets `result`, or defines `main(args)`, which is
    called. What either prints goes to the step's log. A script is taken as it is written, braces and all: values
    come in through `args`, never by pasting.

    It always runs in a process of its own, which can be stopped, and whose death hurts nobody; what it changes in
    memory is gone afterwards. The result must be JSON: numbers, text, true and false, null, lists, objects.

    **Errors**: ScriptFailed names the line of the script, and the error by its own type, which `retry.on` can name.
    A function or module that is not there is told without a retry.
    """

    name = "python"
    category = "code"
    primary = "result"
    own_process = True
    example = """\
- id: average
  type: python
  config:
    script: |
      numbers = args["numbers"]
      print(len(numbers), "numbers")
      result = sum(numbers) / len(numbers)
  inputs:
    args: {numbers: [1, 2, 3]}
"""

    class Config(NodeConfig):
        """What is run."""

        function: VerbatimTextOrNone = Field(
            None,
            description="package.module:function, written out: no template chooses what is run.",
            json_schema_extra={"pattern": f"^{_PATH}:{_PATH}$"},
        )
        script: VerbatimTextOrNone = Field(None, description="Python lines that set `result` or define `main(args)`.")

        @field_validator("function")
        @classmethod
        def _is_a_path(cls, value: str | None) -> str | None:
            if value is not None and not re.fullmatch(f"{_PATH}:{_PATH}", value):
                raise ValueError("must be package.module:function, written out")
            return value

        @model_validator(mode="after")
        def _says_what(self) -> Python.Config:
            if (self.function is None) == (self.script is None):
                raise ValueError("must say either function or script")
            return self

        @field_validator("script")
        @classmethod
        def _is_python(cls, value: str | None) -> str | None:
            if value is not None:
                try:
                    compile(value, "<script>", "exec", dont_inherit=True)
                except (SyntaxError, ValueError) as error:
                    line = getattr(error, "lineno", None)
                    told = getattr(error, "msg", None) or str(error)
                    raise ValueError(f"must be Python: {f'line {line} of it: ' if line else ''}{told}") from None
                except (RecursionError, MemoryError):
                    raise ValueError("must be Python that is nested less deeply") from None
            return value

    class Input(NodeInput):
        """What it gets."""

        args: dict[str, Any] = Field(default_factory=dict, description="The values that the function or script gets.")

    class Output(NodeOutput):
        """What it gave."""

        result: Any = Field(description="What the function returned, or the script set.")

    config: Config

    def execute(self, input: Input, context: NodeContext) -> Output:
        """Runs it, in the node's own process."""
        if self.config.function is not None:
            return self.Output(result=call_function(self.config.function, input.args, context))
        return self.Output(result=run_script(self.config.script or "", input.args, context))
