"""Files of pipelines → the code location. A process that needs one flow's job loads that flow's file only.

Dagster asks a repository for its data by the methods of RepositoryData. ``get_job`` is what each step's process
asks; all else is asked by the UI and the daemon, and takes everything.
"""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from dagster import (
    AssetKey,
    AssetSpec,
    Definitions,
    ExecutorDefinition,
    JobDefinition,
    RepositoryData,
    RepositoryDefinition,
    ResourceDefinition,
    SensorDefinition,
)
from typing_extensions import override

from flowhub_assets.errors import DefinitionError, FlowhubError
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.ir.trigger_cycles import require_no_cycle
from flowhub_assets.names import dagster_name
from flowhub_assets.resources.alerts import Alerts
from flowhub_assets.runtime.step import Runnable
from flowhub_assets.to_dagster.asset_cycles import AssetOrder
from flowhub_assets.to_dagster.automation import outside
from flowhub_assets.to_dagster.clashes import Claim, Claims, claims_of_definitions, claims_of_flow, claims_of_location
from flowhub_assets.to_dagster.failure_sensor import failure_sensor
from flowhub_assets.to_dagster.flow_definitions import (
    FlowDefinitions,
    flow_asset_keys,
    flow_definitions,
    flow_of_job,
    job_name,
)
from flowhub_assets.to_dagster.invalid_files import (
    InvalidFile,
    invalid_asset,
    invalid_check,
    invalid_sensor,
    one_for_each_key,
)
from flowhub_assets.to_dagster.leftovers import leftover_sensors
from flowhub_assets.to_dagster.plain_definitions import own_asset_keys, upstream_asset_keys
from flowhub_assets.to_dagster.watch import watch_sensor


@dataclass(frozen=True)
class LoadedFile:
    """What one file holds: flows, and definitions that its user wrote for Dagster itself."""

    runnables: Sequence[Runnable] = ()
    definitions: Definitions | None = None


Load = Callable[[Path], LoadedFile]


@dataclass(frozen=True)
class StoredWorkflows:
    """Pipelines that stand in no file: their texts by name, as they are now, and how one of them is loaded.

    ``folder`` is how errors name the place where they are. ``load`` takes a name and its text; it raises FlowhubError.
    """

    folder: Path
    texts: Callable[[], Mapping[str, str]]
    load: Callable[[str, str], Runnable]

    def loads(self) -> Iterator[tuple[str, Path, Callable[[], LoadedFile]]]:
        """Each with its name and the path of the file that it would be."""
        for name, text in self.texts().items():
            yield name, self.folder / f"{name}.yaml", partial(self._load, name, text)

    def _load(self, name: str, text: str) -> LoadedFile:
        return LoadedFile([self.load(name, text)])


@dataclass(frozen=True)
class CodeLocation:
    """Where pipelines are found, how a file is loaded (it raises FlowhubError), and what all of them share.

    ``sensors`` are those of the code location itself, ``alerts`` says who is told what goes wrong in it. What is
    ``stored`` comes after all files.
    """

    folders: Sequence[Path]
    find_files: Callable[[str], Sequence[str]]
    load: Load
    resources: Mapping[str, Any]
    executor: ExecutorDefinition
    sensors: Sequence[SensorDefinition] = ()
    alerts: Alerts = Alerts()  # noqa: RUF009 - frozen
    stored: StoredWorkflows | None = None

    def repository(self) -> RepositoryDefinition:
        """The Dagster repository of these files, named as that of a Definitions object is: the UI hides the name."""
        return RepositoryDefinition("__repository__", repository_data=LazyRepositoryData(self))

    def files(self) -> list[tuple[Path, Path]]:
        """Each file of pipelines with the folder it was found in, once."""
        found = {Path(path): folder for folder in reversed(self.folders) for path in self.find_files(str(folder))}
        return sorted(((path, folder) for path, folder in found.items()), key=self._place)

    def _place(self, found: tuple[Path, Path]) -> tuple[int, Path]:
        return self.folders.index(found[1]), found[0]

    def flow(self, runnable: Runnable) -> FlowDefinitions:
        """All definitions of one flow."""
        return flow_definitions(runnable, dict(self.resources), self.executor)

    def find_flow(self, job: str) -> Runnable | None:
        """The flow whose job has this name, from the first file that holds it, or stored under its name.

        Files in which the name stands as text are tried first; the rest, for names that are put together
        when the file runs, only if none of them has it, nor the store.
        """
        for load in self._loads(job):
            try:
                runnables = load().runnables
            except Exception:  # noqa: BLE001, S112 - a file that does not load is told where all files are
                continue
            for runnable in runnables:
                if job_name(runnable.pipeline) == job:
                    return runnable
        return None

    def _loads(self, job: str) -> Iterator[Callable[[], LoadedFile]]:
        later = []
        for path, _ in self.files():
            if _may_hold(path, job):
                yield partial(self.load, path)
            else:
                later.append(path)
        if self.stored is not None:
            yield from (load for name, _, load in self.stored.loads() if dagster_name(name) == job)
        yield from (partial(self.load, path) for path in later)


