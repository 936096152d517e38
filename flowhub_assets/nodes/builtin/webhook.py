"""The kind webhook: a run that an HTTP request starts."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from flowhub_assets.nodes.durations import Seconds
from flowhub_assets.nodes.sdk import Node, NodeContext, NodeInput
from flowhub_assets.nodes.signed_triggers import Expression, HeaderName, SignedConfig
from flowhub_assets.nodes.trigger_kinds import TriggerOutput, brought, object_under, text_under

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class Webhook(Node):
    """Gives what the HTTP request brought that started the run.

    As `trigger: {type: webhook, path: articles}` of a pipeline it lets `POST /hooks/articles` start runs: of whoever
    signs as `signature` says, with a key that one of the environment variables `keys` holds; without a signature, of
    whoever sends an API token of a runner. The same keys are the config of the node. As a node it hands the request's
    parts to the nodes after it, which can as well read them from `{{trigger.body}}`. In a run that something else has
    started `body` is null, and `headers` and `query` are empty. An http-response node says what the caller is
    answered.

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

    class Config(SignedConfig):
        """Which requests start a run, and how."""

        path: str | None = Field(
            None, max_length=200, description="The path of the URL behind /hooks/; the pipeline's name if not given."
        )
        methods: list[Method] = Field(default=["POST"], description="The HTTP methods that count.")
        headers: list[HeaderName] = Field(
            default=[], max_length=50, description="Further headers of a delivery that the run gets; no credentials."
        )
        mode: Literal["each", "latest", "debounce"] = Field(
            "each",
            description="each: a run for each delivery. latest: a run that waits is dropped for a later one. "
            "debounce: one run, `wait` after the last delivery, with what that one brought.",
        )
        wait: Seconds | None = Field(
            None, gt=0, le=31 * 86_400, description="For debounce: 30s, 5m; how long it is still before the run starts."
        )
        by: Expression | None = Field(
            None, description="For latest and debounce: what is apart, trigger.body.order say; else all are one."
        )
        params: Expression | dict[str, Expression] = Field(
            default={}, description="Params of the run by expressions: trigger.body, or {city: trigger.body.city}."
        )
        response: Literal["sync", "async"] = Field(
            "sync", description="sync: the pipeline's own answer where it is light. async: always 202, before it runs."
        )

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
