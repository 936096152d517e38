"""The ConfigMaps and Secrets of the Kubernetes double, taken as ``kubectl apply -f`` takes them."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LARGEST_OBJECT = 1024 * 1024
_LARGEST_ANNOTATIONS = 256 * 1024


class Refused(Exception):
    """The text that a cluster, or kubectl, would answer with."""


@dataclass
class Objects:
    """``data[kind, namespace, name]`` is what an object holds, as bytes by key."""

    data: dict[tuple[str, str, str], dict[str, bytes]] = field(default_factory=dict)

    def apply(self, text: str, namespace: str = "default", *, server_side: bool = False) -> list[str]:
        """Takes each YAML document; returns ``kind/name`` of each.

        Without ``server_side`` it is held to what kubectl adds: the whole object once more, in an annotation, of which
        there are 256 KiB. Raises Refused, and then takes none of them.
        """
        taken = {}
        for document in yaml.safe_load_all(text):
            if document is not None:
                kind, name = str(document.get("kind")), str(document.get("metadata", {}).get("name"))
                place = document["metadata"].get("namespace", namespace)
                taken[kind, place, name] = _data(document, kind, name, server_side)
        self.data.update(taken)
        return [f"{kind.lower()}/{name}" for kind, _, name in taken]

    def secret(self, name: str, values: Mapping[str, str], namespace: str = "default") -> None:
        """As ``kubectl create secret generic NAME --from-literal KEY=VALUE ...``."""
        self.data["Secret", namespace, name] = {key: value.encode() for key, value in values.items()}

    def get(self, kind: str, namespace: str, name: str) -> dict[str, bytes] | None:
        return self.data.get((kind, namespace, name))


def _data(document: Mapping[str, Any], kind: str, name: str, server_side: bool) -> dict[str, bytes]:
    import kubernetes_validate

    if document.get("apiVersion") != "v1" or kind not in ("ConfigMap", "Secret"):
        raise Refused(f'no matches for kind "{kind}" in version "{document.get("apiVersion")}"')
    try:
        kubernetes_validate.validate(dict(document), "1.30", strict=True)
    except kubernetes_validate.ValidationError as error:
        raise Refused(f'{kind} "{name}" is invalid: {error.message}') from None
    if not _NAME.fullmatch(name) or len(name) > 253:
        raise Refused(f'{kind} "{name}" is invalid: metadata.name: Invalid value: "{name}": a lowercase RFC 1123 name')
    try:
        data = _bytes(document, kind)
    except binascii.Error as error:
        raise Refused(f'{kind} "{name}" cannot be handled: illegal base64 data: {error}') from None
    for key in data:
        if not _KEY.fullmatch(key) or key in (".", "..") or key.startswith(".."):
            raise Refused(f'{kind} "{name}" is invalid: data[{key}]: Invalid value: "{key}"')
    if sum(map(len, data.values())) > _LARGEST_OBJECT:
        raise Refused(f'{kind} "{name}" is invalid: []: Too long: must have at most {_LARGEST_OBJECT} bytes')
    if not server_side and len(json.dumps(document, separators=(",", ":")).encode()) > _LARGEST_ANNOTATIONS:
        raise Refused(
            f'{kind} "{name}" is invalid: metadata.annotations: Too long: '
            f"must have at most {_LARGEST_ANNOTATIONS} bytes"
        )
    return data


def _bytes(document: Mapping[str, Any], kind: str) -> dict[str, bytes]:
    plain, coded = ("data", "binaryData") if kind == "ConfigMap" else ("stringData", "data")
    data = {key: base64.b64decode(value, validate=True) for key, value in (document.get(coded) or {}).items()}
    return {**data, **{key: value.encode() for key, value in (document.get(plain) or {}).items()}}
