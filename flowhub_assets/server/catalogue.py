"""The pipelines that can be started, by name; read anew when their files, or what is stored, have changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from flowhub_assets.errors import FlowhubError, NotFound
from flowhub_assets.executor.dagster_runs import ExecutionPlanSnapshot, plan_of
from flowhub_assets.from_yaml.stored import load_stored
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.ir.spelling import did_you_mean
from flowhub_assets.runtime.step import Runnable
from flowhub_assets.store import workflows
from flowhub_assets.store.database import Database
from flowhub_assets.store.opened import FOLDER, file_of
from flowhub_assets.store.workflows import Workflow
from flowhub_assets.to_dagster.flow_definitions import FlowDefinitions, job_name
from flowhub_assets.to_dagster.params import SHARED_PARAMS, params_key
from flowhub_assets.to_dagster.repository import CodeLocation

#: Files are looked at once in so many seconds at most.
_LOOK_SECONDS = 2.0


class Entry:
    """One pipeline: as it is written, and as Dagster has it."""

    def __init__(self, runnable: Runnable, make: Callable[[Runnable], FlowDefinitions]) -> None:
        self.runnable = runnable
        self._make = make
        self._lock = threading.Lock()
        self._plan: ExecutionPlanSnapshot | None = None

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline."""
        return self.runnable.pipeline

    @property
    def is_stored(self) -> bool:
        """Whether it was written over the API, and stands in no file."""
        return self.pipeline.source.file.startswith(f"{FOLDER}/")

    @cached_property
    def flow(self) -> FlowDefinitions:
        """Its job, and all else that it is in Dagster."""
        return self._make(self.runnable)

    @cached_property
    def params_key(self) -> str:
        """The resource whose config holds the params of a run."""
        own = params_key(self.pipeline)
        return own if own in self.flow.job.resource_defs else SHARED_PARAMS

    def plan(self, run_config: dict[str, Any]) -> ExecutionPlanSnapshot:
        """The plan of its runs: made once, for what the params are changes nothing in it."""
        with self._lock:
            if self._plan is None:
                self._plan = plan_of(self.flow.job, run_config)
            return self._plan


@dataclass(frozen=True)
class _File:
    changed: tuple[int, int]
    entries: tuple[Entry, ...]
    error: FlowhubError | None


class Catalogue:
    """All pipelines of a code location; those stored in ``database``, too."""

    def __init__(self, location: CodeLocation, database: Database | None = None) -> None:
        self._location = location
        self._database = database
        self._lock = threading.RLock()
        self._files: dict[Path, _File] = {}
        self._stored: dict[Path, _File] = {}
        self._versions = 0
        self._by_name: dict[str, Entry] = {}
        self._looked = float("-inf")

    def all(self) -> list[Entry]:
        """Every pipeline, by name."""
        self._look()
        found = {id(entry): entry for entry in self._by_name.values()}
        return sorted(found.values(), key=lambda entry: entry.pipeline.name)

    def invalid(self) -> list[FlowhubError]:
        """Why files did not load."""
        self._look()
        return [file.error for file in self._files.values() if file.error is not None]

    def get(self, name: str) -> Entry:
        """The pipeline of that name, or whose job has that name. Raises NotFound."""
        self._look()
        entry = self._by_name.get(name)
        if entry is None:
            raise NotFound(
                f"there is no pipeline {name[:100]!r}",
                effect="Nothing was started.",
                remedy=did_you_mean(name[:100], self._by_name) or "GET /api/v1/pipelines, or flowhub run, lists them.",
            )
        return entry

    def look_again(self) -> None:
        """Something has been stored or deleted: whoever asks next finds it so."""
        with self._lock:
            self._looked = float("-inf")

    def _look(self) -> None:
        """Loads files that are new or have changed, forgets those that are gone."""
        with self._lock:
            if time.monotonic() - self._looked < _LOOK_SECONDS:
                return
            files = {path: self._file(path) for path, _ in self._location.files()}
            # Behind the files, which may bring kinds of node for them, and whose names go first.
            self._stored = self._look_into_store()
            files |= self._stored
            if files != self._files:
                self._files = files
                self._by_name = self._named()
            self._looked = time.monotonic()

    def _file(self, path: Path) -> _File:
        changed = _changed(path)
        known = self._files.get(path)
        if known is not None and known.changed == changed:
            return known
        return self._loaded(changed, path, lambda: self._location.load(path).runnables)

    def _loaded(self, changed: tuple[int, int], where: Path | str, load: Callable[[], Sequence[Runnable]]) -> _File:
        try:
            runnables = load()
        except FlowhubError as error:
            return _File(changed, (), error)
        except Exception as error:  # noqa: BLE001 - one bad file hurts nobody
            return _File(changed, (), FlowhubError(f"{type(error).__name__}: {error}", where=where))
        return _File(changed, tuple(Entry(one, self._location.flow) for one in runnables), None)

    def _look_into_store(self) -> dict[Path, _File]:
        """Those that are stored; while the database does not answer, those that were there last."""
        if self._database is None:
            return {}
        try:
            with self._database.read() as connection:
                versions = workflows.count(connection)
                if versions == self._versions:
                    return self._stored
                found = workflows.all_workflows(connection)
        except FlowhubError:
            return self._stored
        self._versions = versions
        return {Path(file_of(one.name)): self._workflow(one) for one in found}

    def _workflow(self, one: Workflow) -> _File:
        file = file_of(one.name)
        known = self._stored.get(Path(file))
        if known is not None and known.changed == (one.version, 0):
            return known
        return self._loaded((one.version, 0), file, lambda: [load_stored(one.text, one.name, file)])

    def _named(self) -> dict[str, Entry]:
        named: dict[str, Entry] = {}
        for file in self._files.values():
            for entry in file.entries:
                named.setdefault(job_name(entry.pipeline), entry)
        for file in self._files.values():
            for entry in file.entries:
                named.setdefault(entry.pipeline.name, entry)
        return named


def _changed(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)
