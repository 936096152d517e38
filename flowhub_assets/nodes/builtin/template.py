"""The kind template: a text made of other nodes' values."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import Field

from flowhub_assets.nodes.json_reading import read_json
from flowhub_assets.nodes.sdk import Node, NodeConfig, NodeError, NodeInput, NodeOutput


class Template(Node):
    """Puts values into a text.

    Templates are Jinja: `{{fetch.output.title}}`, `{{ fetch.output.rows | length }}`, `{% for row in
    fetch.output.rows %}…{% endfor %}`, `{% if … %}`, `{% set … %}`. Every text of every node is a template; this node
    is for those that several nodes need, or that are long. A template that is one `{{expression}}` gives the
    expression's value, so a list stays a list. With `output: json` the text is read as JSON, with `output: text` any
    value becomes text.

    A template gives a million characters at most, loops 10,000 times in all, and takes a second.

    **Errors**: a name or key that is not there (`| default('')` gives another value), a text that is not JSON.
    """

    name = "template"
    category = "transform"
    primary = "result"
    example = """\
- id: prompt
  type: template
  inputs:
    template: |
      Topic: {{trigger.body.topic | default('news')}}
      Written on {{ $now | date('%d.%m.%Y', tz='Asia/Seoul') }}
"""

    class Config(NodeConfig):
        """What becomes of the text."""

        output: Literal["value", "text", "json"] = Field(
            "value", description="value: as the template gives it; text: always text; json: the text read as JSON."
        )
        trim: bool = Field(False, description="Whether blanks and empty lines at both ends are taken away.")

    class Input(NodeInput):
        """The text."""

        template: Any = Field(description="The template. What arrives here is what it gave.")

    class Output(NodeOutput):
        """The text."""

        result: Any = Field(description="The text, or value.")

    config: Config

    async def execute(self, input: Input) -> Output:
        """Gives what the template gave, in the form that is asked for."""
        value = input.template
        if self.config.trim and isinstance(value, str):
            value = value.strip()
        if self.config.output == "text" and not isinstance(value, str):
            value = json.dumps(value, ensure_ascii=False)
        if self.config.output == "json" and isinstance(value, str):
            value = _read(value)
        return self.Output(result=value)


def _read(text: str) -> Any:
    try:
        return read_json(text)
    except ValueError as error:
        raise NodeError(
            f"the template's text is no JSON: {error}",
            remedy='Put values in with | tojson: {"title": {{fetch.output.title | tojson}}}.',
            retry=False,
        ) from None
