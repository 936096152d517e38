"""The file ``{dag_id}-code.yaml``: the ConfigMaps that bring a pipeline's code into its pods.

It is applied with ``kubectl apply --server-side -f``. A plain ``apply`` writes the whole object into an annotation of
it as well, and Kubernetes takes 256 KiB of annotations (``metadata.annotations: Too long``).
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

from flowhub_assets.errors import DefinitionError
from flowhub_assets.pods.archive import pack, unpack
from flowhub_assets.pods.spreading import LARGEST, spread
from flowhub_assets.pods.yaml_text import block, quoted

_LABELS = {"app.kubernetes.io/managed-by": "flowhub-assets", "app.kubernetes.io/component": "pipeline-code"}
_PIPELINE = "flowhub/pipeline"
_ARCHIVE = re.compile(r'^  "([^"\\]+\.tar\.xz)": "([A-Za-z0-9+/=]*)"$', re.MULTILINE)


@dataclass(frozen=True)
class Contents:
    """What goes into the ConfigMaps: texts to be read, and files that are packed.

    ``rows`` are flowhub's own modules, ``code`` the pipeline's files (both: name → content), empty where there are
    none. ``paths`` tells where the files of ``code`` lie on this machine, for errors.
    """

    texts: Mapping[str, str]
    rows: Mapping[str, bytes]
    code: Mapping[str, bytes]
    paths: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ConfigMapFile:
    """``documents`` are the ConfigMaps, all of which one projected volume mounts."""

    documents: tuple[Mapping[str, Any], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the ConfigMaps."""
        return tuple(document["metadata"]["name"] for document in self.documents)

    @property
    def text(self) -> str:
        """The text of the file."""
        return "---\n".join(map(_text, self.documents))


def config_maps(
    name: str, pipeline: str, contents: Contents, namespace: str | None = None, largest: int = LARGEST
) -> ConfigMapFile:
    """The ConfigMap ``name`` and, where its values would be longer than ``largest`` bytes, ``name``-2 and so on.

    ``pipeline`` is the pipeline's name as its author wrote it. The first ConfigMap holds the texts, rows.tar.xz and
    code.tar.xz, each further one an archive code-2.tar.xz and so on. The same contents give the same text. Raises
    DefinitionError if a single file, or all texts together, are too large for one.
    """
    rows = {"rows.tar.xz": _packed_rows(tuple(contents.rows.items()))} if contents.rows else {}
    taken = sum(len(text.encode()) for text in contents.texts.values()) + sum(map(len, rows.values()))
    if taken > largest:
        _refuse_texts(contents.texts, largest)
    archives = spread(contents.code, largest - taken, contents.paths, largest)
    first = {"code.tar.xz": archives[0]} if archives and archives[0] else {}
    documents = [_document(name, namespace, pipeline, contents.texts, {**first, **rows})]
    for number, archive in enumerate(archives[1:], 2):
        documents.append(_document(f"{name}-{number}", namespace, pipeline, {}, {f"code-{number}.tar.xz": archive}))
    return ConfigMapFile(tuple(documents))


def same_content(text: str, other: str) -> bool:
    """Whether two files of ConfigMaps say the same, archives compared by what is in them.

    Another version of liblzma may have packed the same files to other bytes.
    """
    return text == other or _unpacked(text) == _unpacked(other)


@lru_cache(maxsize=8)
def _packed_rows(rows: tuple[tuple[str, bytes], ...]) -> bytes:
    """Many pipelines are exported with the same ones."""
    return pack(dict(rows))


def _refuse_texts(texts: Mapping[str, str], largest: int) -> None:
    name = max(texts, key=lambda one: len(texts[one]))
    raise DefinitionError(
        f"{name} has {len(texts[name].encode()):,} bytes",
        effect=f"a ConfigMap of Kubernetes holds {largest:,} bytes at most, so nothing was exported",
        remedy="move long texts of the pipeline (prompts, queries, scripts) into files, or make two pipelines of it",
    )


def _document(
    name: str, namespace: str | None, pipeline: str, texts: Mapping[str, str], archives: Mapping[str, bytes]
) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {**metadata, "labels": dict(_LABELS), "annotations": {_PIPELINE: pipeline}},
        **({"data": {key: texts[key] for key in sorted(texts)}} if texts else {}),
        **({"binaryData": {key: _base64(archives[key]) for key in sorted(archives)}} if archives else {}),
    }


def _text(document: Mapping[str, Any]) -> str:
    metadata = document["metadata"]
    lines = [f"apiVersion: {document['apiVersion']}", f"kind: {document['kind']}", "metadata:"]
    lines += [f"  {key}: {quoted(metadata[key])}" for key in ("name", "namespace") if key in metadata]
    for part in ("labels", "annotations"):
        lines += [f"  {part}:", *(f"    {key}: {quoted(value)}" for key, value in metadata[part].items())]
    for part, written in (("data", partial(block, indent=4)), ("binaryData", quoted)):
        if part in document:
            entries = document[part].items()
            lines += [f"{part}:", *(f"  {quoted(key)}: {written(value)}" for key, value in entries)]
    return "\n".join(lines) + "\n"


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _unpacked(text: str) -> str:
    """``text`` with a digest of the files of each archive in its place."""
    return _ARCHIVE.sub(lambda found: f"  {found.group(1)}: {_digest(found.group(2))}", text)


def _digest(packed: str) -> str:
    try:
        files = unpack(base64.b64decode(packed))
    except ValueError:
        return packed
    told = hashlib.sha256()
    for name, content in files.items():
        for part in (name.encode(), content):
            told.update(len(part).to_bytes(8, "big") + part)
    return told.hexdigest()
