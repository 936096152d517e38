"""Places in pools, asked for by several run workers at the same moment, and by steps that wait long."""

from __future__ import annotations

import multiprocessing
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from flowhub_assets.executor import pools
from flowhub_assets.executor.pools import Pools
from flowhub_assets_tests.checkout import ROOT
from flowhub_assets_tests.postgres_server import PostgresServer, shared_postgres

__all__ = ["shared_postgres"]

_WORKERS, _ROUNDS = 3, 12


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    shutil.copy(ROOT / "deploy" / "dagster.yaml", tmp_path)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        instance.event_log_storage.set_concurrency_slots("db-lock", 1)
        yield instance


def worker(home: str, number: int, together: Any, held: Any, most: Any) -> None:
    """What a run worker does: it asks for the only place, at the same moment as the others."""
    with dg.DagsterInstance.from_config(home) as instance:
        for _ in range(_ROUNDS):
            run = dg.DagsterRun(job_name="job", run_id=str(uuid.uuid4()))
            with Pools(instance, run) as places:
                together.wait(60)
                held[number] = int(places.claim("db-lock", "step"))
                together.wait(60)
                if number == 0:
                    most.value = max(most.value, sum(held))
                together.wait(60)
                places.free_step("step")
            together.wait(60)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_place_is_given_once_however_many_ask_at_the_same_moment(
    kind: str, tmp_path: Path, shared_postgres: PostgresServer
) -> None:
    text = (ROOT / "deploy" / "dagster.yaml").read_text("utf-8")
    if kind == "postgres":
        text += f"\nstorage: {{postgres: {{postgres_url: {shared_postgres.new_database()!r}}}}}\n"
    (tmp_path / "dagster.yaml").write_text(text, encoding="utf-8")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        instance.event_log_storage.set_concurrency_slots("db-lock", 1)
    context = multiprocessing.get_context("spawn")
    together, held, most = context.Barrier(_WORKERS), context.Array("i", _WORKERS), context.Value("i", 0)
    workers = [
        context.Process(target=worker, args=(str(tmp_path), number, together, held, most), daemon=True)
        for number in range(_WORKERS)
    ]
    for one in workers:
        one.start()
    for one in workers:
        one.join(100)
    assert [one.exitcode for one in workers] == [0] * _WORKERS
    assert most.value == 1


def run_of(priority: int) -> dg.DagsterRun:
    return dg.DagsterRun(job_name="job", run_id=str(uuid.uuid4()), tags={"dagster/priority": str(priority)})


def waiting(instance: dg.DagsterInstance) -> dict[str, int | None]:
    steps = instance.event_log_storage.get_concurrency_info("db-lock").pending_steps
    return {step.step_key: step.priority for step in steps if step.assigned_timestamp is None}


def next_second() -> None:
    """Dagster's SQLite knows since which second a step waits: those of one second have no order."""
    now = int(time.time())
    while int(time.time()) == now:
        time.sleep(0.02)


def test_a_step_that_waits_goes_up_to_the_most_urgent_one(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        Pools(instance, run_of(0)) as holder,
        Pools(instance, run_of(-3)) as low,
        Pools(instance, run_of(7)) as urgent,
        Pools(instance, run_of(7)) as later,
    ):
        assert holder.claim("db-lock", "held")
        assert not low.claim("db-lock", "low")
        assert not urgent.claim("db-lock", "urgent")
        low._pending_timeouts["low"] = 0.0
        assert not low.claim("db-lock", "low")
        assert waiting(instance) == {"low": -3, "urgent": 7}, "it has not waited long"
        monkeypatch.setattr(pools, "PATIENCE", 0.0)
        next_second()
        low._pending_timeouts["low"] = 0.0
        assert not low.claim("db-lock", "low")
        assert waiting(instance) == {"low": 7, "urgent": 7}
        next_second()
        assert not later.claim("db-lock", "later")
        order = []
        for places, step in ((holder, "held"), (urgent, "urgent"), (low, "low")):
            places.free_step(step)
            for other, name in ((urgent, "urgent"), (low, "low"), (later, "later")):
                other._pending_timeouts[name] = 0.0
                if name not in order and other.claim("db-lock", name):
                    order.append(name)
        assert order == ["urgent", "low", "later"], "behind those that waited, before those that came since"
        later.free_step("later")
