"""Kinds of node that take anything, run on a GPU, or decide: for files that are only read and written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import ConfigDict, Field

from flowhub_assets.nodes import Node, NodeConfig, NodeInput, NodeOutput, registry


class Open(Node):
    """Takes whatever it is given."""

    name = "test-open"

    class Input(NodeInput):
        model_config = ConfigDict(extra="allow")

    class Output(NodeOutput):
        model_config = ConfigDict(extra="allow")

    def execute(self, input: Input) -> Output:
        return self.Output()


class OnGpu(Open):
    """Runs on a GPU."""

    name = "test-gpu"
    run_on = "gpu"


class Strict(Node):
    """Has a Config, an Input and an Output with fields."""

    name = "test-strict"
    primary = "text"

    class Config(NodeConfig):
        max_tokens: int = Field(10, description="How much.")
        mode: str = Field("plain", description="How.")

    class Input(NodeInput):
        prompt: str = Field(description="What to say.")
        times: int = Field(1, description="How often.")

    class Output(NodeOutput):
        text: str
        tokens: int

    def execute(self, input: Input) -> Output:
        return self.Output(text=input.prompt * input.times, tokens=0)


class Fields(Node):
    """Gives all fields of its Output."""

    name = "test-fields"

    class Output(NodeOutput):
        text: str
        tokens: int

    def execute(self, input: NodeInput) -> Output:
        return self.Output(text="", tokens=0)


class Decides(Node):
    """Chooses one of two ports, or one of those in its config."""

    name = "test-decides"

    class Config(NodeConfig):
        cases: list[str] = Field(default_factory=list, description="The ports.")

    class Output(NodeOutput):
        port: str

    @classmethod
    def ports_of(cls, config: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(config.get("cases") or ("true", "false"))

    def execute(self, input: NodeInput) -> Output:
        return self.Output(port="true")


@contextmanager
def kinds() -> Iterator[None]:
    """They are registered inside."""
    own = (Open, OnGpu, Strict, Fields, Decides)
    for kind in own:
        registry.register(kind)
    try:
        yield
    finally:
        for kind in own:
            registry.forget(kind.name)
