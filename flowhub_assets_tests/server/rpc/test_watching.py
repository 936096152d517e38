"""A run is watched as it goes on: live, to its end, again from a cursor, by who goes away and by who is slow."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from flowhub_assets.server.backend import Backend
from flowhub_assets.server.rpc import watching
from flowhub_assets.server.rpc.flowhub.v1 import flowhub_pb2 as pb
from flowhub_assets.server.run_events import RunEvent, RunReader
from flowhub_assets.server.runs import StartRequest
from flowhub_assets_tests.server.backends import GREET, backend_over
from flowhub_assets_tests.server.rpc.rpc_servers import SECONDS, refused, run_here, running, stub_of, stub_over

WAITER = """\
import pathlib, time
from flowhub import flow, task

@task
def wait(args):
    print("waiting for", args["word"])
    for _ in range(1_200):
        if pathlib.Path(args["file"]).exists():
            print("here it is")
            return {"found": True}
        time.sleep(0.05)
    raise TimeoutError

@flow(name="waiter", params={"word": "", "file": ""})
def waiter(args):
    return wait(args)
"""


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    folder = tmp_path_factory.mktemp("pipelines")
    (folder / "greet.yaml").write_text(GREET)
    (folder / "waiter.py").write_text(WAITER)
    with backend_over(folder, tmp_path_factory.mktemp("backend")) as backend:
        yield backend


@pytest.fixture(scope="module")
def stub(backend: Backend) -> Iterator[Any]:
    with stub_over(backend) as stub:
        yield stub


def start(backend: Backend, pipeline: str = "greet", **params: Any) -> str:
    return backend.runs.start(StartRequest(pipeline, params)).run_id


def watch(stub: Any, run_id: str, cursor: str = "") -> Any:
    return stub.WatchRun(pb.WatchRunRequest(run_id=run_id, cursor=cursor), timeout=SECONDS)


def until(holds: Callable[[], Any]) -> None:
    last = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < last
        time.sleep(0.02)


def test_a_run_is_told_while_it_goes_on_and_then_its_end(stub: Any, backend: Backend, tmp_path: Path) -> None:
    run_id = start(backend, "waiter", word="Busan", file=str(tmp_path / "go"))
    worker = threading.Thread(target=run_here, args=(backend, run_id), daemon=True)
    worker.start()
    until(lambda: (run := backend.instance.get_run_by_id(run_id)) is not None and run.status.value == "STARTED")
    told = []
    for update in watch(stub, run_id):
        told.append(update)
        if update.event.message == "waiting for Busan":
            # It is told while the task runs: only now does the task go on.
            assert worker.is_alive()
            (tmp_path / "go").touch()
    worker.join(SECONDS)
    *events, last = told
    assert [update.WhichOneof("update") for update in told] == ["event"] * len(events) + ["run"]
    assert last.run.status == pb.RUN_STATUS_SUCCESS
    lines = [(one.event.step, one.event.message) for one in events if one.event.kind == "LOG" and one.event.step]
    assert lines == [("wait", "waiting for Busan"), ("wait", "here it is")]
    kinds = [update.event.kind for update in events]
    assert kinds.index("STEP_START") < kinds.index("STEP_SUCCESS") < kinds.index("RUN_SUCCESS")


def test_it_goes_on_behind_any_cursor(stub: Any, backend: Backend) -> None:
    run_id = start(backend)
    run_here(backend, run_id)
    whole = list(watch(stub, run_id))
    for number in (0, len(whole) // 2, len(whole) - 2):
        assert list(watch(stub, run_id, whole[number].event.cursor)) == whole[number + 1 :]


def test_a_run_that_waits_is_watched_until_it_is_cancelled(stub: Any, backend: Backend) -> None:
    run_id = start(backend)
    updates = watch(stub, run_id)
    assert next(updates).event.kind == "RUN_ENQUEUED"
    stub.CancelRun(pb.CancelRunRequest(run_id=run_id), timeout=SECONDS)
    *events, last = updates
    assert [update.event.kind for update in events] == ["RUN_CANCELED"]
    assert last.run.status == pb.RUN_STATUS_CANCELED


@pytest.mark.parametrize("run_id", ["nobodys", "", "a\x00b"])
def test_a_run_that_is_not_there_is_not_found(stub: Any, run_id: str) -> None:
    with refused(grpc.StatusCode.NOT_FOUND):
        list(watch(stub, run_id))


@pytest.mark.parametrize("cursor", ["nothing", "\x00", "-1", "9" * 400, "{}", "..", "é"])
def test_a_cursor_that_is_none_is_refused(stub: Any, backend: Backend, cursor: str) -> None:
    with refused(grpc.StatusCode.INVALID_ARGUMENT):
        list(watch(stub, start(backend), cursor))


def test_who_goes_away_is_not_waited_for(stub: Any, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, int] = {}
    real = RunReader.is_over

    def counted(reader: RunReader) -> bool:
        asked[reader._run_id] = asked.get(reader._run_id, 0) + 1
        return real(reader)

    monkeypatch.setattr(RunReader, "is_over", counted)
    monkeypatch.setattr(watching, "_LONGEST_PAUSE", 0.01)
    gone, stays = start(backend), start(backend)
    updates, others = watch(stub, gone), watch(stub, stays)
    next(updates)
    next(others)
    updates.cancel()

    def is_left_alone() -> bool:
        """Whether nothing is read for the one while much is read for the other."""
        before = asked[gone]
        last = asked[stays] + 20
        until(lambda: asked[stays] >= last)
        return asked[gone] == before

    until(is_left_alone)
    others.cancel()


def test_for_who_reads_slowly_nothing_is_kept(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = start(backend)
    run = backend.instance.get_run_by_id(run_id)
    assert run is not None
    for number in range(200):
        backend.instance.report_engine_event(f"{number} {'x' * 100_000}", run)
    backend.instance.report_run_canceled(run)
    pages: dict[int, int] = {}
    real = RunReader.read

    def counted(reader: RunReader, limit: int) -> list[RunEvent]:
        pages[id(reader)] = pages.get(id(reader), 0) + 1
        return real(reader, limit)

    monkeypatch.setattr(RunReader, "read", counted)
    monkeypatch.setattr(watching, "_PAGE", 10)
    with stub_over(backend) as stub:
        slow = watch(stub, run_id)
        first = next(slow)
        (reader,) = pages
        quick = list(watch(stub, run_id))
        assert len(quick) > 200
        # As many as the connection's window holds, and not all of the twenty.
        assert pages[reader] <= 10
        assert [first, *slow] == quick
        assert pages[reader] > 20


def test_who_watches_while_the_server_ends_is_told_to_come_again(backend: Backend) -> None:
    run_id = start(backend)
    with running(backend) as (rpc, loop), grpc.insecure_channel(f"127.0.0.1:{rpc.port}") as channel:
        updates = watch(stub_of(channel), run_id)
        cursor = next(updates).event.cursor
        ends = asyncio.run_coroutine_threadsafe(rpc.end(SECONDS), loop)
        with refused(grpc.StatusCode.UNAVAILABLE) as told:
            list(updates)
        assert "cursor" in told["ErrorInfo"].metadata["remedy"]
        ends.result(SECONDS)
    with stub_over(backend) as stub:
        stub.CancelRun(pb.CancelRunRequest(run_id=run_id), timeout=SECONDS)
        assert [update.event.kind for update in watch(stub, run_id, cursor)] == ["RUN_CANCELED", ""]
