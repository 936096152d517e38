"""Where a step runs and how many of its kind at once, as an op's tags say."""

from __future__ import annotations

from collections.abc import Mapping

from flowhub_assets.errors import RunError

#: The op tag that places a step: LIGHT, CHILD or HEAVY.
PLACEMENT_TAG = "flowhub/placement"
#: The op tag that limits how many steps of one op (the mapped ones of a loop, say) run at once in a run.
MAX_CONCURRENT_TAG = "flowhub/max_concurrent"

#: In a thread of the run worker: for what waits more than it computes.
LIGHT = "light"
#: In a child forked from the run worker, while a thread of that waits for it: for functions in Python.
CHILD = "child"
#: In a process or pod of its own, which the executor's step handler starts.
HEAVY = "heavy"
#: In a pod, for it asks for something that only a cluster has: HEAVY on Kubernetes, CHILD on this machine.
POD = "pod"
#: In a pod of an image of its own, which needs nothing of Dagster, while a thread of the run worker waits for it. HEAVY
#: on this machine.
OWN_IMAGE = "own image"

PLACEMENTS = (LIGHT, CHILD, HEAVY, POD, OWN_IMAGE)
#: What two of them are where heavy steps go to Kubernetes, and where they do not.
ON_KUBERNETES, ON_THIS_MACHINE = {POD: HEAVY}, {POD: CHILD, OWN_IMAGE: HEAVY}
#: The placements whose steps are the run worker's own.
IN_RUN_WORKER = (LIGHT, CHILD, OWN_IMAGE)


def placement_of(tags: Mapping[str, str] | None, untagged: str = HEAVY) -> str:
    """One of PLACEMENTS; ``untagged`` for a step whose tags do not say. Raises RunError for another word."""
    placement = (tags or {}).get(PLACEMENT_TAG, untagged)
    if placement not in PLACEMENTS:
        raise RunError(
            f"the tag {PLACEMENT_TAG!r} is {placement!r}",
            effect="The executor does not know where to run the step: nothing of this run was started.",
            remedy=f"Write {', '.join(map(repr, PLACEMENTS[:-1]))} or {PLACEMENTS[-1]!r}.",
        )
    return placement


def concurrency_limit(tags: Mapping[str, str] | None) -> int | None:
    """The most steps of one op at a time, None for no limit. Raises RunError if it is no number from 1."""
    text = (tags or {}).get(MAX_CONCURRENT_TAG)
    if text is None:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise RunError(
            f"the tag {MAX_CONCURRENT_TAG!r} is {text!r}",
            effect="The executor does not know how many steps of the op may run at once: nothing was started.",
            remedy="Write a whole number from 1.",
        )
    return int(text)


def op_of_step(step_key: str) -> str:
    """The part of a step's key that all mapped steps of one op share: what stands before ``[``."""
    return step_key.partition("[")[0]
