"""A pod's log comes whole and once, however often the connection breaks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

import kubernetes
from hypothesis import given
from hypothesis import strategies as st
from urllib3.exceptions import ProtocolError

from flowhub_assets.executor.kubernetes.cluster import Cluster
from flowhub_assets.executor.kubernetes.pod_log import PodLog
from flowhub_assets_tests.kubernetes.double import KubeDouble
from flowhub_assets_tests.kubernetes.fixtures import cluster, image_python, script, until

__all__ = ["cluster", "image_python"]

TALKS = "import time\nfor n in range(150): print('line', n, flush=True); time.sleep(0.01)\n"


def test_each_line_comes_once_though_the_api_goes_away_three_times(cluster: KubeDouble) -> None:
    kubernetes.config.load_kube_config(str(cluster.kubeconfig))
    kubernetes.client.CoreV1Api().create_namespaced_pod("default", script(TALKS, "talks"))
    lines: list[str] = []
    log, ended = PodLog(Cluster("default", 1.0), "base", 5.0), threading.Event()

    def read() -> None:
        while not log.read("talks", lines.append):
            ended.wait(0.05)
        ended.set()

    threading.Thread(target=read, daemon=True).start()
    for number in range(3):
        until(partial(lines.__contains__, f"line {20 * (number + 1)}"))
        cluster.down(0.1, answering=bool(number % 2))
    until(ended.is_set)
    assert lines == [f"line {number}" for number in range(150)]


def test_why_a_log_cannot_be_read_is_known(cluster: KubeDouble) -> None:
    kubernetes.config.load_kube_config(str(cluster.kubeconfig))
    log = PodLog(Cluster("default", 1.0), "base", 5.0)
    assert not log.read("nobody", print)
    assert log.error == "NotFoundException: Not Found"


class _Breaking:
    """A log whose lines are ``written``, (millisecond, text); each connection breaks after so many of them."""

    def __init__(self, written: list[tuple[int, str]], breaks: list[int]) -> None:
        self._written = written
        self._breaks = breaks

    def log(self, _pod: str, _container: str, _since: int | None, _quiet: float) -> Iterator[str]:
        many = self._breaks.pop(0) if self._breaks else None
        for moment, text in self._written[:many]:
            yield f"{datetime.fromtimestamp(1e9 + moment / 1000, UTC):%Y-%m-%dT%H:%M:%S.%f}Z {text}"
        if many is not None:
            raise ProtocolError("broken")


@given(
    st.lists(st.tuples(st.integers(0, 9000), st.sampled_from("ab"))),
    st.lists(st.integers(0, 60)),
    st.data(),
)
def test_lines_of_one_moment_and_of_two_streams_in_disorder_come_once(
    lines: list[tuple[int, str]], breaks: list[int], data: st.DataObject
) -> None:
    # Two streams may be out of order by as much as their threads are, not by seconds.
    written = sorted(lines)
    written.sort(key=lambda one: one[0] + data.draw(st.integers(0, 900)))
    log, told = PodLog(cast("Any", _Breaking(written, sorted(breaks))), "base", 5.0), list[str]()
    while not log.read("pod", told.append):
        pass
    assert told == [text for _, text in written]
