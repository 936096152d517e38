"""A pipeline as JSON and back, with a version, so that a file written today is read tomorrow.

Only what differs from a field's default is written. Files are named relative to the pipeline's own folder:
the same pipeline gives the same document on any machine.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from typing import Any

from flowhub_assets.errors import InputError
from flowhub_assets.ir.pipeline import Asset, Check, Edge, Loop, Node, Pipeline, Retry, Source, Task
from flowhub_assets.ir.placement import Placement, Toleration, Volume, VolumeMount
from flowhub_assets.ir.triggers import Dedupe, Dimension, Partitions, Schedule, Trigger

VERSION = 1


def to_dict(pipeline: Pipeline) -> dict[str, Any]:
    """The document of ``pipeline``: plain JSON values under ``version`` and ``pipeline``."""
    folder = os.path.dirname(pipeline.source.file)
    return {"version": VERSION, "pipeline": _encode(pipeline, folder)}


def from_dict(document: Mapping[str, Any], folder: str = "") -> Pipeline:
    """The pipeline of a document, its files placed in ``folder``.

    Raises InputError for another version, an unknown field or a missing one.
    """
    if not isinstance(document, Mapping):
        raise InputError(f"a pipeline's document must be an object, not {_shown(document)}")
    version = document.get("version")
    if type(version) is not int or version != VERSION:
        raise InputError(
            f"the document has version {_shown(version)}",
            effect=f"this flowhub_assets reads version {VERSION}",
            remedy="export the pipeline again with this version",
        )
    _refuse_unknown("a document", document, ("version", "pipeline"))
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
        raise InputError(f"{_a(kind)} must be an object, not {_shown(document)}")
    _refuse_unknown(_a(kind), document, fields)
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in document:
            raise InputError(f"{_a(kind)} has no {name!r}", remedy="it cannot do without")
    return kind(**{name: _field(kind, fields[name], value, folder) for name, value in document.items()})


def _refuse_unknown(kind: str, document: Mapping[str, Any], fields: Iterable[str]) -> None:
    for name in document:
        if name not in fields:
            raise InputError(f"{kind} has no field {name!r}", remedy=f"it has: {', '.join(fields)}")


def _field(kind: type[Any], field: dataclasses.Field[Any], value: Any, folder: str) -> Any:
    part, place = _PARTS.get(kind, {}).get(field.name), f"{field.name!r} of {_a(kind)}"
    if isinstance(part, list):
        if not isinstance(value, (list, tuple)):
            raise InputError(f"{place} must be a list, not {_shown(value)}")
        return tuple(_item(part[0], place, item, folder) for item in value)
    if part is not None:
        return None if value is None and field.default is None else _item(part, place, value, folder)
    kinds, told = _PLAIN[str(field.type)]
    # To Python, True is a number too.
    if not isinstance(value, kinds) or (isinstance(value, bool) and not {bool, object} & set(kinds)):
        # What a profile, env or params hold instead of an object may be a credential.
        found = _kind(value) if kinds == (Mapping,) else _shown(value)
        raise InputError(f"{place} must be {told}, not {found}")
    return value


def _a(kind: type[Any]) -> str:
    return f"{'an' if kind.__name__[0] in 'AEIO' else 'a'} {kind.__name__}"


def _item(part: type[Any], place: str, value: Any, folder: str) -> Any:
    if part is Source:
        return _source(place, value, folder)
    if part is not str:
        return _decode(part, value, folder)
    if not isinstance(value, str):
        raise InputError(f"{place} must hold strings, not {_shown(value)}")
    return value


def _source(place: str, value: Any, folder: str) -> Source:
    file, _, line = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    if not file or not (line.isascii() and line.isdigit()):
        raise InputError(f"{place} must be file:line, not {_shown(value)}")
    return Source(os.path.normpath(os.path.join(folder, file)) if folder else file, int(line[:_LONGEST_LINE_NUMBER]))


def _shown(value: Any) -> str:
    """A wrong value in a message: never what a list or an object holds, which may be a profile's credentials."""
    if isinstance(value, (list, tuple, Mapping)):
        return _kind(value)
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def _kind(value: Any) -> str:
    if isinstance(value, Mapping):
        return "an object"
    return "a list" if isinstance(value, (list, tuple)) else f"a {type(value).__name__}"


_LONGEST_SHOWN = 60

#: Python refuses to read a number of many thousand digits; no file has as many lines.
_LONGEST_LINE_NUMBER = 12

#: The annotation of a field that is plain JSON → what its value must be, and how that is said.
_PLAIN: dict[str, tuple[tuple[type[Any], ...], str]] = {
    "str": ((str,), "a string"),
    "Optional[str]": ((str, type(None)), "a string or null"),
    "bool": ((bool,), "true or false"),
    "int": ((int,), "a whole number"),
    "Optional[int]": ((int, type(None)), "a whole number or null"),
    "float": ((int, float), "a number"),
    "Optional[float]": ((int, float, type(None)), "a number or null"),
    "Mapping[str, Any]": ((Mapping,), "an object"),
    "Mapping[str, str]": ((Mapping,), "an object"),
    "Mapping[str, Mapping[str, Any]]": ((Mapping,), "an object"),
    "object": ((object,), "anything"),
}

#: Which fields are more than plain JSON: a dataclass, or [one] for a tuple of them.
_PARTS: dict[type[Any], dict[str, Any]] = {
    Pipeline: {
        "tasks": [Task],
        "source": Source,
        "result": [str],
        "tags": [str],
        "owners": [str],
        "volumes": [Volume],
        "image_pull_secrets": [str],
        "schedule": Schedule,
        "failure_task": Task,
        "finally_tasks": [Task],
        "triggers": [Trigger],
        "partitions": Partitions,
        "dedupe": Dedupe,
        "deps": [str],
        "imports": [str],
    },
    Task: {
        "needs": [str],
        "source": Source,
        "placement": Placement,
        "retry": Retry,
        "node": Node,
        "after": [Edge],
        "ports": [str],
        "loop": Loop,
        "asset": Asset,
        "checks": [Check],
        "kinds": [str],
        "deps": [str],
    },
    Retry: {"on": [str]},
    Asset: {"key": [str], "deps": [str]},
    Loop: {"tasks": [Task]},
    Trigger: {"schedule": Schedule},
    Partitions: {"dimensions": [Dimension]},
    Dimension: {"keys": [str]},
    Placement: {"tolerations": [Toleration], "volume_mounts": [VolumeMount], "image_pull_secrets": [str]},
}
