"""The ConfigMaps and Secrets of the Kubernetes double, taken as ``kubectl apply -f`` takes them."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

from flowhub_assets_tests.kubernetes.admission import schema_fault
from flowhub_assets_tests.kubernetes.store import Store

_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LARGEST_OBJECT = 1024 * 1024
_LARGEST_ANNOTATIONS = 256 * 1024


class Refused(Exception):
    """The text that a cluster, or kubectl, would answer with, and the HTTP status and reason of its Status."""

    def __init__(self, message: str, code: int = 422, reason: str = "Invalid") -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason


class Objects:
    """The ConfigMaps and Secrets of a store."""

    def __init__(self, store: Store | None = None) -> None:
        self._store = store or Store()

    @property
    def data(self) -> dict[tuple[str, str, str], dict[str, bytes]]:
        """What each object holds, as bytes by key, by (kind, namespace, name)."""
        found = [*self._store.every("ConfigMap"), *self._store.every("Secret")]
        return {(one["kind"], one["metadata"]["namespace"], one["metadata"]["name"]): _bytes(one) for one in found}

    def apply(self, text: str, namespace: str = "default", *, server_side: bool = False) -> list[str]:
        """Takes each YAML document; returns ``kind/name`` of each.

        Without ``server_side`` it is held to what kubectl adds: the whole object once more, in an annotation, of which
        there are 256 KiB. Raises Refused, and then takes none of them.
        """
        taken = []
        for document in yaml.safe_load_all(text):
            if document is not None:
                check_object(document, server_side=server_side)
                taken.append({**document, "metadata": {"namespace": namespace, **document["metadata"]}})
        for document in taken:
            self._store.put(as_stored(document))
        return [f"{document['kind'].lower()}/{document['metadata']['name']}" for document in taken]

    def secret(self, name: str, values: Mapping[str, str], namespace: str = "default") -> None:
        """As ``kubectl create secret generic NAME --from-literal KEY=VALUE ...``."""
        metadata = {"name": name, "namespace": namespace}
        self._store.put(as_stored({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values}))

    def get(self, kind: str, namespace: str, name: str) -> dict[str, bytes] | None:
        found = self._store.get(kind, namespace, name)
        return None if found is None else _bytes(found)


def as_stored(document: Mapping[str, Any]) -> dict[str, Any]:
    """A Secret with all its values in ``data``; a ConfigMap as it is."""
    if document["kind"] != "Secret":
        return dict(document)
    kept = {key: value for key, value in document.items() if key != "stringData"}
    coded = {key: base64.b64encode(value).decode() for key, value in _bytes(document).items()}
    return {"type": "Opaque", **kept, "data": coded}


def check_object(document: Mapping[str, Any], *, server_side: bool = True) -> None:
    """Raises Refused where an API server would not take a ConfigMap or Secret."""
    kind, name = str(document.get("kind")), str(document.get("metadata", {}).get("name"))
    if document.get("apiVersion") != "v1" or kind not in ("ConfigMap", "Secret"):
        raise Refused(f'no matches for kind "{kind}" in version "{document.get("apiVersion")}"')
    if fault := schema_fault(document):
        raise Refused(f'{kind} "{name}" is invalid: {fault}')
    if not _NAME.fullmatch(name) or len(name) > 253:
        raise Refused(f'{kind} "{name}" is invalid: metadata.name: Invalid value: "{name}": a lowercase RFC 1123 name')
    try:
        data = _bytes(document)
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


def _bytes(document: Mapping[str, Any]) -> dict[str, bytes]:
    kind = document["kind"]
    plain, coded = ("data", "binaryData") if kind == "ConfigMap" else ("stringData", "data")
    data = {key: base64.b64decode(value, validate=True) for key, value in (document.get(coded) or {}).items()}
    return {**data, **{key: value.encode() for key, value in (document.get(plain) or {}).items()}}
