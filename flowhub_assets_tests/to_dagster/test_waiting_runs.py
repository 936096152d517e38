"""Waiting runs go up, and give way, in a real instance whose daemon decides who starts."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.resources.queues import LATEST_TAG, PRIORITY_TAG
from flowhub_assets.to_dagster.waiting_runs import (
    RAISED_TAG,
    SUPERSEDED_TAG,
    drop_waiting,
    keep_latest,
    own_priority,
    priority_of,
    queued,
    raise_waiting,
    raised,
)
from flowhub_assets_tests.to_dagster.queued_runs import instance_in, move, put, run_of, started

PATIENCE = 300.0


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with instance_in(tmp_path) as instance:
        yield instance


def tagged(priority: int) -> dict[str, str]:
    return {PRIORITY_TAG: str(priority)}


@given(
    st.lists(st.integers(-100, 100), min_size=1, unique=True).map(sorted),
    st.data(),
    st.floats(0, 1e6),
    st.floats(0.1, 1e4),
)
def test_a_run_goes_up_one_priority_in_use_for_each_patience(
    priorities: list[int], data: st.DataObject, waited: float, patience: float
) -> None:
    own = data.draw(st.sampled_from(priorities))
    now = raised(own, waited, priorities, patience)
    assert own <= now <= priorities[-1], "never down, never above the highest"
    above = sum(1 for one in priorities if own < one <= now)
    assert above == min(int(waited // patience), len(priorities) - 1 - priorities.index(own))
    assert raised(own, waited + patience, priorities, patience) >= now


def test_no_patience_means_that_nobody_goes_up() -> None:
    assert raised(0, 1e9, [0, 5], 0) == 0


def test_what_is_no_number_counts_as_it_does_for_dagster() -> None:
    assert priority_of({PRIORITY_TAG: "high"}) == 0
    assert own_priority({PRIORITY_TAG: "7", RAISED_TAG: "2"}) == 2


def test_a_run_of_low_priority_starts_though_urgent_ones_keep_coming(instance: dg.DagsterInstance) -> None:
    low = put(instance, "low", tagged(-1))
    usual = put(instance, "usual")
    now = time.time()
    began: list[str] = []
    while low not in began:
        minute = len(began) // 4
        assert minute <= 10, "two priorities are above its own: it starts after twice the patience"
        for _ in range(4):
            put(instance, "urgent", tagged(10))
        raise_waiting(instance, queued(instance), PATIENCE, now + minute * 60)
        turn = started(instance)
        assert len(turn) == 4
        began += turn
        for run_id in turn:
            move(instance, run_id, "PIPELINE_SUCCESS")
    assert began.index(usual) == 5 * 4, "after five minutes, before all that came since, and not before"
    assert began.index(low) > began.index(usual)


def test_who_went_up_is_told_in_its_tags_and_its_log(instance: dg.DagsterInstance) -> None:
    low, urgent = put(instance, "low"), put(instance, "urgent", tagged(10))
    assert raise_waiting(instance, queued(instance), PATIENCE, time.time()) == [], "nobody has waited yet"
    (told,) = raise_waiting(instance, queued(instance), PATIENCE, time.time() + PATIENCE + 1)
    assert re.fullmatch(rf"{low}: priority 0 → 10, after 3\d\d s", told)
    assert run_of(instance, low).tags.items() >= {PRIORITY_TAG: "10", RAISED_TAG: "0"}.items()
    assert any("It has waited for 3" in event.message for event in instance.all_logs(low))
    assert RAISED_TAG not in run_of(instance, urgent).tags
    assert raise_waiting(instance, queued(instance), PATIENCE, time.time() + PATIENCE + 2) == [], "and once"


def test_the_priority_of_what_runs_counts_too(instance: dg.DagsterInstance) -> None:
    low = put(instance, "low")
    put(instance, "urgent", tagged(10), status="STARTED")
    raise_waiting(instance, queued(instance), PATIENCE, time.time() + PATIENCE + 1)
    assert priority_of(run_of(instance, low).tags) == 10


def test_a_run_that_is_taken_up_again_waits_anew(instance: dg.DagsterInstance) -> None:
    again = put(instance, "low", {PRIORITY_TAG: "10", RAISED_TAG: "0"})
    put(instance, "urgent", tagged(10))
    raise_waiting(instance, queued(instance), PATIENCE, time.time())
    assert priority_of(run_of(instance, again).tags) == 0


def test_a_run_that_starts_meanwhile_is_left_alone(instance: dg.DagsterInstance) -> None:
    low = put(instance, "low")
    put(instance, "urgent", tagged(10))
    seen = queued(instance)
    move(instance, low, "PIPELINE_STARTING")
    assert raise_waiting(instance, seen, PATIENCE, time.time() + PATIENCE + 1) == []
    assert PRIORITY_TAG not in run_of(instance, low).tags


def test_the_latest_of_a_key_waits_and_the_others_are_cancelled_with_the_reason(instance: dg.DagsterInstance) -> None:
    key = {LATEST_TAG: "dashboards"}
    running = put(instance, "a", key, status="STARTED")
    first, second, last = (put(instance, "a", key) for _ in range(3))
    elsewhere, other_key, plain = put(instance, "b", key), put(instance, "a", {LATEST_TAG: "x"}), put(instance, "a")
    assert sorted(keep_latest(instance, queued(instance))) == sorted(
        f"{one}: dropped, run {last} came later" for one in (first, second)
    )
    for one in (first, second):
        assert run_of(instance, one).status is dg.DagsterRunStatus.CANCELED
        assert run_of(instance, one).tags[SUPERSEDED_TAG] == last
        (message,) = [event.message for event in instance.all_logs(one) if "takes its place" in event.message]
        assert f"Run {last} came later" in message
    for one in (last, elsewhere, other_key, plain):
        assert run_of(instance, one).status is dg.DagsterRunStatus.QUEUED
    assert run_of(instance, running).status is dg.DagsterRunStatus.STARTED
    assert keep_latest(instance, queued(instance)) == []


def test_what_has_started_is_not_dropped(instance: dg.DagsterInstance) -> None:
    run = put(instance, "a")
    move(instance, run, "PIPELINE_STARTING")
    assert not drop_waiting(instance, run, "newer")
    assert run_of(instance, run).status is dg.DagsterRunStatus.STARTING
    assert not drop_waiting(instance, "no-such-run", "newer")


def test_a_daemon_that_was_first_wins(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    run = put(instance, "a")
    report = dg.DagsterInstance.report_run_canceled

    def then_the_daemon(self: dg.DagsterInstance, *args: object, **more: object) -> object:
        told = report(self, *args, **more)  # type: ignore[arg-type]
        move(instance, run, "PIPELINE_STARTING", "PIPELINE_START")
        return told

    monkeypatch.setattr(dg.DagsterInstance, "report_run_canceled", then_the_daemon)
    assert not drop_waiting(instance, run, "newer"), "the run goes on, and nobody says that it was dropped"
    assert run_of(instance, run).status is dg.DagsterRunStatus.STARTED
