"""What a node kind is made of: its class, its models, what ``execute`` is told, and how it fails.

class Repeat(Node):
    \"\"\"Repeats a text.\"\"\"

    name = "repeat"

    class Input(NodeInput):
        data: str
        count: int = 1

    class Output(NodeOutput):
        result: list[str]

    async def execute(self, input: Input) -> Output:
        return self.Output(result=[input.data] * input.count)
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from flowhub_assets.nodes.connections import connection_url
from flowhub_assets.runtime.show import show
from flowhub_assets.runtime.step_context import Cancellation

if TYPE_CHECKING:
    from flowhub_assets.runtime.storage import Storage


def _holds_alone(text: str) -> bool:
    """Whether a condition about nothing but constants holds: what a node outside of a pipeline can ask."""
    from flowhub_assets.nodes.expressions.conditions import holds
    from flowhub_assets.nodes.expressions.problem import TemplateProblem

    try:
        return holds(text, {}, ())
    except TemplateProblem as problem:
        raise NodeError(f"{problem.what}, in the condition {text!r}", remedy=problem.remedy, retry=False) from None


class NodeModel(BaseModel):
    """Fields are written maxTokens or max_tokens in a pipeline file, and nothing but fields may be written."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", protected_namespaces=())


class NodeConfig(NodeModel):
    """What a node is told when the pipeline is written: the ``config:`` of a pipeline file."""


class NodeInput(NodeModel):
    """The data that a node takes: the ``inputs:`` of a pipeline file."""


class NodeOutput(NodeModel):
    """What a node gives; the nodes after it read its fields by their Python names."""


class NodeError(Exception):
    """A failure that a node tells in its own words: ``what`` with the value in it, and what to do about it.

    With ``retry=False`` no retry follows, whatever the pipeline says: the next try would end the same way.
    """

    def __init__(self, what: str, *, remedy: str = "", retry: bool = True) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy
        self.retry = retry

    def __reduce__(self) -> tuple[Any, ...]:
        # It crosses from a node's own process to its parent, and a subclass may take other arguments.
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(kind: type[NodeError], args: tuple[Any, ...], state: dict[str, Any]) -> NodeError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


@dataclass(frozen=True)
class NodeContext:
    """What a running node can ask for; ``execute`` gets it as ``context``.

    ``node`` is the node's id, ``profile`` the values of the env profile with project, run_id and task,
    ``attempt`` counts from 1, ``timeout`` is in seconds, and ``logger`` writes to the step's own log. ``iteration``
    holds the index of the loop's item that the node works on, behind those of the loops around it; () outside of loops.
    ``trigger`` is what started the run brought.
    ``holds(text)`` asks a condition about what the node's templates see; it raises NodeError if that has no answer.
    """

    node: str = "node"
    profile: Mapping[str, Any] = field(default_factory=dict, repr=False)
    attempt: int = 1
    timeout: float | None = None
    iteration: tuple[int, ...] = ()
    logger: logging.Logger = field(default_factory=lambda: logging.getLogger("flowhub.step"), repr=False)
    cancellation: Cancellation = field(default_factory=Cancellation, repr=False)
    trigger: Mapping[str, Any] = field(default_factory=dict, repr=False)
    holds: Callable[[str], bool] = field(default=_holds_alone, repr=False)

    def cancelled(self) -> bool:
        """Whether the run is being stopped; an async ``execute`` is cancelled where it waits and need not ask."""
        return self.cancellation.is_set()

    def wait(self, seconds: float) -> bool:
        """Waits so long, less if the run is being stopped meanwhile: then True."""
        return self.cancellation.wait(seconds)

    def connection(self, name: str) -> str:
        """The URL of the connection ``name``, credentials and all: never log it. Raises ProfileError if there is none.

        It is the profile's or, failing that, the environment's value of NAME_URL: MONGODB_URL for mongodb.
        """
        return connection_url(self.profile, name)

    def storage(self) -> Storage:
        """The storage of the profile: a folder, or a bucket of S3/MinIO. Raises ProfileError if it names none."""
        from flowhub_assets.runtime.storage import get_storage

        return get_storage(self.profile)

    def show(self, name: str, value: Any) -> None:
        """Shows ``value`` under ``name`` in the run's page: a number, Markdown, a table (a list of dicts), a plot."""
        show(name, value)


class Node:
    """A kind of node. A subclass sets ``name``, has an Input and an Output, and an ``execute``; then it is registered.

    ``run_on`` is engine for light work in the run worker, cpu or gpu for work that asks for a pod. The docstring is
    the kind's page (Markdown), ``example`` a node of it as it stands in the list ``nodes:`` of a pipeline file.
    ``primary`` names the field of Output that ``{{id.output}}`` means; None means all of them. A kind with ``ports``
    decides which edges are live: its Output has a field ``port`` that names one. A kind with ``own_process`` never
    runs in a thread.

    ``execute(self, input)`` is async or not, takes a second parameter ``context`` (a NodeContext) if it wants one,
    and returns an Output. One that is not async cannot be stopped where it waits: with a timeout it runs in a process
    of its own.
    """

    name: ClassVar[str]
    category: ClassVar[str] = "custom"
    run_on: ClassVar[str] = "engine"
    primary: ClassVar[str | None] = None
    ports: ClassVar[tuple[str, ...]] = ()
    own_process: ClassVar[bool] = False
    example: ClassVar[str] = ""

    #: None: whatever stands under ``config:`` is input, too.
    Config: ClassVar[type[NodeConfig] | None] = None
    Input: ClassVar[type[NodeInput]] = NodeInput
    Output: ClassVar[type[NodeOutput]] = NodeOutput

    #: Each kind has its own types here, so this one has none.
    execute: Callable[..., Any]

    #: A Config; a subclass may say ``config: Config`` to have its fields known to editors.
    config: Any

    def __init__(self, config: Any = None) -> None:
        self.config = config

    @classmethod
    def ports_of(cls, config: Mapping[str, Any]) -> tuple[str, ...]:  # noqa: ARG003 - for kinds that read it
        """The ports that a node with this ``config``, as it is written in the pipeline file, can choose from."""
        return cls.ports

    @classmethod
    def conditions_of(cls, config: Mapping[str, Any]) -> tuple[tuple[str | int, ...], ...]:  # noqa: ARG003 - as above
        """The paths in ``config`` to texts that are conditions: not rendered, but asked by ``context.holds``."""
        return ()
