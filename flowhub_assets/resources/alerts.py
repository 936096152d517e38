"""Alerts: whom to tell that something is wrong, from [tool.flowhub.alerts] of the user's pyproject.toml, by Apprise.

    [tool.flowhub.alerts]
    urls = [{ env = "TEAM_SLACK_URL" }]       # variables that hold Apprise URLs: slack://, mailtos://, json://
    events = ["failure", "deadline", "freshness", "check", "ticks", "daemon"]   # all of them, if it is left out
    pipelines = ["orders", "shop-*"]          # all of them, if it is left out
    ui = "https://dagster.example.com"        # for links to runs

FLOWHUB_ALERTS holds such URLs, too, with spaces between them. A URL holds a credential more often than not: it stands
in a variable, never in a file, and no message of ours shows it.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from flowhub_assets.errors import ProfileError
from flowhub_assets.ir.spelling import did_you_mean, listed

#: A run has failed; one takes too long; a pipeline has not succeeded for too long; a check of a task does not hold; a
#: schedule or sensor fails tick after tick; a daemon has stopped.
EVENTS = ("failure", "deadline", "freshness", "check", "ticks", "daemon")
VARIABLE = "FLOWHUB_ALERTS"

_SETTINGS = ("urls", "events", "pipelines", "ui")


@dataclass(frozen=True)
class Endpoint:
    """One URL of Apprise; ``name`` says in messages which one is meant, and holds nothing of it."""

    name: str
    url: str = field(repr=False)

    @property
    def id(self) -> str:
        """What stands for it where it is written down."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:16] if self.url else self.name


@dataclass(frozen=True)
class Alerts:
    """Who is told of what. ``variables`` are names of environment variables, each of which holds one URL."""

    variables: tuple[str, ...] = ()
    events: tuple[str, ...] = EVENTS
    pipelines: tuple[str, ...] = ()
    ui: str = ""

    def endpoints(self, environment: Mapping[str, str] | None = None) -> list[Endpoint]:
        """The URLs as they are now, each once; one whose variable is not set is empty."""
        environment = os.environ if environment is None else environment
        found = [Endpoint(f"the URL of {name}", environment.get(name, "").strip()) for name in self.variables]
        for number, url in enumerate(environment.get(VARIABLE, "").split(), 1):
            found.append(Endpoint(f"URL {number} of {VARIABLE}", url))
        first: dict[str, Endpoint] = {}
        for one in found:
            first.setdefault(one.id, one)
        return list(first.values())

    def wants(self, event: str, pipeline: str) -> bool:
        """Whether that is to be told of that pipeline; "" is what concerns no pipeline."""
        if event not in self.events:
            return False
        return not self.pipelines or not pipeline or any(fnmatchcase(pipeline, one) for one in self.pipelines)


def alerts_of(table: Mapping[str, Any], where: Path) -> Alerts:
    """What [tool.flowhub] of the file ``where`` says of alerts. Raises ProfileError for what cannot be used."""
    told = table.get("alerts", {})
    if not isinstance(told, Mapping):
        raise _wrong(f"it is a {type(told).__name__}, not a table", where, "write [tool.flowhub.alerts]")
    for name in told:
        if name not in _SETTINGS:
            remedy = did_you_mean(name, _SETTINGS) or f"it has {listed(_SETTINGS)}"
            raise _wrong(f"it has no setting {name!r}", where, remedy)
    events = _texts(told, "events", where, '["failure"]') or EVENTS
    for event in events:
        if event not in EVENTS:
            raise _wrong(
                f"there is no event {event!r}", where, did_you_mean(event, EVENTS) or f"there are {listed(EVENTS)}"
            )
    ui = told.get("ui", "")
    if not isinstance(ui, str):
        raise _wrong(f"ui is a {type(ui).__name__}", where, 'write ui = "https://dagster.example.com"')
    return Alerts(_variables(told, where), events, _texts(told, "pipelines", where, '["orders"]'), ui.rstrip("/"))


def deliver(endpoint: Endpoint, title: str, text: str) -> str:
    """Tells it; "" if it was taken, else what went wrong, without anything of the URL. Needs Apprise."""
    if not endpoint.url:
        return f"{endpoint.name} is not set"
    try:
        import apprise
    except ImportError:
        return "apprise is not installed: pip install 'flowhub-assets[server]'"
    # Its log lines may hold parts of the URL.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    one = apprise.Apprise()
    if not one.add(endpoint.url):
        return f"{endpoint.name} is no URL that Apprise understands"
    try:
        taken = one.notify(title=title, body=text, notify_type=apprise.NotifyType.FAILURE)
    except Exception as error:  # noqa: BLE001 - whatever a plugin raises: an alert is never the end of who tells it
        return f"{endpoint.name} cannot be told: {type(error).__name__}"
    return "" if taken else f"{endpoint.name} did not take it"


def _variables(told: Mapping[str, Any], where: Path) -> tuple[str, ...]:
    urls = told.get("urls", [])
    if not isinstance(urls, list):
        raise _wrong("urls is no list", where, _VARIABLES)
    for one in urls:
        if not (isinstance(one, Mapping) and list(one) == ["env"] and isinstance(one["env"], str) and one["env"]):
            # It may be a URL with a credential: it is not shown.
            raise _wrong("one of urls is no variable's name", where, _VARIABLES)
    return tuple(one["env"] for one in urls)


_VARIABLES = 'write the name of a variable that holds it: urls = [{ env = "TEAM_SLACK_URL" }]'


def _texts(told: Mapping[str, Any], name: str, where: Path, example: str) -> tuple[str, ...]:
    value = told.get(name, [])
    if not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
        raise _wrong(f"{name} is no list of texts", where, f"write {name} = {example}")
    return tuple(value)


def _wrong(what: str, where: Path, remedy: str) -> ProfileError:
    return ProfileError(f"[tool.flowhub.alerts]: {what}", where=where, remedy=remedy)
