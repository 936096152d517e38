"""llm-generate: a language model writes a text."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from flowhub_assets.nodes.models.settings import WritingConfig, WritingOutput, shown
from flowhub_assets.nodes.sdk import Node, NodeContext, NodeInput


class LlmGenerate(Node):
    """Lets a language model write a text.

    `{{id.output}}` is the text; `{{id.completion_tokens}}` and the other fields are beside it.

    It asks any server that speaks OpenAI's API, such as vLLM. The server's address is the connection's, VLLM_URL by
    default, its key VLLM_API_KEY; both come from the env profile or the environment, never from the file.

    **The prompt** is sent as a user's message to `/chat/completions`, after `system` if that is given: the server
    puts it into the form that the model was trained on. `api: completions` sends it to `/completions` as it is, which
    models without a chat form need.

    **Where it runs.** In the engine: the node only waits for the server, whose graphics card works. `runOn: gpu`
    gives the node a pod with a card of its own; that is right where the pod itself brings the server along.

    **Retries.** A server that cannot be reached, answers 408, 425, 429 or 5xx, or breaks off while it streams, is
    asked again, at the time that its Retry-After names. Token counts and seconds are shown with the step. A run that
    is stopped closes the connection, and the server stops writing.

    **Errors.** HttpFailed with the status and the server's words; ProfileError where there is no address.
    """

    name = "llm-generate"
    category = "ai"
    run_on = "engine"
    primary = "text"
    example = """
- id: generate-article
  type: llm-generate
  config:
    model: llama3.1-70b
    maxTokens: 4096
    temperature: 0.7
  inputs:
    prompt: |
      주제: 반도체
      위 주제로 뉴스 기사를 작성하세요.
"""

    class Config(WritingConfig):
        """Which model writes, and how."""

        api: Literal["chat", "completions"] = Field(
            "chat", description="Whether the prompt is sent as a user's message, or as it is."
        )

        @model_validator(mode="after")
        def _no_system_without_chat(self) -> Self:
            if self.system and self.api == "completions":
                raise ValueError("must have no system with api: completions; put it into the prompt")
            return self

    class Input(NodeInput):
        """What the model is asked."""

        prompt: str = Field(min_length=1, description="What the model is to write, or to go on from.")

    class Output(WritingOutput):
        """What the model wrote, and what it took."""

    config: Config

    async def execute(self, input: Input, context: NodeContext) -> Output:
        """Asks the model; HttpFailed or ProfileError if that gives no text."""
        config = self.config
        if config.api == "chat":
            system = [{"role": "system", "content": config.system}] if config.system else []
            asked: dict[str, Any] = {"messages": [*system, {"role": "user", "content": input.prompt}]}
            path = "chat/completions"
        else:
            asked, path = {"prompt": input.prompt}, "completions"
        completion = await config.server(context).complete(path, config.request(asked))
        return self.Output(**asdict(shown(completion, context)))
