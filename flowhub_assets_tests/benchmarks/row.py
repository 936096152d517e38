"""One figure: ours, the other's, measured side by side in one run; only the ratio means something elsewhere."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """``ours`` and ``other`` are in ``unit``; ``at_most`` is the ratio that is expected, if one is."""

    what: str
    ours: float
    other: float
    other_name: str
    unit: str = "ms"
    at_most: float | None = None

    @property
    def ratio(self) -> float:
        """Ours divided by the other's: below 1 is better."""
        return self.ours / self.other


@dataclass(frozen=True)
class Prepared:
    """A call that needs something made before it, which is not measured: ``make`` makes it and gives the call."""

    make: Callable[[], Callable[[], object]]

    def __call__(self) -> object:
        """Makes what is needed, and calls."""
        return self.make()()


def alternating(calls: Sequence[Callable[[], object]], times: int) -> list[float]:
    """The median milliseconds of each call, all taken in turns, so that a slow moment hits each of them."""
    measured: list[list[float]] = [[] for _ in calls]
    for _ in range(times):
        for one, seen in zip(calls, measured, strict=True):
            call = one.make() if isinstance(one, Prepared) else one
            begun = time.perf_counter()
            call()
            seen.append((time.perf_counter() - begun) * 1000)
    return [statistics.median(seen) for seen in measured]


def interpreter(
    code: str,
    *options: str,
    python: Path | str = sys.executable,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Callable[[], object]:
    """A call that runs ``code`` in a new interpreter and raises if that fails."""

    def run() -> None:
        subprocess.run(
            [python, *options, "-c", code],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=300,
            check=True,
        )

    return run
