"""What the surroundings say to a deployed code location; the only reader of environment variables.

    FLOWHUB_ENV         the profile that runs take unless their config names another
    FLOWHUB_PIPELINES   folders of workflow files, separated as in PATH

The same can stand in the user's pyproject.toml, which is looked for in the working directory and above it;
a variable beats it. A profile in it serves the flows that lack one of that name, and plain Dagster assets:

    [tool.flowhub]
    pipelines = ["workflows"]
    shipped = false          # leaves the shipped pipelines out

    [tool.flowhub.env.default]
    WORKSPACE = "./tmp"

    [tool.flowhub.kubernetes]   # as step_handler.auto in a run's config, which beats it
    seconds_to_start = 1800

Queues, pools and patience are explained in resources/queues.py, alerts in resources/alerts.py.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from flowhub_assets.errors import ProfileError
from flowhub_assets.ir.pipeline import DEFAULT_PROFILE
from flowhub_assets.ir.spelling import did_you_mean, listed
from flowhub_assets.resources.alerts import Alerts, alerts_of
from flowhub_assets.resources.queues import Queues, patience_of, pools_of, queues_of

_SETTINGS = ("pipelines", "shipped", "env", "kubernetes", "queues", "pools", "patience", "alerts")


@dataclass(frozen=True)
class Settings:
    """``profile`` is a profile's name, ``folders`` absolute paths, ``profiles`` profile name to values.

    ``shipped`` says whether the shipped pipelines are loaded too. ``kubernetes`` is config of the executor, for runs
    whose heavy steps go there.
    """

    profile: str = DEFAULT_PROFILE
    folders: tuple[Path, ...] = ()
    profiles: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    shipped: bool = True
    kubernetes: Mapping[str, Any] = field(default_factory=dict)
    queues: Queues = field(default_factory=Queues)
    alerts: Alerts = field(default_factory=Alerts)


def read_settings(
    environment: Mapping[str, str] | None = None, working_directory: str | os.PathLike[str] = "."
) -> Settings:
    """The settings of this process. Raises ProfileError for a pyproject.toml that cannot be used."""
    environment = os.environ if environment is None else environment
    project = _find_pyproject(Path(working_directory).absolute())
    table = _flowhub_table(project, project.stat().st_mtime_ns) if project else {}
    here = Path(working_directory).absolute()
    if environment.get("FLOWHUB_PIPELINES"):
        folders = [here / part for part in environment["FLOWHUB_PIPELINES"].split(os.pathsep) if part]
    else:
        folders = [project.parent / part for part in table.get("pipelines", ())] if project else []
    return Settings(
        profile=environment.get("FLOWHUB_ENV") or DEFAULT_PROFILE,
        folders=tuple(folder.resolve() for folder in folders),
        profiles=table.get("env", {}),
        shipped=table.get("shipped", True),
        kubernetes=table.get("kubernetes", {}),
        queues=_queues(table, project) if project else Queues(),
        alerts=alerts_of(table, project) if project else Alerts(),
    )


def _queues(table: Mapping[str, Any], project: Path) -> Queues:
    return Queues(
        queues_of(table, project),
        frozenset(table.get("env", {})),
        pools_of(table, project),
        patience_of(table, project),
    )


def deployed_profile(own: Mapping[str, Mapping[str, Any]]) -> tuple[str, dict[str, Any]]:
    """The name of the code location's profile, and its values for a flow with the profiles ``own``.

    {} where neither the flow nor pyproject.toml has it. Raises ProfileError as ``read_settings`` does.
    """
    settings = read_settings()
    return settings.profile, {**settings.profiles.get(settings.profile, {}), **own.get(settings.profile, {})}


def _find_pyproject(start: Path) -> Path | None:
    candidates = (folder / "pyproject.toml" for folder in (start, *start.parents))
    return next((path for path in candidates if path.is_file()), None)


@lru_cache(maxsize=8)
def _flowhub_table(project: Path, _changed: int) -> Mapping[str, Any]:
    # Each step asks several times; the file is read again when it has changed.
    try:
        document = tomllib.loads(project.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProfileError(
            f"it cannot be read: {error.strerror}", where=project, remedy="check its permissions: ls -l"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileError(f"it is not TOML: {error}", where=project, remedy="mend the file") from None
    tool = _table(document.get("tool", {}), "[tool]", project)
    table = _table(tool.get("flowhub", {}), "[tool.flowhub]", project)
    for name in table:
        if name not in _SETTINGS:
            remedy = did_you_mean(name, _SETTINGS) or f"it has {listed(_SETTINGS)}"
            raise ProfileError(f"[tool.flowhub] has no setting {name!r}", where=project, remedy=remedy)
    _table(table.get("kubernetes", {}), "[tool.flowhub.kubernetes]", project)
    if not isinstance(table.get("shipped", True), bool):
        raise ProfileError(
            f"[tool.flowhub] shipped is {table['shipped']!r}",
            where=project,
            remedy="Write shipped = false to leave the shipped pipelines out.",
        )
    pipelines, env = table.get("pipelines", []), table.get("env", {})
    if not (isinstance(pipelines, list) and all(isinstance(part, str) for part in pipelines)):
        raise ProfileError(
            f"[tool.flowhub] pipelines is {pipelines!r}",
            where=project,
            remedy='write a list of folders: pipelines = ["workflows"]',
        )
    if not (isinstance(env, dict) and all(isinstance(values, dict) for values in env.values())):
        raise ProfileError(
            "[tool.flowhub.env] must hold one table for each profile",
            where=project,
            remedy="write [tool.flowhub.env.default] and its values below",
        )
    return table


def _table(value: object, name: str, project: Path) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise ProfileError(
        f"{name} is {value!r}, not a table", where=project, remedy='write [tool.flowhub] and pipelines = ["workflows"]'
    )
