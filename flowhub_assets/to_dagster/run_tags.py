"""What a pipeline says of its runs → the tags by which Dagster's queue orders and limits them."""

from __future__ import annotations

from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.names import dagster_name, tag_key
from flowhub_assets.to_dagster.tags import PRIORITY_TAG

#: The tag that a pipeline with ``concurrency: N`` puts on its runs, N at its end and the pipeline's name its value.
#: deploy/dagster.yaml limits each value of each of these keys to that many runs at a time.
CONCURRENCY_TAG = "flowhub/at_most_"
QUEUE_TAG = "flowhub/queue"


def run_tags(pipeline: Pipeline) -> dict[str, str]:
    """The tags of a pipeline's runs: its own, its priority, its queue and how many of them may run at a time."""
    tags = {tag_key(tag): "" for tag in pipeline.tags}
    if pipeline.priority:
        tags[PRIORITY_TAG] = str(pipeline.priority)
    if pipeline.queue:
        tags[QUEUE_TAG] = pipeline.queue
    if pipeline.concurrency:
        tags[f"{CONCURRENCY_TAG}{pipeline.concurrency}"] = dagster_name(pipeline.name)
    return tags
