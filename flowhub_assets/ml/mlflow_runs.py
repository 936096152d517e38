"""One MLflow run for each training: who started it, and an end also where the step that wrote it is killed.

A run that is RUNNING for ever is a lie in the table of an experiment. It ends as FAILED
- when the training raises: at once;
- when its process is killed: as soon as anything begins in the same experiment on the same machine, or the step is
  tried again, on whichever;
- when the flow's on_failure calls ``close_runs``: all of that Dagster run.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import socket
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowhub_assets.ml.tracking import experiment, mlflow_errors, resolved_value, run_url, tracking, without_password
from flowhub_assets.runtime.secret_values import mask_secrets

if TYPE_CHECKING:
    from mlflow import MlflowClient

#: Tags of ours. MLflow's UI searches them: tags.`dagster.run_id` = '...'
DAGSTER_RUN, DAGSTER_TASK, DAGSTER_PARTITION, DAGSTER_URL = (
    "dagster.run_id",
    "dagster.task",
    "dagster.partition",
    "dagster.url",
)
PROCESS, _ERROR = "flowhub.process", "flowhub.error"
_LOCAL_DAGSTER = "http://localhost:3000"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_COMMIT = re.compile(r"(?P<commit>[0-9a-f]{40})(?P<changed>-dirty)?")
_MOST_LOOKED_AT = 1_000


@dataclass(frozen=True)
class TrackedRun:
    """A run of MLflow that is being written."""

    client: MlflowClient
    run_id: str
    experiment_id: str
    url: str


@contextlib.contextmanager
def tracked_run(
    env: Mapping[str, Any],
    experiment_name: str,
    name: str,
    tags: Mapping[str, str],
    *,
    parent: str | None = None,
    again: str | None = None,
) -> Iterator[TrackedRun]:
    """A new run, FINISHED at the end of the block, FAILED if it raises. ``parent`` nests it in another run.

    ``again`` is a run that is taken up again, if it is still there.

    Runs of the same experiment whose process is gone are ended first. What MLflow raises, the block's own calls
    included, becomes RunError.
    """
    with mlflow_errors(env):
        client = tracking(env)
        experiment_id = experiment(client, experiment_name, env)
        if parent is None:
            _end_abandoned(client, experiment_id, env)
        run_id = _begun(client, experiment_id, name, {**_tags(env, parent), **tags}, again)
        try:
            yield TrackedRun(client, run_id, experiment_id, run_url(env, experiment_id, run_id))
        except BaseException as error:
            # The first error is told, whatever becomes of the note about it.
            with contextlib.suppress(Exception):
                told = mask_secrets(without_password(f"{type(error).__name__}: {error}"), env)
                client.set_tag(run_id, _ERROR, told[:1_000])
                client.set_terminated(run_id, "FAILED")
            raise
        client.set_terminated(run_id)


def close_runs(env: Mapping[str, Any], run_id: str | None = None) -> list[str]:
    """Ends what a run of Dagster left RUNNING in MLflow, as FAILED; the ids of those runs of MLflow.

    ``run_id`` is the Dagster run's; if None the failed one that ``env`` of on_failure tells: all its steps are over.
    """
    with mlflow_errors(env):
        client = tracking(env)
        given = str(run_id or env.get("failed_run_id") or env.get("run_id", "")).replace("'", "")
        places = [one.experiment_id for one in client.search_experiments()]
        query = f"attributes.status = 'RUNNING' and tags.`{DAGSTER_RUN}` = '{given}'"
        found = client.search_runs(places, query, max_results=_MOST_LOOKED_AT)
        for run in found:
            _end(client, run.info.run_id, "the step that wrote it is over")
        return [run.info.run_id for run in found]


def _begun(client: MlflowClient, experiment_id: str, name: str, tags: Mapping[str, str], again: str | None) -> str:
    from mlflow.exceptions import MlflowException

    if again is not None:
        try:
            client.update_run(again, status="RUNNING")
            for tag, value in tags.items():
                client.set_tag(again, tag, value)
            return again
        except MlflowException as error:
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "INVALID_STATE"):
                raise
    made: str = client.create_run(experiment_id, run_name=name, tags=dict(tags)).info.run_id
    return made


def _end_abandoned(client: MlflowClient, experiment_id: str, env: Mapping[str, Any]) -> None:
    query = f"attributes.status = 'RUNNING' and tags.`{PROCESS}` LIKE '%'"
    for run in client.search_runs([experiment_id], query, max_results=_MOST_LOOKED_AT):
        same = all(run.data.tags.get(tag) == value for tag, value in _step_tags(env).items())
        if same and run.data.tags[PROCESS] != this_process():
            _end(client, run.info.run_id, "the step was tried again")
        elif is_gone(run.data.tags[PROCESS]):
            _end(client, run.info.run_id, "its process is gone")


def _end(client: MlflowClient, run_id: str, why: str) -> None:
    client.set_tag(run_id, _ERROR, why)
    client.set_terminated(run_id, "FAILED")


def _tags(env: Mapping[str, Any], parent: str | None) -> dict[str, str]:
    project = str(env.get("project", ""))
    tags = {**_step_tags(env), PROCESS: this_process(), "mlflow.source.name": project, "mlflow.source.type": "JOB"}
    if _UUID.fullmatch(str(env.get("run_id", ""))):
        tags[DAGSTER_URL] = url = dagster_url(env)
        tags["mlflow.note.content"] = f"[Run of {project} in Dagster]({url})"
    outer = parent or str(resolved_value(env, "MLFLOW_RUN_ID") or "")
    if outer:
        tags["mlflow.parentRunId"] = outer
    return {**tags, **_commit_tags(os.getcwd())}


def dagster_url(env: Mapping[str, Any]) -> str:
    """The page of the Dagster run; ``DAGSTER_URL`` of the profile says where Dagster's pages are."""
    base = without_password(str(env.get("DAGSTER_URL") or _LOCAL_DAGSTER)).rstrip("/")
    return f"{base}/runs/{env.get('run_id', '')}"


def _step_tags(env: Mapping[str, Any]) -> dict[str, str]:
    partition = env.get("partition")
    key = str(partition["key"]) if isinstance(partition, Mapping) else ""
    return {DAGSTER_RUN: str(env.get("run_id", "")), DAGSTER_TASK: str(env.get("task", "")), DAGSTER_PARTITION: key}


@functools.lru_cache(maxsize=8)
def _commit_tags(folder: str) -> dict[str, str]:
    """The commit of the code; none where the folder is no checkout, as in an image."""
    command = ["git", "-C", folder, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return {}
    match = _COMMIT.fullmatch(told)
    if match is None:
        return {}
    return {"mlflow.source.git.commit": match["commit"], "git.changed": str(match["changed"] is not None).lower()}


def this_process() -> str:
    """This process, so that ``is_gone`` can tell on the same machine whether it has ended."""
    return f"{socket.gethostname()}/{os.getpid()}/{_start(os.getpid())}"


def is_gone(process: str) -> bool:
    """Whether a process of this machine has ended; False for those of others, of whom nothing is known."""
    host, _, rest = process.partition("/")
    number, _, start = rest.partition("/")
    if host != socket.gethostname() or not number.isdigit():
        return False
    return _start(int(number)) != start


def _start(process: int) -> str:
    """When a process started, in the kernel's ticks, so that a number given anew is no namesake; "" if it is gone."""
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
            state, *fields = file.read().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state == "Z" else fields[18]
