"""embedding: texts become vectors."""

from __future__ import annotations

import time
from typing import Any

from pydantic import Field

from flowhub_assets.nodes.models.settings import ServerConfig
from flowhub_assets.nodes.sdk import Node, NodeContext, NodeInput, NodeOutput


class Embedding(Node):
    """Makes vectors of texts: of one, or of each in a list.

    `{{id.output.embedding}}` is the first vector, `{{id.output.embeddings}}` all of them in the order of the texts.

    It asks any server that speaks OpenAI's API, at VLLM_URL by default, as `llm-generate` does, with the same
    retries and errors. A long list is sent in batches. Token counts and seconds are shown with the step. It runs in
    the engine, which only waits; the server's graphics card works.
    """

    name = "embedding"
    category = "ai"
    run_on = "engine"
    example = """
- id: vectors
  type: embedding
  config:
    model: bge-m3
    batchSize: 32
  inputs:
    text: [서울의 날씨, 부산의 날씨]
"""

    class Config(ServerConfig):
        """Which model makes the vectors."""

        batch_size: int = Field(64, ge=1, le=10_000, description="How many texts are sent in one request.")
        dimensions: int | None = Field(
            None,
            ge=1,
            description="The length of the vectors, for models that have several; otherwise the model's own.",
        )

    class Input(NodeInput):
        """What the vectors are made of."""

        text: str | list[str] = Field(description="A text, or a list of texts.")

    class Output(NodeOutput):
        """The vectors, and what they took."""

        embedding: list[float] | None = Field(description="The vector of the first text; null for an empty list.")
        embeddings: list[list[float]] = Field(description="The vector of each text, in their order.")
        dimensions: int | None = Field(description="How many numbers a vector has; null for an empty list.")
        model: str = Field(description="The model that was asked.")
        prompt_tokens: int | None = Field(description="How many tokens the texts had, if the server says so.")
        latency: float = Field(description="Seconds for all of them.")

    config: Config

    async def execute(self, input: Input, context: NodeContext) -> Output:
        """Asks for the vectors; HttpFailed or ProfileError if that does not give all of them."""
        config = self.config
        texts = [input.text] if isinstance(input.text, str) else input.text
        more = {} if config.dimensions is None else {"dimensions": config.dimensions}
        bodies: list[dict[str, Any]] = [
            {"model": config.model, "input": texts[start : start + config.batch_size], **more}
            for start in range(0, len(texts), config.batch_size)
        ]
        began = time.monotonic()
        answers = await config.server(context).embed(bodies) if bodies else []
        latency = round(time.monotonic() - began, 6)
        vectors = [vector for batch, _ in answers for vector in batch]
        counts = [tokens for _, tokens in answers]
        tokens = None if None in counts else sum(count or 0 for count in counts)
        context.show("embeddings", len(vectors))
        context.show("latency", latency)
        if tokens is not None:
            context.show("prompt_tokens", tokens)
        return self.Output(
            embedding=vectors[0] if vectors else None,
            embeddings=vectors,
            dimensions=len(vectors[0]) if vectors else None,
            model=config.model,
            prompt_tokens=tokens,
            latency=latency,
        )
