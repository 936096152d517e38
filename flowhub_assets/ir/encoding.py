"""A pipeline as JSON and back, with a version, so that a file written today is read tomorrow.

Only what differs from a field's default is written. Files are named relative to the pipeline's own folder:
the same pipeline gives the same document on any machine.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

from flowhub_assets.errors import InputError
from flowhub_assets.ir.pipeline import Pipeline, Retry, Source, Task
from flowhub_assets.ir.placement import Placement, Toleration, Volume, VolumeMount
from flowhub_assets.ir.triggers import Schedule

VERSION = 1



def to_dict(pipeline: Pipeline) -> dict[str, Any]:
    """The document of ``pipeline``: plain JSON values under ``version`` and ``pipeline``."""
    folder = os.path.dirname(pipeline.source.file)
    return {"version": VERSION, "pipeline": _encode(pipeline, folder)}


def from_dict(document: Mapping[str, Any], folder: str = "") -> Pipeline:
    """The pipeline of a document, its files placed in ``folder``.

    Raises InputError for another version, an unknown field or a missing one.
    """
    version = document.get("version")
    if version != VERSION:
        raise InputError(
            f"the document has version {version!r}",
            effect=f"this flowhub_assets reads version {VERSION}",
            remedy="export the pipeline again with this version",
        )
    decoded: Pipeline = _decode(Pipeline, document.get("pipeline"), folder)
    return decoded


def plain(value: Any) -> Any:
    """``value``, one of the dataclasses of ir, as JSON: only what differs from its defaults."""
    return _encode(value, "")


def _encode(value: Any, folder: str) -> Any:
    if isinstance(value, Source):
        file = os.path.relpath(value.file, folder) if folder else value.file
        return f"{file.replace(os.sep, '/')}:{value.line}"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        pairs = ((field, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {field.name: _encode(item, folder) for field, item in pairs if item != _default(field)}
    if isinstance(value, Mapping):
        return {str(key): _encode(item, folder) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encode(item, folder) for item in value]
    return value


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _decode(kind: type[Any], document: Any, folder: str) -> Any:
    fields = {field.name: field for field in dataclasses.fields(kind)}
    if not isinstance(document, Mapping):
        raise InputError(f"a {kind.__name__} must be an object, not {document!r}")
    for name in document:
        if name not in fields:
            raise InputError(f"a {kind.__name__} has no field {name!r}", remedy=f"it has: {', '.join(fields)}")
    parts = _PARTS.get(kind, {})
    values = {name: _part(parts.get(name), value, folder) for name, value in document.items()}
    try:
        return kind(**values)
    except TypeError as error:
        raise InputError(f"a {kind.__name__} is not whole: {error}") from None


def _part(part: Any, value: Any, folder: str) -> Any:
    if part is Source:
        file, _, line = str(value).rpartition(":")
        return Source(os.path.normpath(os.path.join(folder, file)) if folder else file, int(line))
    if isinstance(part, list):
        return tuple(_part(part[0], item, folder) for item in value)
    if part is None or value is None:
        return value
    return value if part is str else _decode(part, value, folder)


#: Which fields are more than plain JSON: a dataclass, or [one] for a tuple of them.
_PARTS: dict[type[Any], dict[str, Any]] = {
    Pipeline: {
        "tasks": [Task],
        "source": Source,
        "result": [str],
        "tags": [str],
        "owners": [str],
        "volumes": [Volume],
        "schedule": Schedule,
        "failure_task": Task,
    },
    Task: {"needs": [str], "source": Source, "placement": Placement, "retry": Retry},
    Placement: {"tolerations": [Toleration], "volume_mounts": [VolumeMount]},
}
