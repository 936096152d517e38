"""What a watched run shows, in words and as a table."""

from __future__ import annotations

import io

import pytest

from flowhub_assets.cli.run_display import LiveDisplay, PlainDisplay, event_line
from flowhub_assets.server.run_facts import LOG, RunEvent, RunView, StepView


def event(kind: str, step: str = "", message: str = "", attempt: int = 1) -> RunEvent:
    return RunEvent("", 0.0, kind, step, "INFO", message, attempt)


VIEW = RunView(
    run_id="0f",
    pipeline="[bold]steps",
    job="steps",
    status="STARTED",
    created=1.0,
    steps=(StepView("first", "SUCCESS", 2, 10.0, 12.5), StepView("[red]second", "WAITING")),
)


@pytest.mark.parametrize(
    ("happened", "line"),
    [
        (event(LOG, "first", "hello"), "first | hello"),
        (event(LOG, "", "hello"), "hello"),
        (event("RUN_START"), "run started"),
        (event("STEP_START", "first"), "first started"),
        (event("STEP_RESTARTED", "first", attempt=2), "first started again (attempt 2)"),
        (event("STEP_FAILURE", "first", "It failed.\nValueError: x"), "first failed: ValueError: x"),
        (event("STEP_FAILURE", "first"), "first failed"),
        (event("STEP_SKIPPED", "first"), "first skipped"),
        (event("HANDLED_OUTPUT", "first", "Handled"), ""),
    ],
)
def test_an_event_is_one_line(happened: RunEvent, line: str) -> None:
    assert event_line(happened) == line


def test_a_step_that_is_alone_needs_no_name() -> None:
    assert event_line(event(LOG, "first", "hello"), alone=True) == "hello"


def test_plain_lines_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with PlainDisplay() as shown:
        shown.on_view(VIEW)
        for one in (event("STEP_START", "first"), event("STEP_INPUT", "first"), event(LOG, "first", "hello")):
            shown.on_event(one)
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "first started\nfirst | hello\n")


def test_the_table_has_a_row_for_each_step_and_lines_stand_above_it() -> None:
    out = io.StringIO()
    with LiveDisplay(file=out, force_terminal=True, width=100, color_system=None) as shown:
        shown.on_event(event(LOG, "first", "[red]hello[/red]"))
        shown.on_view(VIEW)
    told = out.getvalue()
    assert "first | [red]hello[/red]" in told
    assert "[bold]steps 0f: STARTED" in told
    last = told[told.rindex("step ") :]
    assert "success" in last
    assert "2.5" in last
    assert "[red]second" in last
    assert "waiting" in last
