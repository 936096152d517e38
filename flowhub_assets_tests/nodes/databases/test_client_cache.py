"""One client for each connection and process, closed when the process ends."""

from __future__ import annotations

import os
import subprocess
import sys

from flowhub_assets.nodes.databases.client_cache import ClientCache
from flowhub_assets.runtime.child import run_in_child

PROGRAM = """
from flowhub_assets.nodes.databases.client_cache import ClientCache
cache = ClientCache(str.upper, lambda client: print("closed", client))
cache.get("a"), cache.get("a"), cache.get("b")
"""


def test_one_client_for_each_url() -> None:
    made: list[str] = []

    def make(url: str) -> list[str]:
        made.append(url)
        return [url]

    cache = ClientCache(make, list.clear)
    assert cache.get("a") is cache.get("a")
    assert cache.get("b") == ["b"]
    assert made == ["a", "b"]


def test_closed_clients_are_made_anew() -> None:
    closed: list[str] = []
    cache: ClientCache[str] = ClientCache(str.upper, closed.append)
    cache.get("a")
    cache.close()
    assert closed == ["A"]
    cache.get("a")
    cache.close()
    assert closed == ["A", "A"]


def test_a_client_that_cannot_be_closed_keeps_no_other_open() -> None:
    closed: list[int] = []
    cache: ClientCache[str] = ClientCache(str.upper, lambda client: closed.append(1 // (client != "A")))
    cache.get("a")
    cache.get("b")
    cache.close()
    assert closed == [1]


def test_a_forked_child_neither_uses_nor_closes_its_parents_client() -> None:
    cache: ClientCache[int] = ClientCache(lambda _: os.getpid(), lambda client: os._exit(client % 7 + 1))
    assert cache.get("a") == os.getpid()

    def in_child() -> tuple[bool, int]:
        cache.close()
        return cache.get("a") == os.getpid(), len(cache._inherited)

    assert run_in_child(in_child) == (True, 1)
    assert cache.get("a") == os.getpid()
    cache._clients.clear()


def test_clients_are_closed_when_the_process_ends() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.splitlines() == ["closed A", "closed B"]
