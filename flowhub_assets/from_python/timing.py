"""The keywords of @flow about time: when it starts by itself, what each run is about, and what is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from flowhub_assets.errors import DefinitionError
from flowhub_assets.from_python import options
from flowhub_assets.from_python.where import caller
from flowhub_assets.ir.triggers import Dedupe, Dimension, Partitions, Schedule


def timing(words: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a Pipeline that ``words`` fill. Raises DefinitionError for a wrong type."""
    zone = options.text("timezone", words.get("timezone"), "Asia/Seoul")
    partitions = _partitions(words.get("partitions"), zone)
    return {
        "schedule": _schedule(words.get("schedule"), zone, partitions is not None),
        "partitions": partitions,
        "deadline": options.seconds("deadline", words.get("deadline")),
        "freshness": options.seconds("freshness", words.get("freshness")),
        "dedupe": _dedupe(words.get("dedupe")),
        "automation": options.text("automation", words.get("automation"), "eager"),
        "deps": options.texts("deps", words.get("deps"), "wines/table"),
    }


def _schedule(value: object, timezone: Optional[str], partitioned: bool) -> Optional[Schedule]:
    if value is None:
        if timezone is not None and not partitioned:
            raise DefinitionError(
                f"timezone={timezone!r} is given without a schedule",
                where=caller(),
                effect="it would have no effect",
                remedy="write schedule='0 6 * * *' too, or leave it out",
            )
        return None
    zone = "UTC" if timezone is None else timezone
    if isinstance(value, str):
        return Schedule(cron=value.strip(), timezone=zone)
    if hasattr(value, "total_seconds"):
        return Schedule(interval=value.total_seconds(), timezone=zone)
    raise options.wrong("schedule", value, "a cron expression, '0 6 * * *', a preset, '@daily', or timedelta(hours=1)")


def _partitions(value: object, zone: Optional[str]) -> Optional[Partitions]:
    example = "{'every': 'daily', 'start': '2026-01-01'}, or lists of keys, {'model': ['small', 'large']}"
    if isinstance(value, Mapping) and any(isinstance(keys, (list, tuple)) for keys in value.values()):
        return Partitions(dimensions=tuple(_dimension(name, keys) for name, keys in value.items()))
    given = _fields("partitions", value, ("every", "start"), ("timezone",), example)
    if given is None:
        return None
    texts = {name: options.text(f"partitions[{name!r}]", given[name], "2026-01-01") or "" for name in given}
    return Partitions(texts["every"], texts["start"], texts.get("timezone") or zone or "UTC")


def _dimension(name: object, keys: object) -> Dimension:
    if not isinstance(name, str):
        raise options.wrong("a name in partitions", name, "a string: partitions={'model': ['small', 'large']}")
    return Dimension(name, options.texts(f"partitions[{name!r}]", keys, "small"))


def _dedupe(value: object) -> Optional[Dedupe]:
    given = _fields("dedupe", value, ("key", "lifetime"), (), "{'key': '{{$today}}', 'lifetime': 3600}")
    if given is None:
        return None
    key = options.text("dedupe['key']", given["key"], "{{$today}}")
    return Dedupe(key or "", options.seconds("dedupe['lifetime']", given["lifetime"]) or 0.0)


def _fields(
    word: str, value: object, needed: tuple[str, ...], others: tuple[str, ...], example: str
) -> Optional[dict[str, Any]]:
    """The dict ``value``, which has all of ``needed`` and nothing else but ``others``; None stays None."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise options.wrong(word, value, f"{word}={example}")
    unknown = next((name for name in value if name not in (*needed, *others)), None)
    missing = next((name for name in needed if name not in value), None)
    if unknown is not None or missing is not None:
        what = f"{word} has no {unknown!r}" if unknown is not None else f"{word} lacks {missing!r}"
        raise DefinitionError(what, where=caller(), remedy=f"write {word}={example}")
    # A timedelta is no JSON: the values are taken as they are.
    return dict(value)
