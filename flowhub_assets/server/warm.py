"""Which requests the server answers itself, with what their pipelines say, and how it does.

    kept as ``answering`` → run by Dagster's engine in this process → its record kept, durably → the reply goes out
                                                                     → recording.py writes the record into Dagster

Whoever is killed on the way loses nothing. Until the record is kept, the request is one that nobody has begun: it is
launched in Dagster like any other once the lease of the killed process is over, and nodes that had run already run
again, as they do after the death of a run worker. From then on the record stands for the run, which never runs again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowhub_assets.ir.pipeline import Pipeline, Task
from flowhub_assets.ir.task_tree import all_tasks, with_nested
from flowhub_assets.nodes import registry
from flowhub_assets.nodes.execution import execution_of
from flowhub_assets.server.catalogue import Entry
from flowhub_assets.server.warm_engine import Also
from flowhub_assets.server.warm_reply import Reply, answering_tasks
from flowhub_assets.store.submissions import Submission

if TYPE_CHECKING:
    from flowhub_assets.server.backend import Backend

__all__ = ["Reply", "answer", "can_answer"]

_BUILT_IN = "flowhub_assets.nodes.builtin."
#: Kinds that work on the values that they are given, and reach neither network nor storage.
_REACH_NOTHING = frozenset(
    "condition cron delay error http-response interval json-transform log loop manual object-arrival switch template"
    " webhook".split()
)


def can_answer(entry: Entry) -> bool:
    """Whether requests to this pipeline are answered by its own http-response, in this process.

    One of its last nodes is an http-response, and all of them are light nodes of built-in kinds: no user's Python
    comes into this process, neither by ``python`` nor by kinds of a user's files, and nothing with an image or a pod.
    No limit counts its runs (concurrency, queue, pool): one that never waits would not heed it.

    Where it was written over the API, it also reaches nothing that this process can reach and a run worker perhaps
    cannot: other kinds of node, and profiles of its own, which name files, addresses and variables.
    """
    pipeline = entry.pipeline
    if entry.is_stored and not _reaches_nothing(pipeline):
        return False
    if pipeline.queue or pipeline.concurrency or not answering_tasks(pipeline):
        return False
    return all(_runs_here(task) for task in with_nested((*pipeline.tasks, *pipeline.finally_tasks)))


def answer(backend: Backend, submission: Submission, also: Also | None = None) -> Reply:
    """Runs a request that was kept as ``store.answers.to_be_answered`` gives it; what its caller is answered.

    It is 202 where the answer takes too long or too many are at work: the run goes on. ``also`` writes what is to be
    kept with the record of the run or not at all: what a delivery was answered. Raises NotFound.
    """
    return backend.warm.answer(submission, also)


def _reaches_nothing(pipeline: Pipeline) -> bool:
    tasks = all_tasks(pipeline)
    kinds = {task.node.type for task in tasks if task.node is not None}
    return kinds <= _REACH_NOTHING and not pipeline.profiles and not any(task.env for task in tasks)


def _runs_here(task: Task) -> bool:
    if task.node is None or task.run_on != "engine" or task.placement.image or task.pool:
        return False
    kind = registry.get(task.node.type)
    if kind.own_process or not kind.__module__.startswith(_BUILT_IN):
        return False
    # With a timeout, what cannot be stopped otherwise runs in a child: this process has threads, and forks none.
    return task.timeout is None or execution_of(kind).is_async
