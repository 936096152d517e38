"""A pipeline file that does not load → a red asset ``_invalid/<file>`` that says why; all other files load."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dagster import (
    AssetCheckEvaluation,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetKey,
    AssetSpec,
    DefaultSensorStatus,
    MetadataValue,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    TextMetadataValue,
    asset_check,
)

from flowhub_assets.errors import FlowhubError
from flowhub_assets.names import dagster_name

GROUP = "INVALID_PIPELINES"
CHECK = "loads"

#: How often, in seconds, the daemon looks whether a file has become invalid.
CHECK_INTERVAL = 30


@dataclass(frozen=True)
class InvalidFile:
    """A file, the folder of pipelines that it was found in, and the error that keeps it from loading."""

    path: Path
    folder: Path
    error: FlowhubError

    @property
    def key(self) -> AssetKey:
        """``_invalid/<file>``, with the folders between the folder of pipelines and the file."""
        parts = self.path.relative_to(self.folder).with_suffix("").parts
        return AssetKey(["_invalid", *map(dagster_name, parts)])


def one_for_each_key(files: Iterable[InvalidFile]) -> list[InvalidFile]:
    """The files with each that has the key of an earlier one named by more of its folders, until the keys differ."""
    known: dict[str, InvalidFile] = {}
    for file in files:
        # The check's op is named by the key's parts joined with __, so these must differ.
        while file.key.to_python_identifier() in known and file.folder != file.folder.parent:
            file = replace(file, folder=file.folder.parent)
        known[file.key.to_python_identifier()] = file
    return list(known.values())


def invalid_asset(file: InvalidFile) -> AssetSpec:
    """The asset that stands for the file in the graph."""
    return AssetSpec(
        file.key,
        group_name=GROUP,
        description=f"{file.path.name} does not load.\n\n{_paragraphs(file)}",
        kinds={"python" if file.path.suffix == ".py" else "yaml"},
        metadata={"file": MetadataValue.path(str(file.path)), "error": _shown(file)},
    )


def invalid_check(file: InvalidFile) -> AssetChecksDefinition:
    """The check that is red on that asset, and that anybody can run again."""

    @asset_check(asset=file.key, name=CHECK, description="Whether the file loads as a pipeline.")
    def loads() -> AssetCheckResult:
        return AssetCheckResult(passed=False, severity=AssetCheckSeverity.ERROR, metadata={"error": _shown(file)})

    return loads


def invalid_sensor(files: Sequence[InvalidFile]) -> SensorDefinition | None:
    """Turns the checks of ``files`` red without a run, once for each new set of errors; None if all files load."""
    if not files:
        return None
    state = _digest(files)

    def evaluate(context: SensorEvaluationContext) -> SensorResult | SkipReason:
        if context.cursor == state:
            return SkipReason(f"{len(files)} file(s) still do not load: {', '.join(f.path.name for f in files)}")
        return SensorResult(asset_events=[_evaluation(file) for file in files], cursor=state)

    return SensorDefinition(
        name="invalid_pipelines",
        evaluation_fn=evaluate,
        minimum_interval_seconds=CHECK_INTERVAL,
        default_status=DefaultSensorStatus.RUNNING,
        description="Shows each pipeline file that does not load as a failed check.",
    )


def _evaluation(file: InvalidFile) -> AssetCheckEvaluation:
    return AssetCheckEvaluation(
        asset_key=file.key,
        check_name=CHECK,
        passed=False,
        severity=AssetCheckSeverity.ERROR,
        metadata={"error": _shown(file)},
    )


def _shown(file: InvalidFile) -> TextMetadataValue:
    return MetadataValue.text(str(file.error))


def _paragraphs(file: InvalidFile) -> str:
    # A description is Markdown, which would run the lines together.
    return str(file.error).replace("\n", "\n\n")


def _digest(files: Iterable[InvalidFile]) -> str:
    told = "\0".join(f"{file.path}\0{file.error}" for file in files)
    return hashlib.sha256(told.encode()).hexdigest()
