"""Kinds of node for tests: each shows one thing."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import Any, ClassVar, Literal

from pydantic import Field

from flowhub_assets.nodes import Node, NodeConfig, NodeContext, NodeError, NodeInput, NodeOutput


class Repeat(Node):
    """Repeats a text."""

    name = "repeat"

    class Input(NodeInput):
        data: str
        count: int = 1

    class Output(NodeOutput):
        result: list[str]

    async def execute(self, input: Input) -> Output:
        return self.Output(result=[input.data] * input.count)


class Model(Node):
    """Has a Config, a primary field and names of several words."""

    name = "model"
    category = "ai"
    run_on = "gpu"
    primary = "text"
    config: Config

    class Message(NodeInput):
        role: Literal["user", "system"]
        content: str

    class Config(NodeConfig):
        model: str = Field(description="Which model answers.")
        max_tokens: int = Field(100, ge=1, description="How long the answer may be.")

    class Input(NodeInput):
        messages: list[Model.Message] = Field([], description="What was said so far.")

    class Output(NodeOutput):
        text: str
        total_tokens: int

    def execute(self, input: Input) -> Output:
        return self.Output(text=f"{self.config.model} of {len(input.messages)}", total_tokens=self.config.max_tokens)


Model.Input.model_rebuild()


class Choice(Node):
    """Takes the port that it is told."""

    name = "choice"
    ports: ClassVar[tuple[str, ...]] = ("yes", "no")

    class Input(NodeInput):
        port: str

    class Output(NodeOutput):
        port: str

    def execute(self, input: Input) -> Output:
        return self.Output(port=input.port)


class Anything(Node):
    """Gives back what it takes."""

    name = "anything"
    primary = "value"

    class Input(NodeInput):
        value: Any = None

    class Output(NodeOutput):
        value: Any

    def execute(self, input: Input) -> Output:
        return self.Output(value=input.value)


class Sleeper(Node):
    """Touches a file, then waits where it can be cancelled."""

    name = "sleeper"

    class Input(NodeInput):
        started: str

    async def execute(self, input: Input) -> NodeOutput:
        _touch(input.started)
        await asyncio.sleep(600)
        return NodeOutput()


class Blocker(Node):
    """Writes its process id to a file, then waits where nothing can reach it."""

    name = "blocker"

    class Input(NodeInput):
        started: str

    def execute(self, input: Input) -> NodeOutput:
        _touch(input.started)
        time.sleep(600)
        return NodeOutput()


class Apart(Node):
    """Runs in its own process, where it logs, prints, shows and does what it is told."""

    name = "apart"
    own_process = True

    class Input(NodeInput):
        then: str = ""

    class Output(NodeOutput):
        pid: int

    async def execute(self, input: Input, context: NodeContext) -> Output:
        context.logger.warning("worked on %s\nin two lines", context.node)
        print("한 줄")
        context.show("size", 3)
        if input.then == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if input.then == "error":
            raise NodeError("the page is empty", remedy="give it words", retry=False)
        return self.Output(pid=os.getpid())


def _touch(path: str) -> None:
    with open(f"{path}.part", "w") as file:
        file.write(str(os.getpid()))
    os.rename(f"{path}.part", path)
