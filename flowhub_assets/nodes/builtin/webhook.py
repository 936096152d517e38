"""The kind webhook: a run that an HTTP request starts."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from flowhub_assets.nodes.sdk import Node, NodeConfig, NodeContext, NodeInput
from flowhub_assets.nodes.trigger_kinds import TriggerOutput, brought, object_under, text_under

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class Webhook(Node):
    """Gives what the HTTP request brought that started the run.

    As `trigger: {type: webhook, path: articles}` of a pipeline it lets requests to that path start runs; the same
    keys are the config of the node. As a node it hands the request's parts to the nodes after it, which can as well
    read them from `{{trigger.body}}`. In a run that something else has started `body` is null, and `headers` and
    `query` are empty. An http-response node says what the caller is answered.

    **Errors**: none of its own.
    """

    name = "webhook"
    category = "trigger"
    primary = "body"
    example = """\
- id: request
  type: webhook
  config: {path: articles, methods: [POST]}
"""

    class Config(NodeConfig):
        """Which requests start a run."""

        path: str | None = Field(None, description="The path of the URL; the pipeline's name if it is not given.")
        methods: list[Method] = Field(default=["POST"], description="The HTTP methods that count.")

    class Input(NodeInput):
        """Nothing: the request is what it takes."""

    class Output(TriggerOutput):
        """The request."""

        body: Any = Field(description="The request's body: a value if it was JSON, text otherwise; null for none.")
        headers: dict[str, Any] = Field(description="The request's headers, their names in small letters.")
        query: dict[str, Any] = Field(description="The parameters in the request's URL.")
        method: str | None = Field(description="The request's HTTP method.")
        path: str | None = Field(description="The path of the request's URL.")

    async def execute(self, input: Input, context: NodeContext) -> Output:  # noqa: ARG002 - there is none
        """Hands the request on."""
        found = brought(context)
        request = found["trigger"]
        return self.Output(
            **found,
            body=request.get("body"),
            headers=object_under(request, "headers"),
            query=object_under(request, "query"),
            method=text_under(request, "method"),
            path=text_under(request, "path"),
        )