class LazyRepositoryData(RepositoryData):
    """The data of a code location, loaded when it is asked for."""

    def __init__(self, location: CodeLocation) -> None:
        self._location = location
        self._jobs: dict[str, JobDefinition] = {}

    @cached_property
    def _whole(self) -> RepositoryDefinition:
        return whole_repository(self._location)

    @override
    def get_job(self, job_name: str) -> JobDefinition:
        if job_name in self._jobs or "_whole" in self.__dict__:
            return self._jobs.get(job_name) or self._whole.get_job(job_name)
        runnable = None if job_name.startswith("__") else self._location.find_flow(flow_of_job(job_name))
        if runnable is None:
            return self._whole.get_job(job_name)
        flow = self._location.flow(runnable)
        self._jobs |= {job.name: job for job in (flow.job, flow.failure_job) if job is not None}
        return self._jobs.get(job_name) or self._whole.get_job(job_name)

    @override
    def has_job(self, job_name: str) -> bool:
        return job_name in self._jobs or job_name in self.get_job_names()

    @override
    def get_all_jobs(self) -> Sequence[JobDefinition]:
        return self._whole.get_all_jobs()

    @override
    def get_job_names(self) -> Sequence[str]:
        return self._whole.job_names

    @override
    def get_top_level_resources(self) -> Mapping[str, ResourceDefinition]:
        return self._whole.get_top_level_resources()

    @override
    def get_env_vars_by_top_level_resource(self) -> Mapping[str, frozenset[str]]:
        return {key: frozenset(names) for key, names in self._whole.get_env_vars_by_top_level_resource().items()}

    @override
    def get_all_schedules(self) -> Sequence[Any]:
        return self._whole.schedule_defs

    @override
    def get_all_sensors(self) -> Sequence[Any]:
        return self._whole.sensor_defs

    @override
    def get_source_assets_by_key(self) -> Mapping[Any, Any]:
        return self._whole.source_assets_by_key

    @override
    def get_assets_defs_by_key(self) -> Mapping[Any, Any]:
        return self._whole.assets_defs_by_key

    @override
    def get_asset_checks_defs_by_key(self) -> Mapping[Any, Any]:
        return self._whole.asset_checks_defs_by_key


def whole_repository(location: CodeLocation) -> RepositoryDefinition:
    """Everything of a code location; a file that does not load, or that clashes with an earlier one, is a red asset."""
    loaded = _Loaded(location)
    loaded.invalid += [_no_folder(folder) for folder in location.folders if not folder.is_dir()]
    with no_garbage_collection():
        for path, folder in location.files():
            with loaded.one_file(path, folder):
                loaded.files[path, folder] = location.load(path)
        if location.stored is not None:
            for _, path, load in location.stored.loads():
                with loaded.one_file(path, location.stored.folder):
                    loaded.files[path, location.stored.folder] = load()
        for (path, folder), file in loaded.files.items():
            with loaded.one_file(path, folder):
                _take(loaded, location, path, file)
        return _merged(loaded, location).get_repository_def()


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Definitions stay: to look through a growing number of them for garbage took a quarter of the whole time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _no_folder(folder: Path) -> InvalidFile:
    what = "this is a file, not a folder" if folder.exists() else "there is no such folder"
    error = DefinitionError(
        what,
        where=folder,
        effect="None of its pipelines is loaded.",
        remedy=f"Name folders in FLOWHUB_PIPELINES (with {os.pathsep!r} between them) or [tool.flowhub] pipelines.",
    )
    return InvalidFile(folder, folder.parent, error)


def _take(loaded: _Loaded, location: CodeLocation, path: Path, file: LoadedFile) -> None:
    _refuse_clashes(file, loaded.pipelines)
    require_no_cycle([one.pipeline for one in file.runnables], loaded.pipelines.values())
    flows = [location.flow(runnable) for runnable in file.runnables]
    claims = [claim for flow in flows for claim in claims_of_flow(flow)]
    if file.definitions is not None:
        alone = _alone(file.definitions, location, loaded.asset_keys())
        claims += claims_of_definitions(file.definitions, alone)
    order = loaded.order
    if loaded.has_deps:
        plain = [] if file.definitions is None else list(file.definitions.assets or ())
        order = order.with_file([*(asset for flow in flows for asset in flow.assets), *plain], path)
    loaded.claims.take(claims, path)
    loaded.order = order
    loaded.flows.extend(flows)
    loaded.pipelines |= {job_name(flow.pipeline): flow.pipeline for flow in flows}
    if file.definitions is not None:
        loaded.plain.append(file.definitions)


