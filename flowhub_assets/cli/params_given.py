"""The params of ``flowhub run PIPELINE``: --params as one document, and each --param over it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from flowhub_assets.errors import InputError

#: What a document may have at most, in bytes; the server has its own bound.
_LARGEST = 16 << 20


def given_params(document: str | None, words: Sequence[str], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The params that ``--params`` (JSON, @FILE, or - for stdin) and ``--param NAME=VALUE`` give.

    VALUE is a text where the JSON Schema says that the param is one; else it is JSON, or a text that is no JSON.
    NAME may lead into an object: ``data.info=1``. Raises InputError.
    """
    params = _document(document) if document is not None else {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name:
            _refuse(f"--param {word[:100]!r} is no NAME=VALUE", "Write --param city=Seoul.")
        _put(params, _path(name, schema), text, schema)
    return params


def _document(text: str) -> dict[str, Any]:
    if text == "-":
        where, source = "stdin", sys.stdin.read(_LARGEST)
    elif text.startswith("@"):
        where, source = text[1:], _file(Path(text[1:]))
    else:
        where, source = "--params", text
    try:
        value = json.loads(source, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        _refuse(f"it is no JSON: {error}", 'Write {"city": "Seoul"}.', where)
    if not isinstance(value, dict):
        _refuse(f"it is JSON, but no object: {source.strip()[:40]}", 'Write {"city": "Seoul"}.', where)
    return value


def _file(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        _refuse(f"it cannot be read: {reason}", "Name a file of JSON in UTF-8: --params @params.json.", path)


def _path(name: str, schema: Mapping[str, Any]) -> list[str]:
    """A param's own name, which may have dots, or the way into one."""
    known: Mapping[str, Any] = schema.get("properties", {})
    first = name.partition(".")[0]
    return name.split(".") if name not in known and first in known and first != name else [name]


def _put(params: dict[str, Any], path: Sequence[str], text: str, schema: Mapping[str, Any]) -> None:
    inside, kind = params, dict(schema)
    for key in path[:-1]:
        kind = _property(kind, key, schema)
        inside = inside.setdefault(key, {})
        if not isinstance(inside, dict):
            _refuse(f"--param {'.'.join(path)}: {key!r} is no object", "Give the whole of it as JSON.")
    inside[path[-1]] = _value(text, _types(_property(kind, path[-1], schema), schema))


def _property(kind: Mapping[str, Any], key: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    for part in _alternatives(kind, schema):
        found = part.get("properties", {}).get(key)
        if isinstance(found, Mapping):
            return dict(found)
    return {}


def _types(kind: Mapping[str, Any], schema: Mapping[str, Any]) -> set[str]:
    types: set[str] = set()
    for part in _alternatives(kind, schema):
        named = part.get("type", [])
        types |= {named} if isinstance(named, str) else set(named)
        types |= {"string"} if any(isinstance(one, str) for one in part.get("enum", [])) else set()
    return types


def _alternatives(kind: Mapping[str, Any], schema: Mapping[str, Any], depth: int = 8) -> list[Mapping[str, Any]]:
    """A schema, what it refers to, and each that it may be."""
    found = [kind]
    if depth:
        reference = str(kind.get("$ref", ""))
        target = _referred(reference, schema)
        more = [*(kind.get(word, []) for word in ("anyOf", "oneOf", "allOf")), [target] if target else []]
        for part in (one for group in more for one in group if isinstance(one, Mapping)):
            found += _alternatives(part, schema, depth - 1)
    return found


def _referred(reference: str, schema: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for home in (schema, *schema.get("properties", {}).values()):
        found: Any = home
        for key in reference.removeprefix("#/").split("/") if reference.startswith("#/") else [""]:
            found = found.get(key) if isinstance(found, Mapping) else None
        if isinstance(found, Mapping):
            return found
    return None


def _value(text: str, types: set[str]) -> Any:
    if types and types <= {"string"}:
        return text
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return text
    # Where a text is taken too, 12 stays the text that was written unless a number is taken as well.
    return text if "string" in types and not _is_of(value, types) else value


def _is_of(value: Any, types: set[str]) -> bool:
    if value is None:
        return "null" in types
    if isinstance(value, bool):
        return "boolean" in types
    if isinstance(value, int | float):
        return bool(types & {"integer", "number"})
    return ("array" if isinstance(value, list) else "object" if isinstance(value, dict) else "string") in types


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _refuse(what: str, remedy: str, where: object = "") -> NoReturn:
    raise InputError(what, where=where, effect="Nothing was started.", remedy=remedy)
