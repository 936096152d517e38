"""llm-chat: a language model answers in a conversation."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from pydantic import Field

from flowhub_assets.nodes.models.settings import WritingConfig, WritingOutput, shown
from flowhub_assets.nodes.sdk import Node, NodeContext, NodeInput, NodeModel


class Message(NodeModel):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"] = Field(description="Who says it.")
    content: str | list[dict[str, Any]] | None = Field(
        None, description="What is said: text, or OpenAI's list of parts, {type: text} and {type: image_url}."
    )
    name: str | None = Field(None, description="The name of the one who says it, where several have the same role.")
    tool_calls: list[dict[str, Any]] | None = Field(
        None, alias="tool_calls", description="The calls that the assistant asked for, as the server gave them."
    )
    tool_call_id: str | None = Field(None, alias="tool_call_id", description="The call that a tool's message answers.")


class LlmChat(Node):
    """Lets a language model answer in a conversation.

    `{{id.output}}` is the answer's text, `{{id.messages}}` the whole conversation with the answer at its end, for the
    next turn.

    The server, its key, retries, streaming, figures and errors are those of `llm-generate`: any server that speaks
    OpenAI's API, at VLLM_URL by default. It runs in the engine, which only waits; the server's graphics card works.
    """

    name = "llm-chat"
    category = "ai"
    run_on = "engine"
    primary = "text"
    example = """
- id: answer
  type: llm-chat
  config:
    model: llama3.1-70b
    system: You answer in one sentence.
    stream: true
  inputs:
    messages:
      - role: user
        content: 한국의 수도는?
"""

    class Config(WritingConfig):
        """Which model answers, and how."""

    class Input(NodeInput):
        """The conversation so far."""

        messages: list[Message] = Field(
            min_length=1, description="The messages so far, the oldest first; config.system goes before them."
        )

    class Output(WritingOutput):
        """What the model answered, and what it took."""

        messages: list[dict[str, Any]] = Field(description="The conversation with the answer, without config.system.")

    config: Config

    async def execute(self, input: Input, context: NodeContext) -> Output:
        """Asks the model; HttpFailed or ProfileError if that gives no answer."""
        messages = [message.model_dump(exclude_none=True) for message in input.messages]
        system = [{"role": "system", "content": self.config.system}] if self.config.system else []
        request = self.config.request({"messages": [*system, *messages]})
        completion = shown(await self.config.server(context).complete("chat/completions", request), context)
        answer = {"role": "assistant", "content": completion.text}
        return self.Output(**asdict(completion), messages=[*messages, answer])
