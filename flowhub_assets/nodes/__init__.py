"""Typed node kinds: the SDK, the registry, and what a pipeline file can name without installing anything."""

from __future__ import annotations

from flowhub_assets.nodes import registry
from flowhub_assets.nodes.running import run
from flowhub_assets.nodes.sdk import Node, NodeConfig, NodeContext, NodeError, NodeInput, NodeOutput

__all__ = ["Node", "NodeConfig", "NodeContext", "NodeError", "NodeInput", "NodeOutput", "registry", "run"]
