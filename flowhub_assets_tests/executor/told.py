"""What the event log of a run says, in short."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import dagster as dg

STEP_ENDS = {
    dg.DagsterEventType.STEP_SUCCESS,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.STEP_SKIPPED,
    dg.DagsterEventType.STEP_UP_FOR_RETRY,
}


def events(instance: dg.DagsterInstance, run_id: str) -> list[tuple[str | None, str]]:
    """(step key, event type) of each event, in the log's order."""
    entries = instance.all_logs(run_id)
    return [
        (entry.get_dagster_event().step_key, entry.get_dagster_event().event_type.name)
        for entry in entries
        if entry.is_dagster_event
    ]


def ends(instance: dg.DagsterInstance, run_id: str) -> dict[str, list[str]]:
    """How each step's tries ended."""
    told: dict[str, list[str]] = {}
    for entry in instance.all_logs(run_id, of_type=STEP_ENDS):
        event = entry.get_dagster_event()
        told.setdefault(event.step_key or "", []).append(event.event_type.name)
    return told


def most_at_once(folder: Path) -> int:
    """The most steps that were between their marks in ``begun`` and ``ended`` at one time."""
    changes = [(float(line), 1) for line in (folder / "begun").read_text().split()]
    changes += [(float(line), -1) for line in (folder / "ended").read_text().split()]
    running = most = 0
    for _, change in sorted(changes):
        running += change
        most = max(most, running)
    return most


def compute_logs(instance: dg.DagsterInstance, run_id: str) -> dict[str, tuple[str, str]]:
    """Per step: what it has printed to stdout and to stderr, of logs that are complete."""
    printed: dict[str, tuple[str, str]] = {}
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.LOGS_CAPTURED):
        captured = entry.get_dagster_event().logs_captured_data
        key = instance.compute_log_manager.build_log_key_for_run(run_id, captured.file_key)
        assert instance.compute_log_manager.is_capture_complete(key)
        data = instance.compute_log_manager.get_log_data(key)
        (step,) = captured.step_keys or ()
        printed[step] = ((data.stdout or b"").decode(), (data.stderr or b"").decode())
    return printed


def counted(folder: Path, name: str) -> int:
    """How often an op has left the mark ``name``."""
    path = folder / name
    return len(path.read_text().splitlines()) if path.exists() else 0


def log_lines(instance: dg.DagsterInstance, run_id: str) -> Counter[tuple[str | None, str]]:
    """(step key, message) of what users log."""
    return Counter(
        (entry.step_key, entry.user_message) for entry in instance.all_logs(run_id) if not entry.is_dagster_event
    )
