"""What templates can do with times, which are texts in ISO 8601 such as ``$now``."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any
from zoneinfo import ZoneInfo

from flowhub_assets.nodes.expressions.limits import Budget
from flowhub_assets.nodes.expressions.operations import is_number
from flowhub_assets.nodes.expressions.problem import TemplateProblem, described
from flowhub_assets.nodes.expressions.text_functions import number, text

#: strftime's own codes that give the same everywhere; a width such as %999999999Y fills the memory.
_CODES = "aAbBdfHIjmMpSuVwyYGzZ%"
_WRONG_CODE = re.compile(rf"%(?![{_CODES}]).?", re.DOTALL)
_LONGEST_FORMAT = 200


def date(_: Budget, value: Any, format: Any = "%Y-%m-%d", tz: Any = None, days: Any = 0, hours: Any = 0) -> str:  # noqa: A002 - read in templates as format=
    """The time in another format, in the time zone ``tz``, so many days and hours later (or earlier, below 0)."""
    pattern = text(format, "date")
    wrong = _WRONG_CODE.search(pattern)
    if wrong or len(pattern) > _LONGEST_FORMAT:
        raise TemplateProblem(
            f"date does not know {wrong.group()!r}" if wrong else "the format of date is too long",
            remedy="It takes %Y-%m-%d %H:%M:%S, %j, %V, %a, %b and the like.",
        )
    moment = _moved(_time(value), days, hours)
    return (moment.astimezone(_zone(tz)) if tz is not None else moment).strftime(pattern)


def add_time(_: Budget, value: Any, days: Any = 0, hours: Any = 0, minutes: Any = 0) -> str:
    """The time so much later (or earlier, below 0), as ISO 8601."""
    moment = _moved(_time(value), days, hours, minutes)
    if isinstance(value, str) and len(value) == len("2024-01-31"):
        return moment.date().isoformat()
    return moment.isoformat().replace("+00:00", "Z")


def timestamp(_: Budget, value: Any) -> float:
    """The time as seconds since 1970 in UTC."""
    return _time(value).timestamp()


def _time(value: Any) -> dt.datetime:
    if is_number(value):
        try:
            return dt.datetime.fromtimestamp(value, dt.UTC)
        except (OverflowError, ValueError, OSError):
            raise TemplateProblem(f"{described(value)} is no time") from None
    try:
        moment = dt.datetime.fromisoformat(text(value, "date"))
    except ValueError:
        raise TemplateProblem(
            f"{described(value)} is no time", remedy="Write it as 2024-01-31 or 2024-01-31T09:00:00Z."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _moved(moment: dt.datetime, days: Any, hours: Any, minutes: Any = 0) -> dt.datetime:
    try:
        return moment + dt.timedelta(
            days=number(days, "days"), hours=number(hours, "hours"), minutes=number(minutes, "minutes")
        )
    except OverflowError:
        raise TemplateProblem("the time lies outside of the years 1 to 9999") from None


def _zone(name: Any) -> ZoneInfo:
    try:
        return ZoneInfo(text(name, "tz"))
    except (KeyError, ValueError, OSError):
        raise TemplateProblem(f"there is no time zone {name!r}", remedy="Write one such as Asia/Seoul.") from None
