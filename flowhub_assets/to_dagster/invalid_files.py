"""A file that does not load → a red asset ``_invalid/<file>`` that says why; all other files load.

The location of pipelines has them, and that of legacy Airflow DAGs, whose environment has dagster and little else.
"""

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

CHECK = "loads"

#: How often, in seconds, the daemon looks whether a file has become invalid.
CHECK_INTERVAL = 30


@dataclass(frozen=True)
class Contents:
    """What a location's files hold: ``what``, in the singular; ``plural`` names their group and the sensor.

    ``prefix`` leads their keys; ``kind`` is their assets', where the suffix of a file does not tell it.
    """

    what: str
    plural: str
    prefix: tuple[str, ...] = ("_invalid",)
    kind: str = ""


PIPELINES = Contents("a pipeline", "pipelines")


@dataclass(frozen=True)
class InvalidFile:
    """A file, the folder that it was found in, and the error that keeps it from loading."""

    path: Path
    folder: Path
    error: FlowhubError
    contents: Contents = PIPELINES

    @property
    def key(self) -> AssetKey:
        """``_invalid/<file>``, with the folders between that folder and the file."""
        parts = self.path.relative_to(self.folder).with_suffix("").parts
        return AssetKey([*self.contents.prefix, *map(dagster_name, parts)])


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
        group_name=f"INVALID_{file.contents.plural.upper()}",
        description=f"{file.path.name} does not load.\n\n{_paragraphs(file)}",
        kinds={file.contents.kind or ("python" if file.path.suffix == ".py" else "yaml")},
        metadata={"file": MetadataValue.path(str(file.path)), "error": _shown(file)},
    )


def invalid_check(file: InvalidFile) -> AssetChecksDefinition:
    """The check that is red on that asset, and that anybody can run again."""

    @asset_check(asset=file.key, name=CHECK, description=f"Whether the file loads as {file.contents.what}.")
    def loads() -> AssetCheckResult:
        return AssetCheckResult(passed=False, severity=AssetCheckSeverity.ERROR, metadata={"error": _shown(file)})

    return loads


def invalid_sensor(files: Sequence[InvalidFile]) -> SensorDefinition | None:
    """Turns the checks of ``files`` red without a run, once for each new set of errors; None if all files load."""
    if not files:
        return None
    state, plural = _digest(files), files[0].contents.plural

    def evaluate(context: SensorEvaluationContext) -> SensorResult | SkipReason:
        if context.cursor == state:
            return SkipReason(f"{len(files)} file(s) still do not load: {', '.join(f.path.name for f in files)}")
        return SensorResult(asset_events=[_evaluation(file) for file in files], cursor=state)

    return SensorDefinition(
        name=f"invalid_{plural}",
        evaluation_fn=evaluate,
        minimum_interval_seconds=CHECK_INTERVAL,
        default_status=DefaultSensorStatus.RUNNING,
        description=f"Shows each file of {plural} that does not load as a failed check.",
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
