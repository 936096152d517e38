"""The log of one container, each line once, however often the connection breaks."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime

from kubernetes.client.rest import ApiException

from flowhub_assets.executor.kubernetes.cluster import CONNECTION_ERRORS, Cluster

#: Seconds before the last line from which a log is asked for again: the clocks of two machines differ.
_SKEW = 30
#: Seconds by which a line may stand behind a later one: a container's two streams are written by two threads.
_DISORDER = 2.0


class PodLog:
    """Where the reading of one container's log is. ``error`` is why the connection broke last."""

    def __init__(self, cluster: Cluster, container: str, quiet: float) -> None:
        """After ``quiet`` seconds without a line the connection is not trusted any more."""
        self._cluster = cluster
        self._container = container
        self._quiet = quiet
        self.error = ""
        self._last = 0.0
        self._trimmed = 0.0
        self._told: Counter[tuple[float, int]] = Counter()  # (time, hash of the line), of the last _DISORDER seconds

    def read(self, pod: str, on_line: Callable[[str], None]) -> bool:
        """Gives each new line to ``on_line``; whether the log has come to its end, not only the connection."""
        before, horizon = Counter(self._told), self._last - _DISORDER
        try:
            for line in self._cluster.log(pod, self._container, self._since(), self._quiet):
                written, _, text = line.partition(" ")
                told = _seconds(written), hash(text)
                if told[0] < horizon:
                    continue
                if before[told]:
                    before[told] -= 1  # before the connection broke
                    continue
                self._remember(told)
                on_line(text)
        except (ApiException, *CONNECTION_ERRORS) as error:
            self.error = f"{type(error).__name__}: {getattr(error, 'reason', None) or error}"
            return False
        return True

    def _remember(self, told: tuple[float, int]) -> None:
        self._last = max(self._last, told[0])
        self._told[told] += 1
        # Now and then, for it takes as long as there are lines.
        if self._last - self._trimmed > 2 * _DISORDER:
            self._trimmed = self._last
            horizon = self._last - _DISORDER
            self._told = Counter({one: count for one, count in self._told.items() if one[0] >= horizon})

    def _since(self) -> int | None:
        if not self._last:
            return None
        return max(1, math.ceil(time.time() - self._last) + _SKEW)


def _seconds(written: str) -> float:
    """A time of RFC 3339, to the microsecond, as seconds since 1970."""
    whole, _, fraction = written.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{fraction or 0}")
