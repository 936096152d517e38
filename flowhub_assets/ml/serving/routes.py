"""What the front forwards to: for each model a champion, and a challenger where traffic is split between both.

One file for each model, ``<serving>/<model>/route.json``, replaced as a whole; who reads sees the old or the new.
"""

from __future__ import annotations

import hashlib
import os
import random
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flowhub_assets.ml.serving.places import Place, read_json, write_json

CHAMPION, CHALLENGER = "champion", "challenger"


@dataclass(frozen=True)
class Arm:
    """One served version: ``server`` is its folder's name below servers/, ``url`` an address of the loopback."""

    alias: str
    version: str
    server: str
    url: str


@dataclass(frozen=True)
class Route:
    """One model's traffic; ``share`` of it (0 to 1) goes to the challenger, if there is one.

    ``since`` is when the model was first served, in seconds since 1970: the model that was served first is the one
    that paths without a model's name mean, so that a second model changes nothing for those who ask the first.
    """

    model: str
    since: float
    champion: Arm
    challenger: Arm | None = None
    share: float = 0.0

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The versions that are served, the champion first."""
        return (self.champion, self.challenger) if self.challenger else (self.champion,)

    def arm(self, alias: str | None, key: str | None) -> Arm | None:
        """Who answers: that ``alias`` (None if it is not served), else for a ``key`` always the same, else either."""
        if alias:
            return next((arm for arm in self.arms if arm.alias == alias), None)
        if self.challenger is None:
            return self.champion
        place = _place(self.model, key) if key else random.random()  # noqa: S311 - nobody gains by guessing it
        return self.challenger if place < self.share else self.champion


def _place(model: str, key: str) -> float:
    """From 0 to 1, the same for the same key; the model's name makes that one model's tenth is not another's."""
    return int.from_bytes(hashlib.sha256(f"{model}\0{key}".encode()).digest()[:8], "big") / 2**64


def read_route(place: Place) -> Route | None:
    """The model's route; None where it is not served."""
    return _route(place.route)


def write_route(place: Place, route: Route | None) -> None:
    """Replaces the model's route; None takes it away."""
    if route is None:
        place.route.unlink(missing_ok=True)
    else:
        write_json(place.route, asdict(route))


class Routes:
    """All routes below a folder. Asked for each request; the files are looked at twenty times a second."""

    _EVERY = 0.05

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._routes: dict[str, Route] = {}
        self._stamps: dict[str, tuple[int, int]] = {}
        self._looked = float("-inf")

    def now(self) -> Mapping[str, Route]:
        """Model → route; the first is the one that was served first."""
        now = time.monotonic()
        if now - self._looked >= self._EVERY:
            self._looked = now
            self._look()
        return self._routes

    def _look(self) -> None:
        stamps = {}
        for path in self._folder.glob("*/route.json"):
            try:
                told = os.stat(path)
            except OSError:
                continue
            # A file that was put in its place has another inode, also within one tick of the clock.
            stamps[str(path)] = (told.st_mtime_ns, told.st_ino)
        if stamps == self._stamps:
            return
        found = [route for path in stamps if (route := _route(Path(path)))]
        self._routes = {route.model: route for route in sorted(found, key=lambda one: (one.since, one.model))}
        self._stamps = stamps


def _route(path: Path) -> Route | None:
    told = read_json(path)
    try:
        return None if told is None else _parsed(told)
    except (KeyError, TypeError, ValueError):
        return None


def _parsed(told: Mapping[str, Any]) -> Route:
    second = told["challenger"]
    return Route(
        str(told["model"]),
        float(told["since"]),
        Arm(**told["champion"]),
        Arm(**second) if second else None,
        float(told["share"]),
    )
