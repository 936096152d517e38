"""What happens in a run as a stream: its order, its places, its lines; and the log of one step."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowhub_assets.errors import InputError, NotFound
from flowhub_assets.server.run_events import RunEvent, events_after, follow_log, log_text, watch
from flowhub_assets.server.run_facts import LOG
from flowhub_assets.server.runs import StartRequest
from flowhub_assets_tests.server.run_here import Here, runs_here


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    with runs_here(tmp_path_factory.mktemp("events")) as here:
        yield here


@pytest.fixture(scope="module")
def failed(here: Here) -> str:
    """A run whose second step has failed twice."""
    (here.base / "mended").unlink(missing_ok=True)
    return here.run("steps", n=3)


@pytest.fixture(scope="module")
def good(here: Here) -> str:
    return here.run("steps", n=70_000)


def told(events: list[RunEvent]) -> list[tuple[str, str, int, str]]:
    return [(one.kind, one.step, one.attempt, one.message) for one in events]


def test_lines_come_inside_the_attempt_that_printed_them(here: Here, failed: str) -> None:
    events, _ = events_after(here.backend, failed, None)
    kinds = ("STEP_START", "STEP_RESTARTED", "STEP_UP_FOR_RETRY", "STEP_SUCCESS", "STEP_FAILURE", LOG)
    shown = [(one.kind, one.step, one.attempt) for one in events if one.kind in kinds and one.step != "third"]
    assert shown == [
        ("STEP_START", "first", 1),
        (LOG, "first", 1),
        ("STEP_SUCCESS", "first", 1),
        ("STEP_START", "second", 1),
        (LOG, "second", 1),
        (LOG, "second", 1),
        ("STEP_UP_FOR_RETRY", "second", 1),
        ("STEP_RESTARTED", "second", 2),
        (LOG, "second", 2),
        (LOG, "second", 2),
        ("STEP_FAILURE", "second", 2),
    ]
    failure = next(one for one in events if one.kind == "STEP_FAILURE")
    assert failure.message.endswith("\nValueError: three is not mended")
    assert failure.level == "ERROR"
    assert [one.time for one in events] == sorted(one.time for one in events)


@pytest.mark.parametrize("limit", [1, 2, 7])
def test_any_pages_give_what_one_gives(here: Here, failed: str, limit: int) -> None:
    whole, _ = events_after(here.backend, failed, None)
    pages: list[RunEvent] = []
    cursor: str | None = None
    while True:
        page, cursor = events_after(here.backend, failed, cursor, limit=limit)
        assert len(page) <= limit
        if not page:
            break
        pages += page
    assert told(pages) == told(whole)


def test_each_event_is_a_place_to_go_on_from(here: Here, failed: str) -> None:
    whole, _ = events_after(here.backend, failed, None)
    for number, event in enumerate(whole):
        rest, _ = events_after(here.backend, failed, event.cursor)
        assert told(rest) == told(whole[number + 1 :]), event


def test_a_watch_ends_with_the_run_and_tells_the_same(here: Here, failed: str) -> None:
    whole, _ = events_after(here.backend, failed, None)
    assert told(list(watch(here.backend, failed))) == told(whole)
    half = whole[len(whole) // 2]
    assert told(list(watch(here.backend, failed, cursor=half.cursor))) == told(whole[len(whole) // 2 + 1 :])
    assert list(watch(here.backend, failed, stop=lambda: True)) == []


def test_a_watch_tells_what_happens_while_the_run_goes_on(here: Here) -> None:
    run_id = here.backend.runs.start(StartRequest("steps", params={"n": 1})).run_id
    events = watch(here.backend, run_id)
    assert next(events).kind == "ASSET_MATERIALIZATION_PLANNED"
    worker = threading.Thread(target=here.go_on, args=(run_id,))
    worker.start()
    kinds = [event.kind for event in events]
    worker.join(60)
    assert "RUN_SUCCESS" in kinds
    assert kinds.count(LOG) == 5


def test_a_log_is_what_was_printed_of_one_attempt_or_all(here: Here, failed: str) -> None:
    once = "second begins\nto stderr\n"
    assert log_text(here.backend, failed, "second") == once * 2
    assert log_text(here.backend, failed, "second", 2) == once
    assert log_text(here.backend, failed, "second", 3) == ""
    assert log_text(here.backend, failed, "steps__second") == once * 2
    assert "".join(follow_log(here.backend, failed, "second")) == once * 2


def test_long_lines_other_letters_and_a_last_line_without_its_end(here: Here, good: str) -> None:
    lines = log_text(here.backend, good, "third").split("\n")
    assert "".join(lines[:-2]) == "x" * 70_001 + " 서울"
    assert lines[-2:] == ["last", ""]


def test_the_last_line_of_a_step_whose_process_was_killed_is_told(here: Here) -> None:
    run_id = here.run("steps", n=1)
    logs = here.base / "home" / "storage" / run_id / "compute_logs"
    # What a killed process does not write: the mark that nothing more will come, the end of its last line.
    for mark in logs.glob("*.complete"):
        mark.unlink()
    (printed,) = (log for log in logs.glob("*.out") if log.read_bytes().endswith(b"last\n"))
    printed.write_bytes(printed.read_bytes()[:-1])
    assert log_text(here.backend, run_id, "third") == "xx 서울\nlast\n"


def test_iterations_and_steps_of_several_tasks_have_logs_of_their_own(here: Here) -> None:
    run_id = here.run("round")
    assert log_text(here.backend, run_id, "each[1]") == "say: in Busan\n"
    assert log_text(here.backend, run_id, "one") == "one: one\ntwo: two one\n"
    assert log_text(here.backend, run_id, "two") == "one: one\ntwo: two one\n"


def test_what_is_not_there_is_told(here: Here, failed: str) -> None:
    for ask in (lambda: events_after(here.backend, "nothing", None), lambda: watch(here.backend, "nothing")):
        with pytest.raises(NotFound, match="there is no run 'nothing'"):
            ask()
    with pytest.raises(NotFound, match="there is no run"):
        log_text(here.backend, "nothing", "first")
    with pytest.raises(NotFound) as error:
        log_text(here.backend, failed, "frist")
    assert "Did you mean 'first'?" in str(error.value)


@pytest.mark.parametrize("key", ["../../../dagster", "/etc/passwd", "..", "no such key"])
def test_a_cursor_leads_to_no_other_file(here: Here, failed: str, key: str) -> None:
    (here.base / "home" / "dagster.out").write_text("secret\n")
    forged = base64.urlsafe_b64encode(json.dumps([None, [[key, 1, 0, 0, 0]], {}]).encode()).decode()
    with pytest.raises(InputError, match="is no cursor of this run"):
        events_after(here.backend, failed, forged)


def test_a_request_that_is_not_launched_has_no_events_and_is_watched_until_it_is_settled(
    here: Here, tmp_path: Path
) -> None:
    from flowhub_assets.server.access import Caller
    from flowhub_assets.server.run_acts import cancel_run

    run_id = here.backend.runs.start(StartRequest("greet", delay=3_600)).run_id
    assert events_after(here.backend, run_id, None)[0] == []
    looks = iter([False, True])
    assert list(watch(here.backend, run_id, stop=lambda: next(looks, True))) == []
    cancel_run(here.backend, run_id, Caller("me", "admin"))
    assert list(watch(here.backend, run_id)) == []
