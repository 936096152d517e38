"""Label and field selectors, as the API server reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_PLACE = ("metadata.name", "metadata.namespace")
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "Pod": (
        *_PLACE,
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "status.phase",
        "status.podIP",
    ),
    "Job": (*_PLACE, "status.successful"),
    "ConfigMap": _PLACE,
    "Secret": (*_PLACE, "type"),
    "Event": (
        *_PLACE,
        *(f"involvedObject.{part}" for part in ("kind", "namespace", "name", "uid", "apiVersion", "fieldPath")),
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
}
_REQUIREMENT = re.compile(r"\s*(?:(\S+)\s+(in|notin)\s*\(([^)]*)\)|([^,()]+))\s*(?:,|$)")


class BadSelector(Exception):
    """The API server's text about a selector that it cannot read: 400."""


def selects(selector: str, labels: Mapping[str, str]) -> bool:
    """Whether labels satisfy ``a=b,c!=d,e,!f,g in (h,i),j notin (k)``; raises BadSelector."""
    at = 0
    while at < len(selector):
        match = _REQUIREMENT.match(selector, at)
        if match is None or match.end() == at:
            raise BadSelector(f"unable to parse requirement: found '{selector[at:]}'")
        at = match.end()
        if match[2]:
            among = labels.get(match[1]) in {value.strip() for value in match[3].split(",")}
            fits = among == (match[2] == "in")
        else:
            fits = _one_fits(match[4].strip(), labels)
        if not fits:
            return False
    return True


def _one_fits(requirement: str, labels: Mapping[str, str]) -> bool:
    match = re.fullmatch(r"(!?[\w./-]+)(?:\s*(==?|!=)\s*(.*))?", requirement)
    if match is None:
        raise BadSelector(f"unable to parse requirement: found '{requirement}'")
    key, sign, value = match.groups()
    if sign is None:
        return key[1:] not in labels if key.startswith("!") else key in labels
    return (labels.get(key) == value) != (sign == "!=")


def fits_fields(kind: str, selector: str, document: Mapping[str, Any]) -> bool:
    """Whether a document satisfies ``metadata.name=a,status.phase!=b``; raises BadSelector for an unknown field."""
    for requirement in filter(None, selector.split(",")):
        match = re.fullmatch(r"([\w.]+)(==?|!=)(.*)", requirement)
        if match is None:
            raise BadSelector(f"invalid selector: '{selector}'; can't understand '{requirement}'")
        path, sign, value = match.groups()
        if path not in _FIELDS[kind]:
            raise BadSelector(f"field label not supported: {path}")
        if (_value(path, document) == value) != (sign != "!="):
            return False
    return True


def _value(path: str, document: Mapping[str, Any]) -> str:
    if path == "status.successful":
        return str((document.get("status") or {}).get("succeeded", 0))
    if path == "source":
        return str((document.get("source") or {}).get("component", ""))
    value: Any = document
    for part in path.split("."):
        value = (value or {}).get(part)
    return "" if value is None else str(value)
