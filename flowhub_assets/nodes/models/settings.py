"""What the nodes that ask a language model have in common: their settings, and what they give and show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from flowhub_assets.nodes.connection_names import ConnectionName
from flowhub_assets.nodes.models.openai_answers import Completion
from flowhub_assets.nodes.models.openai_server import ModelServer
from flowhub_assets.nodes.sdk import NodeConfig, NodeContext, NodeOutput

_SENT_AS_THEY_ARE = {"model", "max_tokens", "temperature", "top_p", "stop", "seed"}
_SET_BY_THE_NODE = {*_SENT_AS_THEY_ARE, "messages", "prompt", "stream", "stream_options"}


class ServerConfig(NodeConfig):
    """Which server and model, and how long to wait for it."""

    model: str = Field(min_length=1, description="The model's name, as the server knows it.")
    connection: ConnectionName = Field(
        "vllm",
        description="The name of the server's connection: vllm reads VLLM_URL (http://host:8000/v1) and, if the server "
        "asks for one, VLLM_API_KEY.",
    )
    timeout: float = Field(600.0, gt=0, le=86_400, description="Seconds for one try, to the last token.")
    retries: int = Field(3, ge=0, le=20, description="How many times a try that failed in passing is repeated.")
    retry_delay: float = Field(
        1.0, ge=0, le=60, description="Seconds before the first repetition; doubled before each further one."
    )

    def server(self, context: NodeContext) -> ModelServer:
        """The server of the connection. Raises ProfileError if the profile and the environment have none."""
        return ModelServer.of(
            context, self.connection, timeout=self.timeout, retries=self.retries, retry_delay=self.retry_delay
        )


class WritingConfig(ServerConfig):
    """How the model is to write. What is not given is left to the server."""

    system: str | None = Field(None, description="What the model is told about its task before anything else.")
    max_tokens: int | None = Field(None, ge=1, description="The most tokens to write.")
    temperature: float | None = Field(None, ge=0, description="How freely it chooses words: 0 is the likeliest one.")
    top_p: float | None = Field(
        None, gt=0, le=1, description="Only the likeliest words are chosen, of this share in all."
    )
    stop: str | list[str] | None = Field(None, description="Texts before which it stops.")
    seed: int | None = Field(None, description="The same seed and settings give the same text, as far as a server can.")
    stream: bool = Field(
        False, description="Whether the text is sent word by word: first_token is measured, and a stuck model seen."
    )
    extra: dict[str, Any] = Field(
        default_factory=dict, description="Further fields of the request, as the server names them: response_format."
    )

    @model_validator(mode="after")
    def _nothing_twice(self) -> Self:
        taken = sorted(_SET_BY_THE_NODE & set(self.extra))
        if taken:
            raise ValueError(f"must not have {', '.join(map(repr, taken))} in extra: the node sets that itself")
        return self

    def request(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The request's body: the question ``asked`` (messages or prompt) and how to answer it."""
        own = self.model_dump(include=_SENT_AS_THEY_ARE, exclude_none=True)
        streaming = {"stream": True, "stream_options": {"include_usage": True}} if self.stream else {}
        return {**self.extra, **own, **asked, **streaming}


class WritingOutput(NodeOutput):
    """What the model wrote, and what it took."""

    text: str = Field(description="What the model wrote.")
    model: str = Field(description="The model that wrote it, as the server names it.")
    finish_reason: str | None = Field(description="Why it ended: stop, or length where maxTokens cut it off.")
    prompt_tokens: int | None = Field(description="How many tokens the question had, if the server says so.")
    completion_tokens: int | None = Field(description="How many tokens the answer has, if the server says so.")
    latency: float = Field(description="Seconds from the request to the last token.")
    first_token: float | None = Field(description="Seconds from the request to the first token; null unless streamed.")


def shown(completion: Completion, context: NodeContext) -> Completion:
    """``completion`` itself; its figures are shown beside the run's step, and logged."""
    for name in ("prompt_tokens", "completion_tokens", "latency", "first_token"):
        value = getattr(completion, name)
        if value is not None:
            context.show(name, value)
    tokens = "text" if completion.completion_tokens is None else f"{completion.completion_tokens:,} tokens"
    context.logger.info("%s wrote %s in %.2f s", completion.model, tokens, completion.latency)
    if completion.finish_reason == "length":
        context.logger.warning("the text is cut off: it reached maxTokens, or the longest that the model takes")
    return completion
