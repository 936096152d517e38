"""What a node kind is written with: ``from flowhub.nodes import Node, NodeInput, NodeOutput, registry``."""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing would cost more than all the rest here; type checkers know the name
if TYPE_CHECKING:  # what editors and type checkers read
    from typing import Any

    from flowhub_assets.nodes import Node as Node
    from flowhub_assets.nodes import NodeConfig as NodeConfig
    from flowhub_assets.nodes import NodeContext as NodeContext
    from flowhub_assets.nodes import NodeError as NodeError
    from flowhub_assets.nodes import NodeInput as NodeInput
    from flowhub_assets.nodes import NodeOutput as NodeOutput
    from flowhub_assets.nodes import registry as registry
    from flowhub_assets.nodes import run as run

__all__ = [  # pyright: ignore[reportUnsupportedDunderAll]
    "Node",
    "NodeConfig",
    "NodeContext",
    "NodeError",
    "NodeInput",
    "NodeOutput",
    "registry",
    "run",
]


def __getattr__(name: str) -> Any:
    # A task's own image has Python and this file, but neither pydantic nor the nodes.
    if name in __all__:
        from flowhub_assets import nodes

        return getattr(nodes, name)
    raise AttributeError(f"module 'flowhub.nodes' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
