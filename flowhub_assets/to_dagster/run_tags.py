"""What a pipeline says of its runs → the tags by which Dagster's queue orders and limits them."""

from __future__ import annotations

from flowhub_assets.errors import DefinitionError, NotFound
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.names import dagster_name, tag_key
from flowhub_assets.resources.queues import Queues
from flowhub_assets.resources.settings import read_settings

#: The tag that a pipeline with ``concurrency: N`` puts on its runs, N at its end and the pipeline's name its value.
#: deploy/dagster.yaml limits each value of each of these keys to that many runs at a time.
CONCURRENCY_TAG = "flowhub/at_most_"


def run_tags(pipeline: Pipeline, queues: Queues | None = None) -> dict[str, str]:
    """The tags of a pipeline's runs: its own, its priority, its queue and how many of them may run at a time.

    Every run of its job has them: a schedule's, a sensor's, one of the UI or of a door. ``queues`` are those of
    pyproject.toml where None. Raises DefinitionError for a queue that is not among them, if there are any.
    """
    tags = {tag_key(tag): "" for tag in pipeline.tags} | _queue_tags(pipeline, queues)
    if pipeline.concurrency:
        tags[f"{CONCURRENCY_TAG}{pipeline.concurrency}"] = dagster_name(pipeline.name)
    return tags


def _queue_tags(pipeline: Pipeline, queues: Queues | None) -> dict[str, str]:
    queues = read_settings().queues if queues is None else queues
    try:
        return queues.tags(pipeline.queue, pipeline.priority or None)
    except NotFound as error:
        raise DefinitionError(
            error.what, where=pipeline.source, effect="Its runs would wait in none.", remedy=error.remedy
        ) from None