class _Loaded:
    def __init__(self, location: CodeLocation) -> None:
        own = Definitions(resources=dict(location.resources), executor=location.executor)
        sensors = [Claim("schedule or sensor", sensor.name, sensor) for sensor in location.sensors]
        self.order = AssetOrder()
        self.claims = Claims([*claims_of_location(own), *sensors], "the code location itself")
        self.files: dict[tuple[Path, Path], LoadedFile] = {}
        self.flows: list[FlowDefinitions] = []
        #: Job name → the pipeline whose job that is.
        self.pipelines: dict[str, Pipeline] = {}
        self.plain: list[Definitions] = []
        self.invalid: list[InvalidFile] = []

    @contextmanager
    def one_file(self, path: Path, folder: Path) -> Iterator[None]:
        """What goes wrong inside makes this file invalid, and no other."""
        try:
            yield
        except FlowhubError as error:
            self.invalid.append(InvalidFile(path, folder, error))
        except Exception as error:  # noqa: BLE001 - whatever Dagster says of one file, the others load
            self.invalid.append(InvalidFile(path, folder, _refused(error, path)))

    @cached_property
    def has_deps(self) -> bool:
        """Whether a flow of the files, comes after assets outside it: else there is no circle."""
        return any(outside(runnable.pipeline) for file in self.files.values() for runnable in file.runnables)

    def asset_keys(self) -> set[AssetKey]:
        """The keys of all files' assets: those of flows, and those that users wrote for Dagster."""
        runnables = [runnable for file in self.files.values() for runnable in file.runnables]
        of_flows = {key for one in runnables for key in flow_asset_keys(one.pipeline)}
        plain = [file.definitions for file in self.files.values() if file.definitions is not None]
        return of_flows.union(*map(own_asset_keys, plain))


def _merged(loaded: _Loaded, location: CodeLocation) -> Definitions:
    flows, invalid = loaded.flows, one_for_each_key(loaded.invalid)
    jobs = [job for flow in flows for job in (flow.job, flow.failure_job) if job is not None]
    own = [sensor for flow in flows for sensor in flow.sensors]
    told = [failure_sensor(flows), watch_sensor(flows, location.alerts), invalid_sensor(invalid)]
    sensors = [*own, *told, *leftover_sensors(), *location.sensors]
    ours = Definitions(
        assets=[*(asset for flow in flows for asset in flow.assets), *map(invalid_asset, invalid)],
        asset_checks=[*(check for flow in flows for check in flow.checks), *map(invalid_check, invalid)],
        jobs=jobs,
        schedules=[schedule for flow in flows for schedule in flow.schedules],
        sensors=[sensor for sensor in sensors if sensor is not None],
        resources=dict(location.resources),
        executor=location.executor,
    )
    return Definitions.merge(ours, *loaded.plain)


def _refuse_clashes(file: LoadedFile, before: Mapping[str, Pipeline]) -> None:
    own: dict[str, Pipeline] = {}
    for runnable in file.runnables:
        name = job_name(runnable.pipeline)
        other = before.get(name) or own.get(name)
        if other is not None:
            raise _clash(runnable.pipeline, other)
        own[name] = runnable.pipeline


def _clash(pipeline: Pipeline, other: Pipeline) -> DefinitionError:
    same = "" if pipeline.name == other.name else f", which is {job_name(pipeline)!r} in Dagster, as {other.name!r} is"
    return DefinitionError(
        f"a second pipeline is named {pipeline.name!r}{same}",
        where=pipeline.source,
        effect=f"Only the first, {other.source}, is loaded.",
        remedy=f"Give one of them another name: {_where_named(pipeline)}.",
    )


def _where_named(pipeline: Pipeline) -> str:
    """How a pipeline is named in a file of its kind."""
    return "@flow(name=...)" if pipeline.source.file.endswith(".py") else "metadata: {name: ...}"


def _alone(definitions: Definitions, location: CodeLocation, known: set[AssetKey]) -> RepositoryDefinition:
    """A repository of a user's own definitions alone, resolved; raises what Dagster says where they do not resolve.

    Assets of other files that they take stand in it as bare specs; ``known`` are the keys that there are.
    """
    elsewhere = (upstream_asset_keys(definitions) & known) - own_asset_keys(definitions)
    given = {key: resource for key, resource in location.resources.items() if key not in (definitions.resources or {})}
    around = Definitions(assets=[AssetSpec(key) for key in sorted(elsewhere)], resources=given)
    repository = Definitions.merge(definitions, around).get_repository_def()
    repository.load_all_definitions()
    return repository


def _refused(error: Exception, path: Path) -> DefinitionError:
    return DefinitionError(
        f"Dagster does not take it: {error}",
        where=path,
        effect="Nothing of this file is loaded.",
        remedy="Mend the flow, asset, job or resource that the message names.",
    )


#: The job of a flow whose name has characters outside ASCII is named by a digest of that; such names in a file.
_DIGEST_JOB = re.compile(r".*_[0-9a-f]{8}")
_FOREIGN_NAME = re.compile(r"[\w.\x80-\U0010FFFF-]+")


def _may_hold(path: Path, job: str) -> bool:
    # A job's name is the flow's with each illegal character turned into _.
    text = _text(path)
    if re.search(re.escape(job).replace("_", r"[\W_]"), text):
        return True
    return _DIGEST_JOB.fullmatch(job) is not None and job in map(dagster_name, _foreign_names(text))


def _foreign_names(text: str) -> set[str]:
    return set() if text.isascii() else {name for name in _FOREIGN_NAME.findall(text) if not name.isascii()}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
