"""The log of one container, each line once, however often the connection breaks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import datetime

from kubernetes.client.rest import ApiException

from flowhub_assets.executor.kubernetes.cluster import CONNECTION_ERRORS, Cluster


class PodLog:
    """Where the reading of one container's log is: at the last line's time, and how many lines of that time."""

    def __init__(self, cluster: Cluster, container: str) -> None:
        self._cluster = cluster
        self._container = container
        self._last = ""
        self._count = 0

    def read(self, pod: str, on_line: Callable[[str], None]) -> bool:
        """Gives each new line to ``on_line``; whether the log has come to its end, not only the connection."""
        last, count = self._last, self._count
        try:
            for line in self._cluster.log(pod, self._container, self._since()):
                written, _, text = line.partition(" ")
                moment = _moment(written)
                if moment < last:
                    continue
                if moment == last and count > 0:
                    count -= 1  # told before the connection broke
                    continue
                self._count = self._count + 1 if moment == self._last else 1
                self._last = moment
                on_line(text)
        except (ApiException, *CONNECTION_ERRORS):
            return False
        return True

    def _since(self) -> int | None:
        if not self._last:
            return None
        past = time.time() - datetime.fromisoformat(f"{self._last[:19]}+00:00").timestamp()
        return max(1, math.ceil(past) + 1)


def _moment(written: str) -> str:
    """A time of RFC 3339 with all nine digits of its fraction: as text it is as great as the time is late."""
    whole, _, fraction = written.rstrip("Z").partition(".")
    return f"{whole}.{fraction:0<9}"
