"""A backend over a folder of pipelines, for the tests of all doors: real Dagster storage, a real database.

with backend_over(folder, tmp_path) as backend: backend.runs.start(StartRequest("greet"))
with served(backend) as url: httpx.get(f"{url}/health")
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import uvicorn

from flowhub_assets.executor.dagster_runs import origins_here
from flowhub_assets.resources.queues import Queues
from flowhub_assets.server.backend import Backend, Surroundings, open_backend
from flowhub_assets.server.rest.app import create_app
from flowhub_assets.server.rest.guard import Limits
from flowhub_assets.store.database import default_url
from flowhub_assets_tests.checkout import ROOT
from flowhub_assets_tests.workflows import location_of

GREET = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: greet, description: Says good morning.}
params:
  city: {type: string, default: Seoul, maxLength: 20}
  times: {type: integer, minimum: 1, default: 1}
nodes:
  - id: say
    type: log
    inputs: {message: "Good morning, {{params.city}}!"}
"""


@contextlib.contextmanager
def backend_over(
    folder: Path,
    base: Path,
    *,
    database_url: str | None = None,
    queues: Queues | None = None,
    is_open: bool = True,
    ui: str = "http://dagster.test",
    executor: dg.ExecutorDefinition = dg.in_process_executor,
) -> Iterator[Backend]:
    """A backend over the pipelines of ``folder``; Dagster's storage and ours are in ``base/home``, and stay there."""
    home = base / "home"
    home.mkdir(exist_ok=True)
    shutil.copy(ROOT / "deploy" / "dagster.yaml", home / "dagster.yaml")
    origins = origins_here("flowhub_assets.definitions", "flowhub_assets")
    surroundings = Surroundings(
        location=location_of(folder, executor),
        database_url=database_url or default_url(str(home)),
        origins=lambda: origins,
        queues=queues or Queues(),
        ui=ui,
        is_open=is_open,
    )
    with dg.DagsterInstance.from_config(str(home)) as instance, open_backend(surroundings, instance) as backend:
        yield backend


@contextlib.contextmanager
def served(backend: Backend, limits: Limits | None = None, origins: tuple[str, ...] = ()) -> Iterator[str]:
    """HTTP over the backend on a free port of the loopback; its address."""
    app = create_app(backend, limits or Limits(per_second=0), origins)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", timeout_graceful_shutdown=5))
    began = threading.Event()

    async def run() -> None:
        serving = asyncio.ensure_future(server.serve())
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        began.set()
        await serving

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    assert began.wait(60)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()
