"""Classes of params with all that their fields may be, and values of them: what tests of typed flows share."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import uuid
from typing import Any

from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

UTC = datetime.UTC
_TOKEN = uuid.UUID(int=7)


class Speed(enum.Enum):
    """A text in JSON."""

    FAST = "fast"
    SLOW = "slow"


class Level(enum.IntEnum):
    """A number in JSON."""

    LOW = 1
    HIGH = 7


@dataclasses.dataclass
class Place:
    """A nested dataclass that holds others of its kind."""

    name: str
    depth: int = 0
    inside: Place | None = None


class Window(BaseModel):
    """A nested pydantic model."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    start: datetime.datetime
    length: datetime.timedelta | None = None
    seal: bytes = b""


@dataclasses.dataclass
class Order:
    """All kinds of fields."""

    urls: list[str]
    window: Window
    where: Place
    speed: Speed
    level: Level = Level.LOW
    amount: decimal.Decimal = decimal.Decimal("1.5")
    ratio: float = 0.5
    count: int | None = None
    is_dry: bool = False
    token: uuid.UUID = _TOKEN
    day: datetime.date | None = None
    data: bytes = b""
    sizes: dict[str, int] = dataclasses.field(default_factory=dict)
    places: list[Place] = dataclasses.field(default_factory=list)
    by_number: dict[int, Window] = dataclasses.field(default_factory=dict)
    labels: set[str] = dataclasses.field(default_factory=set)
    tags: list[str] = dataclasses.field(default_factory=lambda: ["new"])
    maybe: list[int] | None = None
    grid: list[list[int]] = dataclasses.field(default_factory=list)
    levels: list[Level] = dataclasses.field(default_factory=list)
    anything: Any = None


class OrderModel(BaseModel):
    """The same as a pydantic model, in part, with another name in JSON and a bound."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    urls: list[str] = Field(min_length=1, description="What is read.")
    where: Place
    speed: Speed = Speed.FAST
    window: Window | None = None
    share: float = Field(0.5, ge=0, le=1)
    seal: bytes = b""
    kind: str = Field("plain", alias="kindOfOrder")


_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_ints = st.integers(-(2**63), 2**63 - 1)
_times = st.datetimes(timezones=st.just(UTC))
_spans = st.timedeltas(datetime.timedelta(days=-1_000), datetime.timedelta(days=1_000))
_small = st.integers(-(2**50), 2**50)
_places = st.recursive(
    st.builds(Place, _texts, _ints), lambda inner: st.builds(Place, _texts, _ints, inner), max_leaves=3
)
_windows = st.builds(Window, start=_times, length=st.none() | _spans, seal=st.binary(max_size=8))
_levels = st.sampled_from(Level)
_json = st.recursive(
    st.none() | st.booleans() | _small | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=5,
)

orders = st.builds(
    Order,
    urls=st.lists(_texts, max_size=3),
    window=_windows,
    where=_places,
    speed=st.sampled_from(Speed),
    level=_levels,
    amount=st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9),
    ratio=st.floats(allow_nan=False, allow_infinity=False),
    count=st.none() | _ints,
    is_dry=st.booleans(),
    token=st.uuids(),
    day=st.none() | st.dates(),
    data=st.binary(max_size=8),
    sizes=st.dictionaries(_texts, _ints, max_size=3),
    places=st.lists(_places, max_size=2),
    by_number=st.dictionaries(_ints, _windows, max_size=2),
    labels=st.sets(_texts, max_size=3),
    tags=st.lists(_texts, max_size=2),
    maybe=st.none() | st.lists(_ints, max_size=2),
    grid=st.lists(st.lists(_small, max_size=2), max_size=2),
    levels=st.lists(_levels, max_size=3),
    anything=_json,
)

order_models = st.builds(
    OrderModel,
    urls=st.lists(_texts, min_size=1, max_size=3),
    where=_places,
    speed=st.sampled_from(Speed),
    window=st.none() | _windows,
    share=st.floats(0, 1),
    seal=st.binary(max_size=8),
    kindOfOrder=_texts,
)
