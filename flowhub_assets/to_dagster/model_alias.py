"""The trigger model-alias → a sensor that asks MLflow's registry where an alias stands, and starts a run when it moved.

An alias has no history: between two looks only its last place counts. The cursor is that place, a version and when it
was made, so that a registry that was begun anew is told from the one before. It is set with the run, never before, so
a move that could not start one yet is seen again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from dagster import JobDefinition, RunRequest, SensorDefinition, SensorEvaluationContext, SensorResult

from flowhub_assets.errors import InputError, Unavailable
from flowhub_assets.ir.alias_checks import MODEL_ALIAS
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.ml.aliases import AliasedVersion, aliased
from flowhub_assets.resources.profiles import ProfileResource
from flowhub_assets.resources.settings import read_settings
from flowhub_assets.to_dagster.params import SHARED_PARAMS, TRIGGER, params_key
from flowhub_assets.to_dagster.starting import start_each

#: A run's tag: the model, the alias and the version that it is for, iris@champion 3.
MODEL_TAG = "flowhub/model"

#: The seconds between two looks.
_EVERY = 10


@dataclass(frozen=True)
class AliasTrigger:
    """Moves of the ``alias`` of a registered ``model`` start ``pipeline``.

    ``params`` is the resource whose config takes what the trigger brought.
    """

    pipeline: Pipeline
    model: str
    alias: str
    params: str

    def look(self) -> AliasedVersion | None:
        """Where the alias stands. Raises ProfileError, Unavailable where the registry cannot be asked."""
        return aliased(self.model, self.alias, ProfileResource(name=read_settings().profile).of(self.pipeline))

    def request(self, now: AliasedVersion, before: str | None, moment: datetime) -> RunRequest:
        """The run that the move to ``now`` starts; ``before`` is the version where the last run saw the alias."""
        trigger = {
            "type": MODEL_ALIAS,
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "model": self.model,
            "alias": self.alias,
            "version": now.version,
            "before": before,
        }
        return RunRequest(
            run_config={"resources": {self.params: {"config": {TRIGGER: trigger}}}},
            tags={MODEL_TAG: f"{self.model}@{self.alias} {now.version}"},
        )


def alias_sensors(pipeline: Pipeline, job: JobDefinition) -> Iterator[SensorDefinition]:
    """The sensors of a pipeline's triggers of type model-alias, switched on in the UI by its user."""
    triggers = [trigger for trigger in pipeline.triggers if trigger.type == MODEL_ALIAS]
    for number, trigger in enumerate(triggers):
        key = params_key(pipeline)
        params = key if key in job.resource_defs else SHARED_PARAMS
        one = AliasTrigger(pipeline, trigger.config["model"], trigger.config["alias"], params)
        name = f"{job.name}_alias{f'_{number + 1}' if number else ''}"
        yield SensorDefinition(
            name=name,
            job=job,
            evaluation_fn=partial(_tick, one, name),
            minimum_interval_seconds=_EVERY,
            description=f"Starts {pipeline.name} when the alias {one.alias} of the model {one.model} moves in MLflow.",
        )


def _tick(trigger: AliasTrigger, name: str, context: SensorEvaluationContext) -> SensorResult:
    seen, what = _seen(context.cursor), f"{trigger.model}@{trigger.alias}"
    try:
        now = trigger.look()
    except Unavailable as away:
        return SensorResult(skip_reason=str(away), cursor=context.cursor)
    if now is None:
        # Where it is set again later, that is a move, also to the version that it had.
        return SensorResult(skip_reason=f"{what} is not set: no version has the alias", cursor=_written(None))
    if now == seen:
        return SensorResult(skip_reason=f"{what} is version {now.version}, as before", cursor=context.cursor)
    moment = datetime.now(UTC)
    request = trigger.request(now, seen.version if seen else None, moment)
    runs, why_not = start_each(trigger.pipeline, context, name, moment, [request])
    if not runs:
        return SensorResult(skip_reason=why_not, cursor=context.cursor)
    return SensorResult(run_requests=runs, cursor=_written(now))


def _written(place: AliasedVersion | None) -> str:
    return json.dumps({"version": place.version, "made": place.made} if place else {})


def _seen(cursor: str | None) -> AliasedVersion | None:
    """The place that the cursor holds; none before the first look, and where the alias was not set."""
    try:
        read: Any = json.loads(cursor or "{}")
        return AliasedVersion(str(read["version"]), int(read["made"])) if read != {} else None
    except (ValueError, LookupError, TypeError, RecursionError):
        raise InputError(
            f"the cursor {str(cursor)[:60]!r} is none of this sensor",
            effect="Nothing is started.",
            remedy="Reset the sensor's cursor in Dagster's UI.",
        ) from None
