"""What a pipeline is, whoever wrote it and wherever it will run: frozen plain data.

Values are the JSON of Python: dict, list, str, int, float, bool, None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from flowhub_assets.ir.placement import Placement, Volume
from flowhub_assets.ir.triggers import Dedupe, Partitions, Schedule, Trigger

#: Stands in ``Task.needs`` and ``Pipeline.result`` for what the pipeline itself was given.
FLOW_INPUT = "$args"

#: Stands in the ``needs`` of a loop's tasks for the item of the list that an iteration is about.
LOOP_ITEM = "$item"

#: The profile that is taken when none is named.
DEFAULT_PROFILE = "default"

#: What a task finds in args['env'] beside the profile; no profile may set these.
NAMES_OF_THE_RUN = ("project", "run_id", "task")


@dataclass(frozen=True)
class Source:
    """Where something is written: a file (absolute in memory) and a line, counted from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Retry:
    """How often a failed task is tried again, and how many seconds lie between two tries.

    ``backoff`` says how ``delay`` grows: constant, linear (1, 2, 3 times) or exponential (1, 3, 7 times), as
    in Dagster. ``on`` names the classes of errors, or of their bases, that are worth another try; none named means all.
    """

    times: int = 0
    delay: float = 0.0
    backoff: str = "constant"
    on: tuple[str, ...] = ()


@dataclass(frozen=True)
class Node:
    """What a task does where it is no function but a typed node: its ``type`` and what it is told, as written.

    ``config`` and ``inputs`` hold templates that are rendered when the task starts.
    """

    type: str
    config: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Edge:
    """Comes from ``task``, or only from its ``port``: it is live if that task succeeded and chose that port."""

    task: str
    port: Optional[str] = None


@dataclass(frozen=True)
class Asset:
    """The Dagster asset that a task's value is; ``check`` is a condition on the value that an asset check tests.

    ``automation`` and ``deps`` are those of a pipeline, for this asset alone.
    """

    key: tuple[str, ...]
    check: Optional[str] = None
    automation: Optional[str] = None
    deps: tuple[str, ...] = ()


@dataclass(frozen=True)
class Check:
    """A check that a task makes of its own value. After one of the ``level`` blocking that does not hold, nothing runs
    that comes after the task, and the run has failed; error and warn are told only.
    """

    name: str
    level: str = "error"


@dataclass(frozen=True)
class Loop:
    """Runs ``tasks`` once for each item of a list, at most ``max_concurrent`` items at a time (0: no limit of its own).

    The body of the task that has the loop gives ``{"items": [...]}``, each item a dict, which the tasks get as
    LOOP_ITEM. They may need each other and whatever the looping task needs. The value is ``{into: [...]}``: the
    output of the task ``result`` for each item, in the items' order, null where it was skipped. A list of more than
    ``most`` items is an error. ``over`` is how the list was written: a key of the args, or a template.
    """

    over: str
    tasks: tuple[Task, ...]
    result: str
    into: str = "results"
    max_concurrent: int = 0
    most: int = 1_000


@dataclass(frozen=True)
class Task:
    """One step.

    ``needs`` names, in the order of the call, whose outputs it takes (tasks of the same pipeline, or
    FLOW_INPUT). With ``merge`` its function takes one dict, those outputs merged left to right;
    without, one dict for each. ``timeout`` is in seconds. ``env`` is laid over the profile.
    ``function`` is the qualified name of its body in ``source.file``; a task with a ``node`` has none.

    A task waits for all that it needs or comes ``after``. It is skipped where none of the edges in ``after`` is
    live, and, with no such edge, where all tasks that it needs were skipped; what was skipped gives an empty dict.
    ``when`` is a condition that is asked at its start: where it does not hold, the task is skipped too. A task
    with ``ports`` decides: its value is ``{"port": name, ...}``. With ``continue_on_error`` a failure, after all
    retries, gives ``{"error": {...}}`` and the run goes on.

    ``run_on`` is engine for a light task, which runs in a thread of the process that runs the pipeline and minds
    its timeout itself; cpu or gpu for one that asks for a pod; None for a function in a process of its own.
    ``kinds`` are the words, with their icons, that Dagster's UI shows on its asset: xgboost, s3. ``deps`` are assets of
    other pipelines that its own comes after.
    """

    name: str
    needs: tuple[str, ...]
    source: Source
    function: str = ""
    merge: bool = True
    description: str = ""
    placement: Placement = field(default_factory=Placement)
    retry: Retry = field(default_factory=Retry)
    timeout: Optional[float] = None
    pool: Optional[str] = None
    priority: int = 0
    env: Mapping[str, Any] = field(default_factory=dict)
    node: Optional[Node] = None
    run_on: Optional[str] = None
    after: tuple[Edge, ...] = ()
    ports: tuple[str, ...] = ()
    when: Optional[str] = None
    continue_on_error: bool = False
    loop: Optional[Loop] = None
    asset: Optional[Asset] = None
    checks: tuple[Check, ...] = ()
    kinds: tuple[str, ...] = ()
    deps: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pipeline:
    """A graph of tasks with all that its users said about it.

    ``tasks`` stand in an order in which each comes after all that it waits for. ``result`` names the
    tasks whose outputs, merged left to right, are the pipeline's own. ``profiles`` is @flow(env=...):
    profile name to values. ``params`` maps a param's name to its default, ``param_schemas`` to its JSON
    Schema; a param that has only a schema must be given. ``variables`` are constants for templates. ``repo`` and
    ``path`` say where the code can be cloned from. ``failure_task`` runs once when the run has failed;
    ``finally_tasks`` run at the end, whether it has failed or not, in no order of their own. ``concurrency`` is
    the most runs at a time; ``priority`` and ``queue`` say which waiting run starts first. With ``fuse``,
    neighbouring light tasks become one step. ``labels``, ``annotations``, ``service_account_name`` and
    ``image_pull_secrets`` are those of every pod; what a task's placement says of the same goes before.

    With ``partitions`` each run is about one span of time. A run that takes longer than ``deadline`` seconds, and a
    pipeline whose last success is longer ago than ``freshness`` seconds, is told to those who look after it.

    ``automation`` says when Dagster makes its assets by itself: eager, on_missing, or a cron expression in UTC.
    ``deps`` are assets outside the pipeline that its first ones come after, each as its key: wines/table.

    ``imports`` are modules that the process of a run imports once, and the processes of its tasks then have.
    """

    name: str
    tasks: tuple[Task, ...]
    source: Source
    function: str = ""
    result: tuple[str, ...] = ()
    description: str = ""
    namespace: Optional[str] = None
    profiles: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    volumes: tuple[Volume, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    service_account_name: Optional[str] = None
    airflow_sidecar_image: Optional[str] = None
    repo: Optional[str] = None
    path: Optional[str] = None
    schedule: Optional[Schedule] = None
    failure_task: Optional[Task] = None
    finally_tasks: tuple[Task, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)
    param_schemas: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    triggers: tuple[Trigger, ...] = ()
    concurrency: Optional[int] = None
    priority: int = 0
    queue: Optional[str] = None
    fuse: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    image_pull_secrets: tuple[str, ...] = ()
    partitions: Optional[Partitions] = None
    deadline: Optional[float] = None
    freshness: Optional[float] = None
    dedupe: Optional[Dedupe] = None
    automation: Optional[str] = None
    deps: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()

    def task(self, name: str) -> Task:
        """The task of that name. Raises KeyError."""
        for task in self.tasks:
            if task.name == name:
                return task
        raise KeyError(name)
