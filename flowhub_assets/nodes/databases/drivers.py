"""The libraries that speak to databases: imported by the node that needs one; where one is absent, what to install."""

from __future__ import annotations

import importlib
from types import ModuleType

from flowhub_assets.nodes.sdk import NodeError

_EXTRA = "flowhub-assets[nodes]"


def driver(module: str) -> ModuleType:
    """The imported ``module``. Raises NodeError, which names the extra that brings it, where it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise missing_driver(module) from None


def missing_driver(module: str) -> NodeError:
    """The error for a ``module`` that is not installed."""
    return NodeError(
        f"this Python has no {module}, which speaks to the database",
        remedy=f"Install it where the run's process starts: pip install '{_EXTRA}'.",
        retry=False,
    )
