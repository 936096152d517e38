"""A place in a run's events: Dagster's own cursor, and how far the files have been read that tasks still write to."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flowhub_assets.errors import InputError

STREAMS = ("stdout", "stderr")
_LONGEST = 1 << 20


@dataclass
class LogFile:
    """What one attempt of a step prints; ``offsets`` are bytes of stdout and stderr that were read."""

    key: str
    step: str
    attempt: int
    offsets: list[int] = field(default_factory=lambda: [0, 0])
    has_ended: bool = False


@dataclass
class RunCursor:
    """``position`` is Dagster's cursor behind the last record; ``attempts`` names steps that are at a further one."""

    position: str | None = None
    files: list[LogFile] = field(default_factory=list)
    attempts: dict[str, int] = field(default_factory=dict)

    def attempt(self, step: str) -> int:
        """Which attempt of a step runs, from 1 on."""
        return self.attempts.get(step, 1)

    def next_attempt(self, step: str) -> None:
        """The one that runs has ended, and another one will be."""
        self.attempts[step] = self.attempt(step) + 1

    def __str__(self) -> str:
        files = [[one.key, one.attempt, *one.offsets, int(one.has_ended)] for one in self.files]
        told = json.dumps([self.position, files, self.attempts], separators=(",", ":"))
        return base64.urlsafe_b64encode(told.encode()).decode().rstrip("=")


def parse_cursor(text: str, captured: Callable[[], Mapping[str, str]]) -> RunCursor:
    """The place of that cursor; ``captured`` says which files the run has, and whose. Raises InputError."""
    try:
        if len(text) > _LONGEST:
            raise ValueError("too long")
        position, files, attempts = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True))
        cursor = RunCursor(_position(position), attempts={str(step): int(number) for step, number in attempts.items()})
        known = captured() if files else {}
        for key, attempt, out, err, has_ended in files:
            offsets = [max(0, int(out)), max(0, int(err))]
            cursor.files.append(LogFile(key, known[key], int(attempt), offsets, bool(has_ended)))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError, binascii.Error):
        raise InputError(
            f"{text[:50]!r} is no cursor of this run",
            where="after",
            effect="Nothing was read.",
            remedy="Give the cursor of an event of the same run as it was told, or none.",
        ) from None
    return cursor


def _position(value: Any) -> str | None:
    """Dagster's own cursor, checked: it parses what it is given."""
    if value is None:
        return None
    told = json.loads(base64.b64decode(value, validate=True))
    if set(told) != {"type", "value"} or not 0 <= int(told["value"]) < 1 << 63 or told["type"] not in _KINDS:
        raise ValueError("no cursor of Dagster's")
    return str(value)


_KINDS = ("OFFSET", "STORAGE_ID")
