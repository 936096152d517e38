"""A run as it goes on, for those who watch it over gRPC: any number of them, few threads, little memory.

Each is told a page of events at a time. The next page is read once the last one has gone out, so whoever reads slowly
waits for himself alone, and nothing is kept for him.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from flowhub_assets.errors import Unavailable
from flowhub_assets.server.backend import Backend
from flowhub_assets.server.rpc.flowhub.v1 import flowhub_pb2 as pb
from flowhub_assets.server.rpc.messages import event_message, run_message
from flowhub_assets.server.rpc.threads import Threads
from flowhub_assets.server.run_events import RunReader
from flowhub_assets.server.run_views import view_run

#: Events read at a time.
_PAGE = 100
#: Seconds between two looks: at first, and at most where nothing comes.
_PAUSE, _LONGEST_PAUSE = 0.25, 2.0


class Watching:
    """Reads for all who watch, in ``threads``, which nobody else uses: others never wait for them."""

    def __init__(self, backend: Backend, threads: Threads) -> None:
        self._backend = backend
        self._threads = threads
        self._ending = asyncio.Event()

    def end(self) -> None:
        """The server ends: all who watch are told to come again."""
        self._ending.set()

    async def watch(self, run_id: str, cursor: str) -> AsyncIterator[pb.WatchRunResponse]:
        """Its events behind ``cursor``, then the run. Raises NotFound, InputError for no cursor, Unavailable."""
        reader = await self._threads.do(RunReader, self._backend, run_id, cursor or None)
        pause = _PAUSE
        while not self._ending.is_set():
            # Asked first: what is read then is all that will ever be.
            is_over = await self._threads.do(reader.is_over)
            events = await self._threads.do(reader.read, _PAGE)
            for event in events:
                yield pb.WatchRunResponse(event=event_message(event))
            if events:
                pause = _PAUSE
            elif is_over:
                whole = await self._threads.do(view_run, self._backend, run_id)
                yield pb.WatchRunResponse(run=run_message(whole))
                return
            else:
                await self._pause(pause)
                pause = min(_LONGEST_PAUSE, pause * 1.5)
        raise Unavailable(
            "the server ends",
            effect="The run goes on.",
            remedy="Watch it again with the cursor of the last event.",
        )

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._ending.wait(), seconds)
        except TimeoutError:
            return
