"""grpc.health.v1: SERVING while the database answers, NOT_SERVING while it does not and once the server ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio

from flowhub_assets.errors import FlowhubError
from flowhub_assets.server.backend import Backend
from flowhub_assets.server.rpc.threads import Threads

logger = logging.getLogger("flowhub.server")

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
#: Seconds between two looks, and what an answer of the database may take.
_LOOK_SECONDS, _ANSWER_SECONDS = 1.0, 5.0


class Health:
    """Looks once a second whether the database answers, and tells it for each of ``services``."""

    def __init__(self, backend: Backend, services: Sequence[str]) -> None:
        self.servicer = aio.HealthServicer()
        self._backend = backend
        self._services = ["", *services]
        # Its own: a database that hangs keeps this thread, and no other.
        self._threads = Threads(1, "flowhub-grpc-health")
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Looks once, then in the background."""
        await self._look()
        self._task = asyncio.create_task(self._looks())

    async def end(self) -> None:
        """NOT_SERVING from now on."""
        if self._task is not None:
            self._task.cancel()
        await self.servicer.enter_graceful_shutdown()
        self._threads.close()

    async def _looks(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await self._look()

    async def _look(self) -> None:
        answers = await self._answers()
        for service in self._services:
            await self.servicer.set(service, _SERVING if answers else _NOT_SERVING)

    async def _answers(self) -> bool:
        try:
            await asyncio.wait_for(self._threads.do(self._ask), _ANSWER_SECONDS)
        except (FlowhubError, TimeoutError):
            return False
        except Exception:
            logger.exception("asking the database")
            return False
        return True

    def _ask(self) -> None:
        with self._backend.database.read():
            pass
