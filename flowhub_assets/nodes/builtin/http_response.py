"""http-response: what the caller of a webhook is answered."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from flowhub_assets.nodes.http.content import headers_to_send, json_bytes
from flowhub_assets.nodes.sdk import Node, NodeConfig, NodeError, NodeInput, NodeOutput

Scalar = str | int | float | bool

#: RFC 9110, 6.4.1
_WITHOUT_BODY = (204, 205, 304)


class HttpResponse(Node):
    """Says what the caller of a webhook is answered: a status, headers and a body.

    The node's output is that answer; the door through which the webhook came sends it when the run has ended. Text
    is sent as it is, any other value as JSON, and a Content-Type is added where `headers` has none. A pipeline with
    several such nodes, one in each branch say, answers with the one that ran. In a run that no webhook has started
    the answer is just the node's output.

    **Errors.** NodeError for a header that cannot be sent, for a body that is not JSON, and for a body beside
    a status that has none.
    """

    name = "http-response"
    category = "http"
    run_on = "engine"
    example = """
- id: answer
  type: http-response
  config:
    status: 201
    headers: {Cache-Control: no-store}
  inputs:
    body:
      accepted: true
      at: "{{$now}}"
"""

    class Config(NodeConfig):
        """The head of the answer."""

        status: int = Field(200, ge=200, le=599, description="The HTTP status of the answer.")
        headers: dict[str, Scalar] = Field(default_factory=dict, description="Headers of the answer.")

    class Input(NodeInput):
        """What the caller gets."""

        body: Any = Field(None, description="The body: text, or a value that is sent as JSON; null for none.")

    class Output(NodeOutput):
        """The answer, as it will be sent."""

        status: int = Field(description="The HTTP status.")
        headers: dict[str, str] = Field(description="The headers, Content-Type among them if there is a body.")
        body: Any = Field(description="The body: text, or a value that is sent as JSON; null for none.")

    config: Config

    async def execute(self, input: Input) -> Output:
        """Checks that the answer can be sent; NodeError if it cannot."""
        headers = headers_to_send(self.config.headers)
        if input.body is not None and self.config.status in _WITHOUT_BODY:
            raise NodeError(
                f"an answer with status {self.config.status} has no body, and one is given",
                remedy="leave body out, or answer with status 200",
                retry=False,
            )
        if input.body is not None:
            text = isinstance(input.body, str)
            if not text:
                json_bytes(input.body)
            if "content-type" not in {name.lower() for name in headers}:
                headers["Content-Type"] = "text/plain; charset=utf-8" if text else "application/json"
        return self.Output(status=self.config.status, headers=headers, body=input.body)
