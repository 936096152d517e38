"""What a pipeline is, whoever wrote it and wherever it will run: frozen plain data.

Values are the JSON of Python: dict, list, str, int, float, bool, None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from flowhub_assets.ir.placement import Placement, Volume
from flowhub_assets.ir.triggers import Schedule

#: Stands in ``Task.needs`` and ``Pipeline.result`` for what the pipeline itself was given.
FLOW_INPUT = "$args"

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
    """How often a failed task is tried again, and how many seconds lie between two tries."""

    times: int = 0
    delay: float = 0.0


@dataclass(frozen=True)
class Task:
    """One step.

    ``needs`` names, in the order of the call, whose outputs it takes (tasks of the same pipeline, or
    FLOW_INPUT). With ``merge`` its function takes one dict, those outputs merged left to right;
    without, one dict for each. ``timeout`` is in seconds. ``env`` is laid over the profile.
    ``function`` is the qualified name of its body in ``source.file``.
    """

    name: str
    needs: tuple[str, ...]
    source: Source
    function: str
    merge: bool = True
    description: str = ""
    placement: Placement = field(default_factory=Placement)
    retry: Retry = field(default_factory=Retry)
    timeout: Optional[float] = None
    pool: Optional[str] = None
    priority: int = 0
    env: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Pipeline:
    """A graph of tasks with all that its users said about it.

    ``tasks`` stand in an order in which each comes after all that it needs. ``result`` names the
    tasks whose outputs, merged left to right, are the pipeline's own. ``profiles`` is @flow(env=...):
    profile name to values. ``params`` maps a param's name to its default. ``repo`` and ``path`` say
    where the code can be cloned from. ``failure_task`` runs once when the run has failed.
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

    def task(self, name: str) -> Task:
        """The task of that name. Raises KeyError."""
        for task in self.tasks:
            if task.name == name:
                return task
        raise KeyError(name)
