"""Names that two files cannot both have in one code location.

Dagster refuses the whole location for such a pair. Found here, it costs only the later of the two files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from dagster import Definitions, JobDefinition, RepositoryDefinition, ScheduleDefinition, SensorDefinition

from flowhub_assets.errors import DefinitionError
from flowhub_assets.to_dagster.flow_definitions import FlowDefinitions
from flowhub_assets.to_dagster.plain_definitions import own_asset_keys


class Claim(NamedTuple):
    """A name that Dagster takes once, and what has it: the same object may claim its name again."""

    kind: str
    name: str
    holder: object


class Claims:
    """The names that the files loaded so far have."""

    def __init__(self, own: Iterable[Claim], owner: str) -> None:
        self._taken = {(claim.kind, claim.name): (claim.holder, owner) for claim in own}

    def take(self, claims: Iterable[Claim], path: Path) -> None:
        """Notes the names of the file ``path``. Raises DefinitionError, and notes none, if one is taken."""
        asked: dict[tuple[str, str], tuple[object, str]] = {}
        for kind, name, holder in claims:
            other, owner = self._taken.get((kind, name)) or asked.get((kind, name)) or (holder, "")
            if other is not holder:
                raise DefinitionError(
                    f"its {kind} {name!r} is taken",
                    where=path,
                    effect=f"{owner} has one of that name, and Dagster takes one: nothing of this file is loaded.",
                    remedy="Give one of them another name, or leave it out.",
                )
            asked[kind, name] = holder, str(path)
        self._taken.update(asked)


def claims_of_flow(flow: FlowDefinitions) -> Iterator[Claim]:
    """The names of one flow's assets, jobs, ops, schedule and sensor."""
    for asset in flow.assets:
        yield from (Claim("asset", key.to_user_string(), asset) for key in asset.keys)
    for job in (flow.job, flow.failure_job):
        if job is not None:
            yield from _of_job(job)
    triggers: list[ScheduleDefinition | SensorDefinition] = [*flow.schedules, *flow.sensors]
    for trigger in triggers:
        yield Claim("schedule or sensor", trigger.name, trigger)


def claims_of_definitions(definitions: Definitions, repository: RepositoryDefinition) -> Iterator[Claim]:
    """The names in a user's own definitions, of which ``repository`` has been made alone."""
    own = own_asset_keys(definitions)
    for key, asset in {**repository.assets_defs_by_key, **repository.source_assets_by_key}.items():
        if key not in own:
            continue  # another file's, of which this one takes the value
        yield Claim("asset", key.to_user_string(), asset)
    for check, checks in repository.asset_checks_defs_by_key.items():
        yield Claim("asset check", f"{check.asset_key.to_user_string()}:{check.name}", checks)
    for job in repository.get_all_jobs():
        yield from _of_job(job)
    triggers: list[ScheduleDefinition | SensorDefinition] = [*repository.schedule_defs, *repository.sensor_defs]
    for trigger in triggers:
        yield Claim("schedule or sensor", trigger.name, trigger)
    yield from claims_of_location(definitions)


def claims_of_location(definitions: Definitions) -> Iterator[Claim]:
    """The names of what a Definitions object gives to a whole code location: resources, loggers, the executor."""
    for kind, named in (("resource", definitions.resources), ("logger", definitions.loggers)):
        yield from (Claim(kind, name, holder) for name, holder in (named or {}).items())
    if definitions.executor is not None:
        yield Claim("executor", "executor", definitions.executor)


def _of_job(job: JobDefinition) -> Iterator[Claim]:
    # Names with __ in front are Dagster's own: each repository has its __ASSET_JOB.
    if not job.name.startswith("__"):
        yield Claim("job", job.name, job)
    yield from (Claim("op", node.name, node) for node in job.all_node_defs if node is not job.graph)
