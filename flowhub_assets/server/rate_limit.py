"""How often somebody may ask: a bucket of tokens for each, refilled evenly."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

#: So many callers are remembered; the one that asked longest ago is forgotten first.
_MOST_CALLERS = 10_000


class RateLimit:
    """``per_second`` requests on average, ``burst`` at once. 0 per second is no limit."""

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._clock = clock
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_for(self, caller: str) -> float:
        """Takes one request of ``caller``: 0, or the seconds until there is one again."""
        if self._per_second <= 0:
            return 0.0
        now = self._clock()
        with self._lock:
            left, then = self._left.pop(caller, (self._burst, now))
            left = min(self._burst, left + max(0.0, now - then) * self._per_second)
            wait = 0.0 if left >= 1 else (1 - left) / self._per_second
            self._left[caller] = (left if wait else left - 1, now)
            while len(self._left) > _MOST_CALLERS:
                self._left.popitem(last=False)
        return wait
