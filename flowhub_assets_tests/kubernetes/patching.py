"""PATCH: JSON patch (RFC 6902), merge patch (RFC 7386) and Kubernetes' strategic merge patch."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

# By which key a strategic merge finds an element again; None where a list is a set.
_MERGE_KEYS: Mapping[str, str | None] = {"ownerReferences": "uid", "finalizers": None}


class BadPatch(Exception):
    """A patch that cannot be applied."""


def patched(document: Mapping[str, Any], patch: Any, content_type: str) -> dict[str, Any]:
    """A document with a patch; raises BadPatch."""
    if isinstance(patch, list):
        return _by_steps(document, patch)
    if not isinstance(patch, dict):
        raise BadPatch("a patch is an object or a list of operations")
    merged: dict[str, Any] = _merged(document, patch, "strategic" in content_type)
    return merged


def _merged(value: Any, patch: Any, strategic: bool, name: str = "") -> Any:
    if strategic and isinstance(patch, list) and isinstance(value, list) and name in _MERGE_KEYS:
        return _merged_list(value, patch, _MERGE_KEYS[name])
    if not isinstance(patch, dict):
        return patch
    found = dict(value) if isinstance(value, Mapping) else {}
    for key, told in patch.items():
        if told is None:
            found.pop(key, None)
        else:
            found[key] = _merged(found.get(key), told, strategic, key)
    return found


def _merged_list(value: list[Any], patch: list[Any], key: str | None) -> list[Any]:
    if key is None:
        return list(dict.fromkeys([*value, *patch]))
    removed = {one[key] for one in patch if one.get("$patch") == "delete"}
    found = {one[key]: one for one in value if one[key] not in removed}
    for one in patch:
        if "$patch" not in one:
            found[one[key]] = {**found.get(one[key], {}), **one}
    return list(found.values())


def _by_steps(document: Mapping[str, Any], steps: list[Mapping[str, Any]]) -> dict[str, Any]:
    found: Any = deepcopy(dict(document))
    for step in steps:
        *way, last = [part.replace("~1", "/").replace("~0", "~") for part in step["path"].split("/")[1:]]
        place = found
        try:
            for part in way:
                place = place[int(part) if isinstance(place, list) else part]
            at: Any = int(last) if isinstance(place, list) and last != "-" else last
            if step["op"] == "remove":
                del place[at]
            elif step["op"] == "test":
                if place[at] != step["value"]:
                    raise BadPatch(f"testing value {step['path']} failed")
            elif isinstance(place, list) and step["op"] == "add":
                place.insert(len(place) if at == "-" else at, step["value"])
            elif step["op"] in ("add", "replace"):
                place[at] = step["value"]
            else:
                raise BadPatch(f"unknown operation {step['op']}")
        except (KeyError, IndexError, TypeError, ValueError):
            raise BadPatch(f"{step['op']} operation does not apply: doc is missing path: {step['path']}") from None
    made: dict[str, Any] = found
    return made
