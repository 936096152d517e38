"""A bucket's notification → a run for each object that it tells of, or one for all; one that was told has its run."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from flowhub_assets.errors import Conflict
from flowhub_assets.nodes.bucket_notifications import arrival_key, arrivals, batch
from flowhub_assets.nodes.builtin.object_arrival import ObjectArrival
from flowhub_assets.resources.settings import deployed_profile
from flowhub_assets.server.access import Caller
from flowhub_assets.server.backend import Backend
from flowhub_assets.server.hooks.finding import Hook
from flowhub_assets.server.hooks.keeping import DOOR, Known, accepted, keeping
from flowhub_assets.server.runs import StartRequest
from flowhub_assets.store import deliveries
from flowhub_assets.store.deliveries import Answer

#: How often it is looked anew which objects are known, where others tell of them at the same moment.
_TRIES = 5


def take_objects(backend: Backend, hook: Hook, config: ObjectArrival.Config, document: Any, who: Caller) -> Answer:
    """What the bucket is answered: the runs of all objects that the trigger waits for. Raises ParamsRefused, Conflict.

    A batch is of those alone that nobody has told of before.
    """
    _, profile = deployed_profile(hook.entry.pipeline.profiles)
    one_by_one = {**hook.config, "per": "object"}
    found = {arrival_key(one): one for one in arrivals(document, one_by_one, profile.get("BUCKET"))}
    groups = [list(found)] if config.per == "batch" else [[key] for key in found]
    runs = [run for group in groups if group for run in _taken(backend, hook, config, group, found, who)]
    told = json.dumps({"runs": runs})
    return Answer(202 if runs else 200, {"Content-Type": "application/json"}, told)


def _taken(
    backend: Backend,
    hook: Hook,
    config: ObjectArrival.Config,
    ids: Sequence[str],
    found: Mapping[str, Mapping[str, Any]],
    who: Caller,
) -> list[dict[str, Any]]:
    """The runs of these objects: of those that nobody has told of yet a new one."""
    name = hook.entry.pipeline.name
    for _ in range(_TRIES):
        with backend.database.read() as connection:
            known = {one: deliveries.find(connection, name, one, time.time()) for one in ids}
        runs = {one: earlier.run_id for one, earlier in known.items() if earlier is not None}
        fresh = [one for one in ids if one not in runs]
        if fresh:
            objects = [found[one] for one in fresh]
            trigger = batch(objects) if config.per == "batch" else objects[0]
            request = StartRequest(name, trigger=trigger, door=DOOR, caller=who.name, peer=who.peer)
            submission = backend.runs.submission(hook.entry, request)
            try:
                backend.runs.take(submission, request, keeping(submission, fresh, accepted(backend, submission.run_id)))
            except Known:
                continue
            runs.update(dict.fromkeys(fresh, submission.run_id))
        return [{"key": found[one]["key"], **json.loads(accepted(backend, runs[one]).body)} for one in ids]
    raise Conflict(
        "others tell of these objects at this moment", effect="Some runs may be started.", remedy="Send it again."
    )
