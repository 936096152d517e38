"""Workflows that are written over the API: checked as a file is, kept by version, and known at once to all doors."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from flowhub_assets.errors import Conflict, DefinitionError, FlowhubError, NotFound, Outdated, WorkflowRefused
from flowhub_assets.from_yaml.problem import FileProblem
from flowhub_assets.from_yaml.stored import load_stored, read_stored
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.ir.spelling import did_you_mean
from flowhub_assets.ir.trigger_cycles import require_no_cycle
from flowhub_assets.names import dagster_name
from flowhub_assets.server.access import Caller
from flowhub_assets.server.catalogue import Entry
from flowhub_assets.store import audit, workflows
from flowhub_assets.store.opened import file_of
from flowhub_assets.store.workflows import Workflow
from flowhub_assets.to_dagster.flow_definitions import flow_asset_keys, job_name

if TYPE_CHECKING:
    from flowhub_assets.server.backend import Backend

#: Whether somebody who knows a version may change the workflow that has this one now; 0 where there is none.
Condition = Callable[[int], bool]

_UNTOUCHED = "Nothing was stored."
_PLACE = re.compile(r".+:(\d+)(?::(\d+))?")


def list_workflows(backend: Backend) -> list[Workflow]:
    """All that are stored now, by name."""
    with backend.database.read() as connection:
        return workflows.all_workflows(connection)


def get_workflow(backend: Backend, name: str, version: int | None = None) -> Workflow:
    """The newest version, or an earlier one. Raises NotFound."""
    with backend.database.read() as connection:
        found = workflows.find(connection, name, version) if name.isprintable() else None
        if found is not None:
            return found
        known = [one.name for one in workflows.all_workflows(connection)]
    raise _not_found(name, known, version)


def put_workflow(
    backend: Backend, name: str, text: str, caller: Caller, may_change: Condition = lambda _: True
) -> tuple[Workflow, bool]:
    """Stores a new version, unless the newest one has this very text; whether there was none of that name.

    Raises WorkflowRefused, Conflict for what others have, Outdated where it ``may`` not be changed.
    """
    others = [one for one in backend.catalogue.all() if not (one.is_stored and one.pipeline.name == name)]
    # Behind the look at all files: they may bring kinds of node.
    _require_free(name, _checked(backend, name, text), others)
    with backend.database.begin() as connection:
        workflows.lock(connection)
        before = workflows.find(connection, name)
        _require_condition(name, before, may_change)
        _require_own_name(connection, name)
        if before is not None and before.text == text:
            return before, False
        now = time.time()
        stored = workflows.write(connection, name, text, caller.name, now)
        _note(connection, caller, "write", stored, now)
    _tell(backend)
    return stored, before is None


def delete_workflow(backend: Backend, name: str, caller: Caller, may_change: Condition = lambda _: True) -> None:
    """Its runs stay, and its versions in the database. Raises NotFound, Outdated where it ``may`` not be changed."""
    with backend.database.begin() as connection:
        workflows.lock(connection)
        before = workflows.find(connection, name) if name.isprintable() else None
        if before is None:
            raise _not_found(name, [one.name for one in workflows.all_workflows(connection)])
        _require_condition(name, before, may_change)
        now = time.time()
        workflows.delete(connection, name, caller.name, now)
        _note(connection, caller, "delete", before, now)
    _tell(backend)


def _tell(backend: Backend) -> None:
    backend.catalogue.look_again()
    backend.reloading.ask()


def _checked(backend: Backend, name: str, text: str) -> Pipeline:
    file = file_of(name)
    problems = read_stored(text, name, file).problems
    if problems:
        raise _refused(name, problems)
    runnable = load_stored(text, name, file)
    try:
        backend.surroundings.location.flow(runnable)
    except FlowhubError as error:
        raise _refused(name, [_problem(error)]) from None
    except Exception as error:  # noqa: BLE001 - whatever Dagster says of it
        what = f"Dagster does not take it: {error}"
        raise _refused(name, [FileProblem(file, runnable.pipeline.source.line, 1, what)]) from None
    return runnable.pipeline


def _require_free(name: str, pipeline: Pipeline, others: Sequence[Entry]) -> None:
    """What a file of that text would clash with, clashes here too: a name, an asset, a circle of triggers."""
    job, keys = job_name(pipeline), set(flow_asset_keys(pipeline))
    for other in others:
        taken = keys.intersection(flow_asset_keys(other.pipeline))
        if job_name(other.pipeline) == job or taken:
            what = f"asset {min(taken).to_user_string()!r}" if taken else f"the name {name!r}"
            raise Conflict(
                f"{what} is that of another pipeline, {other.pipeline.source}",
                effect=_UNTOUCHED,
                remedy="Give it another name.",
            )
    try:
        require_no_cycle([pipeline], [one.pipeline for one in others])
    except DefinitionError as error:
        raise _refused(name, [_problem(error)]) from None


def _problem(error: FlowhubError) -> FileProblem:
    place = _PLACE.fullmatch(error.where)
    line, column = (int(place[1]), int(place[2] or 1)) if place else (0, 0)
    return FileProblem(error.where, line, column, error.what, error.effect, error.remedy)


def _refused(name: str, problems: list[FileProblem]) -> WorkflowRefused:
    many = f"{len(problems)} mistakes, the first" if len(problems) > 1 else "a mistake"
    first = problems[0]
    where = f" on line {first.line}" if first.line else ""
    return WorkflowRefused(
        f"the workflow {name!r} has {many}{where}: {first.what}",
        effect=_UNTOUCHED,
        mistakes=tuple((one.line, one.column, replace(one, remedy="").told, one.remedy) for one in problems),
    )


def _require_condition(name: str, before: Workflow | None, may_change: Condition) -> None:
    version = before.version if before else 0
    if may_change(version):
        return
    if before is None:
        what, remedy = f"there is no workflow {name!r}", "Leave If-Match out to store a new one."
    else:
        what = f"workflow {name!r} has version {version}, of {before.changed_by}"
        remedy = f'Read it again, and send If-Match: "{version}" with what you make of it.'
    raise Outdated(what, effect=_UNTOUCHED, remedy=remedy)


def _require_own_name(connection: Connection, name: str) -> None:
    """Two that are stored at the same moment do not see each other in the catalogue."""
    for other in workflows.all_workflows(connection):
        if other.name != name and dagster_name(other.name) == dagster_name(name):
            raise Conflict(
                f"workflow {other.name!r} has a name that is the same in Dagster as {name!r}",
                effect=_UNTOUCHED,
                remedy="Give it another name.",
            )


def _not_found(name: str, known: list[str], version: int | None = None) -> NotFound:
    what = f"there is no workflow {name[:100]!r}" + (f" of version {version}" if version else "")
    remedy = (did_you_mean(name[:100], known) if version is None else "") or "GET /api/v1/workflows lists them."
    return NotFound(what, effect="Nothing was done.", remedy=remedy)


def _note(connection: Connection, caller: Caller, action: str, workflow: Workflow, now: float) -> None:
    detail = f"workflow, version {workflow.version}"
    audit.write(connection, audit.Act(now, caller.name, caller.peer, "http", action, workflow.name, "done", detail))
