"""A delivery is kept in the transaction that keeps its run: neither is there without the other, and each once."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from flowhub_assets.server.backend import Backend
from flowhub_assets.store import deliveries
from flowhub_assets.store.deliveries import Answer, Delivery
from flowhub_assets.store.submissions import Submission

#: For how many seconds a delivery is answered as it was the first time: senders try again for some days.
LIFETIME = 7 * 24 * 3_600.0
#: What runs of hooks are tagged with.
DOOR = "webhook"


class Known(Exception):
    """The delivery is there already."""

    def __init__(self, found: Delivery) -> None:
        super().__init__(found.run_id)
        self.found = found


def keeping(submission: Submission, ids: Sequence[str], answer: Answer | None) -> Callable[[Connection], None]:
    """Keeps deliveries with their submission. Raises Known if one is there already: then nothing is kept."""

    def keep(connection: Connection) -> None:
        now = submission.accepted
        for one in ids:
            found = deliveries.find(connection, submission.pipeline, one, now)
            if found is not None:
                raise Known(found)
            deliveries.keep(connection, submission.pipeline, one, submission.run_id, answer, now + LIFETIME, now)

    return keep


def accepted(backend: Backend, run_id: str) -> Answer:
    """202, and where the run is."""
    location = f"/api/v1/runs/{run_id}"
    body = {"run_id": run_id, "url": backend.run_url(run_id) or location}
    return Answer(202, {"Location": location, "Content-Type": "application/json"}, json.dumps(body))
