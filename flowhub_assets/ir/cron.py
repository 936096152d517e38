"""Cron expressions as far as Dagster and Airflow both read them: five fields, or a preset."""

from __future__ import annotations

import re
from typing import Optional

PRESETS = ("@hourly", "@daily", "@weekly", "@monthly", "@yearly")

_OTHER_PRESETS = {
    "@midnight": "write '@daily'",
    "@annually": "write '@yearly'",
    "@once": "leave schedule out and start the one run by hand",
    "@reboot": "leave schedule out and start the run by hand",
    "@continuous": "write a timedelta: schedule=timedelta(minutes=1)",
}
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_DAYS = "sun mon tue wed thu fri sat".split()

#: name, least, greatest, words for the numbers from the least on
_FIELDS: tuple[tuple[str, int, int, list[str]], ...] = (
    ("minute", 0, 59, []),
    ("hour", 0, 23, []),
    ("day of month", 1, 31, []),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 7, _DAYS),
)
_DAYS_IN_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def fault(text: str) -> Optional[tuple[str, str]]:
    """What is wrong with a cron expression, and what to write instead; None if nothing is."""
    if text.startswith("@"):
        if text in PRESETS:
            return None
        return "is not a preset", _OTHER_PRESETS.get(text.lower(), f"the presets are {', '.join(PRESETS)}")
    parts = text.split()
    if len(parts) != len(_FIELDS):
        hint = "leave the seconds out: " if len(parts) == 6 else ""
        fields = "minute, hour, day of month, month, day of week"
        return f"has {len(parts)} fields", f"{hint}write five: {fields}; '0 6 * * *' is each day at six"
    values: list[set[int]] = []
    for part, (name, least, greatest, words) in zip(parts, _FIELDS):
        try:
            values.append(_numbers(part, least, greatest, words))
        except ValueError as error:
            return (
                f"has {part!r} as its {name}: {error}",
                f"the {name} is {least}-{greatest}, '*', '*/5', '1,15' or '1-5'",
            )
    return _never(days=values[2], months=values[3])


def _numbers(field: str, least: int, greatest: int, words: list[str]) -> set[int]:
    found: set[int] = set()
    for item in field.lower().split(","):
        span, slash, step_text = item.partition("/")
        step = _number(step_text, 1, greatest, []) if slash else 1
        if span == "*":
            first, last = least, greatest
        else:
            first_text, dash, last_text = span.partition("-")
            first = _number(first_text, least, greatest, words)
            last = _number(last_text, least, greatest, words) if dash else (greatest if slash else first)
        if last < first:
            raise ValueError(f"{span!r} runs backwards")
        found.update(range(first, last + 1, step))
    return found


def _number(text: str, least: int, greatest: int, words: list[str]) -> int:
    if text in words:
        return words.index(text) + least
    if not re.fullmatch(r"\d{1,4}", text, re.ASCII):
        raise ValueError(f"{text!r} is not a number" if text else "a number is missing")
    if not least <= int(text) <= greatest:
        raise ValueError(f"{text} lies outside {least}-{greatest}")
    return int(text)


def _never(days: set[int], months: set[int]) -> Optional[tuple[str, str]]:
    # With a day of the week beside it such a date would do no harm, but Dagster refuses it all the same.
    if any(day <= _DAYS_IN_MONTH[month - 1] for month in months for day in days):
        return None
    return "names a day that its months do not have", "write a day of that month; '0 6 28 2 *' is the 28th of February"
