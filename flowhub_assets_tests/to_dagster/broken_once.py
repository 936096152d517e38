"""A job that fails once, which a run builds again by this function's name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg

from flowhub_assets.ir.pipeline import LOOP_ITEM, Edge, Loop
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


def broken_loop(folder: str) -> dg.JobDefinition:
    """A job whose loop fails at its second item until the file ``mended`` is there; a branch is taken before it."""
    files = Path(folder)

    def note(name: str) -> None:
        with (files / "calls").open("a") as calls:
            calls.write(f"{name} ")

    def check(*_: object) -> dict[str, Any]:
        note("check")
        # Another answer than the first: a run that goes on must not ask again.
        return {"port": "false" if (files / "mended").exists() else "true"}

    def one(item: dict[str, Any]) -> dict[str, Any]:
        note(f"item-{item['item']}")
        if item["item"] == 1 and not (files / "mended").exists():
            raise ValueError("not yet")
        return {"n": item["item"] * 10}

    bodies = {
        "check": check,
        "each": lambda *_: {"items": [{"item": number} for number in range(3)]},
        "one": one,
        "end": lambda each, no: {"got": each["results"], "no": no.get("ran")},
    }
    tasks = [
        light("check", ports=("true", "false")),
        light("each", after=(Edge("check", "true"),), loop=Loop("items", (light("one", LOOP_ITEM),), "one")),
        light("no", after=(Edge("check", "false"),)),
        light("end", "each", "no"),
    ]
    return graph_flow(tasks, bodies).job
