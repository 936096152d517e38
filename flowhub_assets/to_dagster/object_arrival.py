"""The trigger object-arrival → a sensor that lists the storage of the profile and starts runs for what is new.

Its runs have no run_key, which Dagster keeps for ever: an object that is written anew is to start another run. None is
needed either, for Dagster keeps a tick's cursor together with the ids of its runs before it submits the first of them,
and a daemon that comes back submits what is missing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from dagster import JobDefinition, RunRequest, SensorDefinition, SensorEvaluationContext, SensorResult

from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.nodes.bucket_notifications import OBJECT_ARRIVAL, batch, is_wanted
from flowhub_assets.nodes.builtin.object_arrival import ObjectArrival
from flowhub_assets.resources.object_pages import EVER, ObjectPages, StoredObject, object_pages
from flowhub_assets.resources.profiles import ProfileResource
from flowhub_assets.resources.settings import read_settings
from flowhub_assets.runtime.s3_client import S3Limits
from flowhub_assets.runtime.values import is_value_key
from flowhub_assets.to_dagster.arrival_cursor import Bounds, Cursor, Taken, take
from flowhub_assets.to_dagster.params import SHARED_PARAMS, TRIGGER, params_key
from flowhub_assets.to_dagster.starting import start_each

#: Dagster ends a tick after 60 seconds. A list that takes longer than this is gone on with at the next tick.
LIST_SECONDS = 20.0
#: A list that takes longer than this is gone through over several ticks, a share of it at each.
SHORT_SECONDS = 2.0
#: A server that does not answer is told as such within a tick.
_LIMITS = S3Limits(retries=2, timeout=10.0, connect_timeout=3.0)

#: A run's tag: the key of the object that it is for.
OBJECT_TAG = "flowhub/object"
_LONGEST_TAG = 200
_MICROSECONDS = 1_000_000


def object_sensors(pipeline: Pipeline, job: JobDefinition) -> Iterator[SensorDefinition]:
    """The sensors of a pipeline's triggers of type object-arrival, switched on in the UI by its user."""
    triggers = [trigger for trigger in pipeline.triggers if trigger.type == OBJECT_ARRIVAL]
    for number, trigger in enumerate(triggers):
        config = ObjectArrival.Config.model_validate(dict(trigger.config))
        key = params_key(pipeline)
        arrivals = Arrivals(pipeline, config, key if key in job.resource_defs else SHARED_PARAMS)
        name = f"{job.name}_objects{f'_{number + 1}' if number else ''}"
        yield SensorDefinition(
            name=name,
            job=job,
            evaluation_fn=partial(_tick, arrivals, name),
            minimum_interval_seconds=max(1, round(config.every)),
            description=f"Starts {pipeline.name} for {_each(config)}: {config.prefix}{config.pattern}.",
        )


@dataclass(frozen=True)
class Arrivals:
    """One trigger of a pipeline. ``params`` is the resource whose config takes what the trigger brought."""

    pipeline: Pipeline
    config: ObjectArrival.Config
    params: str

    def look(
        self, cursor: str | None, *, now: float, clock: Callable[[], float] = time.monotonic
    ) -> tuple[ObjectPages, Taken]:
        """Looks for new objects. Raises InputError for another sensor's cursor, ProfileError, StorageError."""
        read = Cursor.of(cursor)
        profile = ProfileResource(name=read_settings().profile).of(self.pipeline)
        storage = object_pages(profile, _LIMITS)
        since = EVER if read.since is None else read.since
        lateness = round(self.config.lateness * _MICROSECONDS)
        began = clock()
        taken = take(
            read,
            lambda after: storage.pages(self.config.prefix, after, since),
            Bounds(lateness, self.config.limit, looks=self.config.looks, short=SHORT_SECONDS, long=LIST_SECONDS),
            now=round(now * _MICROSECONDS),
            wanted=self.is_wanted,
            existing=self.config.existing,
            seconds=lambda: clock() - began,
        )
        return storage, taken

    def is_wanted(self, key: str) -> bool:
        """Whether an object of that key starts a run. Values of runs do not: they would start runs for ever."""
        return is_wanted(key, {"prefix": self.config.prefix, "pattern": self.config.pattern}) and not is_value_key(key)

    def requests(self, storage: ObjectPages, objects: Sequence[StoredObject]) -> list[RunRequest]:
        """A run for each object, the oldest first, or one for all of them."""
        told = [arrival(storage, one) for one in sorted(objects, key=lambda one: (one.modified, one.key))]
        if self.config.per == "object":
            return [self._request(one, one["key"]) for one in told]
        return [self._request(batch(told), f"{len(told)} objects")]

    def _request(self, trigger: Mapping[str, Any], what: str) -> RunRequest:
        return RunRequest(
            run_config={"resources": {self.params: {"config": {TRIGGER: dict(trigger)}}}},
            tags={OBJECT_TAG: what[:_LONGEST_TAG]},
        )


def arrival(storage: ObjectPages, one: StoredObject) -> dict[str, Any]:
    """What a run finds in ``{{trigger}}``: as a bucket's notification tells it."""
    seconds, rest = divmod(one.modified, _MICROSECONDS)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)
    place = {"bucket": storage.bucket} if storage.bucket is not None else {}
    return {
        "type": OBJECT_ARRIVAL,
        "time": moment.isoformat().replace("+00:00", "Z"),
        "url": storage.url(one.key),
        **place,
        "key": one.key,
        "size": one.size,
        "etag": one.etag,
    }


def _tick(arrivals: Arrivals, name: str, context: SensorEvaluationContext) -> SensorResult:
    storage, taken = arrivals.look(context.cursor, now=time.time())
    cursor = taken.cursor.text()
    if not taken.objects:
        return SensorResult(skip_reason=_why_not(arrivals.config, storage, taken), cursor=cursor)
    moment = datetime.now(UTC)
    asked = arrivals.requests(storage, taken.objects)
    runs, why_not = start_each(arrivals.pipeline, context, name, moment, asked)
    return SensorResult(run_requests=runs, skip_reason=None if runs else why_not, cursor=cursor)


def _why_not(config: ObjectArrival.Config, storage: ObjectPages, taken: Taken) -> str:
    place = f"{storage.name}, below {config.prefix!r}" if config.prefix else storage.name
    told = [f"nothing new among {taken.seen:,} objects in {place}"]
    if taken.tail:
        told.append(f"nor among {taken.tail:,} at its end")
    if taken.waiting:
        told.append(f"{taken.waiting:,} wait: too many came within the lateness, {config.lateness:g} s")
    if taken.more:
        told.append(f"the list is long, the next look goes on behind {taken.cursor.at!r}")
    return "; ".join(told)


def _each(config: ObjectArrival.Config) -> str:
    return "each object that arrives" if config.per == "object" else f"up to {config.limit} objects that arrive"
