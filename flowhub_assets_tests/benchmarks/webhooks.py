"""From a request to its run, and to its pipeline's own answer: our server and Dagster's webserver over one storage.

No daemon runs meanwhile: what was started waits, as it does on both sides, and takes no time from what is measured.
"""

from __future__ import annotations

import contextlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import dagster as dg
import grpc
import httpx
from sqlalchemy import select

from flowhub_assets.server.rpc.flowhub.v1 import flowhub_pb2, flowhub_pb2_grpc
from flowhub_assets.store.database import default_url, open_database
from flowhub_assets.store.tables import submissions
from flowhub_assets_tests.benchmarks.row import Row, alternating
from flowhub_assets_tests.checkout import ROOT
from flowhub_assets_tests.loopback_server import free_port
from flowhub_assets_tests.server.server_process import ServerProcess, within
from flowhub_assets_tests.to_dagster.dagster_stack import _LAUNCH, ASSET_GRAPH, Stack

#: Deliveries a second, and the most that p50 and p99 of their answers may take, in milliseconds.
_EACH_SECOND, _P50, _P99 = 10, 100.0, 400.0
#: The most milliseconds between a delivery and its run's complete record in Dagster.
_IN_DAGSTER = 5_000.0
_ORDER = {"order": "A-1024", "customer": "김하나", "total": 42_000}
_TRIGGER = {"resources": {"params": {"config": {"trigger": {"body": _ORDER}}}}}


def measure(quick: bool = False) -> list[Row]:
    """A start over HTTP, over gRPC and by GraphQL in turns; then deliveries at a steady pace, and Dagster's own way."""
    times, deliveries, ends = (2, 5, 1) if quick else (40, 300, 3)
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        with ServerProcess(base) as server, _webserver(server) as stack:
            rows = _starts(server, stack, times)
            with _watched(base) as seen:
                took = sorted(_deliver(server, deliveries))
                within(120, lambda: len(seen) == deliveries + 1)
            recorded = _slowest(base, seen)
            _cancel_all(base)
            with _process("dagster._daemon", "run", server=server, base=base):
                whole = statistics.median(_launched(stack) for _ in range(ends))
    what = f"a webhook's answer over five light nodes, {_EACH_SECOND} a second"
    p50, p99 = statistics.median(took), took[int(len(took) * 0.99)]
    return [
        *rows,
        Row(f"{what}, p50", p50, _P50, "the most that it may take", at_most=1.0),
        Row(f"{what}, p99", p99, _P99, "the most that it may take", at_most=1.0),
        Row(f"{what}, p50", p50, whole, "Dagster's GraphQL, launch to end"),
        Row("the same, until the last of those runs stood in Dagster", recorded, _IN_DAGSTER, "5 s", at_most=1.0),
    ]


def _starts(server: ServerProcess, stack: Stack, times: int) -> list[Row]:
    with (
        httpx.Client(base_url=server.url, timeout=60) as ours,
        httpx.Client(base_url=stack.url, timeout=60) as theirs,
        grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel,
    ):
        stub = flowhub_pb2_grpc.FlowHubStub(channel)  # type: ignore[no-untyped-call]

        def by_http() -> None:
            assert ours.post("/api/v1/pipelines/quick-start/runs", json={}).status_code == 202

        def by_grpc() -> None:
            assert stub.SubmitRun(flowhub_pb2.SubmitRunRequest(pipeline="quick-start"), timeout=60).run_id

        def by_graphql() -> None:
            selector = {"repositoryLocationName": "flowhub_assets", "repositoryName": "__repository__"}
            params = {"selector": {**selector, "jobName": "quick_start"}, "runConfigData": {}, "mode": "default"}
            answer = theirs.post("/graphql", json={"query": _LAUNCH, "variables": {"params": params}}).json()
            assert answer["data"]["launchRun"]["__typename"] == "LaunchRunSuccess", answer

        calls: list[Callable[[], None]] = [by_http, by_grpc, by_graphql]
        for call in calls:
            call()  # what is paid once in a process is no request's
        http, rpc, graphql = alternating(calls, times)
    other = "Dagster's GraphQL launchRun"
    return [
        Row("a request until its run exists, HTTP", http, graphql, other, at_most=1.1),
        Row("a request until its run exists, gRPC", rpc, graphql, other, at_most=1.1),
    ]


