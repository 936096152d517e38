"""Memory limits of the Kubernetes double: what a container's processes hold, and the end of one that holds too much."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from flowhub_assets_tests.kubernetes.process import Container

_EVERY_SECONDS = 0.1
_PAGE = os.sysconf("SC_PAGE_SIZE")


async def enforce(containers: Callable[[], Iterable[Container]]) -> None:
    """Kills, for ever, each running container that holds more than its limit, as the kernel does it for a cgroup."""
    while True:
        await asyncio.sleep(_EVERY_SECONDS)
        limited = [one for one in containers() if one.memory_limit is not None and "running" in one.state]
        if not limited:
            continue
        held = await asyncio.to_thread(held_by_session)
        for container in limited:
            process, limit = container.process, container.memory_limit
            if process is not None and limit is not None and held[process.pid] > limit and process.returncode is None:
                container.oom = True
                container.signal(signal.SIGKILL)


def held_by_session() -> Counter[int]:
    """Bytes of memory by session, without pages of files and shared ones: a container is a session of its own."""
    held: Counter[int] = Counter()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        with suppress(OSError, IndexError, ValueError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            _, resident, shared, *_ = (folder / "statm").read_text().split()
            held[int(fields[3])] += (int(resident) - int(shared)) * _PAGE
    return held
