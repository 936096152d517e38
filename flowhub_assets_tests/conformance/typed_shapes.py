"""A flow whose params, args and values are objects of classes: every runner gives its tasks the same objects."""

from __future__ import annotations

from importlib import metadata

from flowhub_assets_tests.conformance.shapes import Shape
from flowhub_assets_tests.conformance.workflow_text import main, workflow

#: Of an image that has pydantic.
_IMAGE = f"flowhub-assets:{metadata.version('flowhub-assets')}"

_TYPES = '''

import dataclasses
import datetime
import decimal
import enum
from typing import Optional


class Kind(enum.Enum):
    SMALL = "small"
    LARGE = "large"


@dataclasses.dataclass
class Part:
    name: str
    made: datetime.datetime


@dataclasses.dataclass
class Order:
    parts: list[Part]
    kind: Kind
    price: decimal.Decimal = decimal.Decimal("1.10")
    wait: Optional[datetime.timedelta] = None
    data: bytes = b""
    counts: dict[str, int] = dataclasses.field(default_factory=dict)


def told(order):
    """The object itself, as Python writes it: every runner's task has the same."""
    assert type(order) is Order and type(order.parts[0]) is Part
    return repr([order.parts[0].name, order.parts[0].made.isoformat(), order.kind, order.price, order.wait, order.data])
'''
_TASKS = f"""

@task(image={_IMAGE!r})
def read(args: Order) -> Order:
    from flowhub import get_env
    env = get_env()
    assert env["task"] == "read" and os.path.isdir(env["WORKSPACE"])
    return dataclasses.replace(args, data=told(args).encode() + b"\\xff", wait=(args.wait or datetime.timedelta(0)) * 2)


@task(image={_IMAGE!r})
def price(order: Order):
    return {{"price": str(order.price * len(order.parts)), "told": told(order), "data": order.data.hex()}}


@task(image={_IMAGE!r})
def both(first: Order, second: dict):
    return {{"kind": first.kind.value, "price": second["price"], "env": second["env"]["task"] == "both"}}
"""

TYPED = [
    Shape(
        "objects of classes",
        workflow(
            _TYPES,
            _TASKS,
            main("order = read(args)", "return both(order, price(order))", words="params=Order"),
        ),
        result=("both",),
        given={
            "parts": [{"name": "a", "made": "2026-01-02T03:04:05.000006+09:00"}, {"name": "b", "made": "2026-01-02"}],
            "kind": "large",
            "wait": "P1DT2S",
        },
    )
]