def _deliver(server: ServerProcess, number: int) -> list[float]:
    """The milliseconds of each answer; each begins when it is due, whether those before it are answered or not."""
    took: list[float] = []
    wrong: list[object] = []
    with httpx.Client(base_url=server.url, timeout=60) as client:

        def one() -> None:
            begun = time.perf_counter()
            try:
                status = client.post("/hooks/webhook-reply", json=_ORDER).status_code
            except httpx.HTTPError as error:
                wrong.append(error)
                return
            took.append((time.perf_counter() - begun) * 1000)
            if status != 200:
                wrong.append(status)

        one()
        took.clear()
        begun = time.perf_counter()
        threads = []
        for count in range(number):
            time.sleep(max(0.0, begun + count / _EACH_SECOND - time.perf_counter()))
            threads.append(threading.Thread(target=one))
            threads[-1].start()
        for thread in threads:
            thread.join()
    if wrong:
        raise RuntimeError(f"{len(wrong)} of {number} deliveries were not answered as they should be: {wrong[:3]}")
    return took


@contextlib.contextmanager
def _watched(base: Path) -> Iterator[dict[str, float]]:
    """Run id → when it was first seen complete in Dagster, looked for four times a second."""
    seen: dict[str, float] = {}
    ended = threading.Event()
    complete = dg.RunsFilter(job_name="webhook_reply", statuses=[dg.DagsterRunStatus.SUCCESS])

    def look() -> None:
        with dg.DagsterInstance.from_config(str(base / "home")) as instance:
            while not ended.wait(0.25):
                for run in instance.get_runs(complete):
                    seen.setdefault(run.run_id, time.time())

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join(30)


def _slowest(base: Path, seen: Mapping[str, float]) -> float:
    """The most milliseconds from a delivery's arrival until its run was seen complete in Dagster."""
    database = open_database(default_url(str(base / "home")))
    with contextlib.closing(database), database.read() as connection:
        rows = connection.execute(select(submissions.c.run_id, submissions.c.accepted)).all()
    return max((seen[run_id] - float(accepted)) * 1000 for run_id, accepted in rows if run_id in seen)


def _launched(stack: Stack) -> float:
    begun = time.perf_counter()
    run_id = stack.run("webhook_reply", config=_TRIGGER)
    stack.wait(lambda: stack.status_of(run_id) == "SUCCESS", "the run's end", 120, pause=0.05)
    return (time.perf_counter() - begun) * 1000


def _cancel_all(base: Path) -> None:
    with dg.DagsterInstance.from_config(str(base / "home")) as instance:
        for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED])):
            instance.report_run_canceled(run)


@contextlib.contextmanager
def _webserver(server: ServerProcess) -> Iterator[Stack]:
    port = free_port()
    with _process("dagster_webserver", "-p", str(port), server=server, base=server.base) as log:
        stack = Stack(f"http://127.0.0.1:{port}", server.base, log)

        def answers() -> bool:
            with contextlib.suppress(OSError, AssertionError, KeyError):
                return bool(stack.ask(ASSET_GRAPH)["assetNodes"])
            return False

        stack.wait(answers, "the webserver's answer", 120)
        yield stack


@contextlib.contextmanager
def _process(module: str, *arguments: str, server: ServerProcess, base: Path) -> Iterator[Path]:
    log = base / f"{module}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments, "-w", str(ROOT / "workspace.yaml")],
            cwd=base,
            env=server.environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield log
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
