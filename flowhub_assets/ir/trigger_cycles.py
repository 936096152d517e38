"""Pipelines that start each other by their runs, round and round: refused, for it would never end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Optional

from flowhub_assets.errors import DefinitionError
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.names import dagster_name


def require_no_cycle(new: Iterable[Pipeline], others: Iterable[Pipeline]) -> None:
    """Raises DefinitionError, at the place of one of the ``new`` pipelines, where runs would start it for ever.

    The others are known to have no cycle among them. However the runs end: one that fails again and again is no
    better than one that succeeds.
    """
    new = list(new)
    starters = {dagster_name(one.name): _starters(one) for one in (*others, *new)}
    for pipeline in new:
        way = _way_back(dagster_name(pipeline.name), starters)
        if way is not None:
            raise DefinitionError(
                f"runs of {pipeline.name!r} would start it again: {' after '.join(way)}",
                where=pipeline.source,
                effect="Each of its runs would start the next, for ever; nothing of this file is loaded.",
                remedy="Take a trigger of type run out of one of these pipelines.",
            )


def _starters(pipeline: Pipeline) -> list[str]:
    return [dagster_name(one.config["pipeline"]) for one in pipeline.triggers if one.type == "run"]


def _way_back(start: str, starters: Mapping[str, list[str]]) -> Optional[list[str]]:
    """The shortest way from a pipeline over those that start it to itself."""
    ways, seen = [[start]], {start}
    for way in ways:
        for name in starters.get(way[-1], []):
            if name == start:
                return [*way, start]
            if name not in seen:
                seen.add(name)
                ways.append([*way, name])
    return None
