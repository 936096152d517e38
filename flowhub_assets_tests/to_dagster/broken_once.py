"""A job that fails once, which a run builds again by this function's name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg

from flowhub_assets_tests.to_dagster.graph_pipelines import graph_flow, light


def broken_once(folder: str) -> dg.JobDefinition:
    """A job of one fused step, whose second task fails until the file ``mended`` is there."""
    files = Path(folder)

    def body(name: str) -> dict[str, Any]:
        with (files / "calls").open("a") as calls:
            calls.write(name)
        if name == "b" and not (files / "mended").exists():
            raise ValueError("not yet")
        return {}

    bodies = {name: lambda *_, name=name: body(name) for name in ("a", "b")}
    return graph_flow([light("a"), light("b", "a")], bodies, fuse=True).job
