"""Values files as Helm lays them over each other, and where each value of the result stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath
from typing import Any

from flowhub_assets.from_yaml.positions import Document, Path

#: File, line and column, counted from 1.
Place = tuple[str, int, int]


@dataclass(frozen=True)
class Layers:
    """A values file and those that are laid over it, in their order."""

    documents: tuple[Document, ...]

    @cached_property
    def data(self) -> dict[str, Any]:
        """The values together."""
        whole: dict[str, Any] = {}
        for document in self.documents:
            whole = laid_over(whole, document.data)
        return whole

    @property
    def name(self) -> str:
        """The files, as one text: ``values.yaml + values-minio.yaml``."""
        return " + ".join(PurePath(document.file).name for document in self.documents)

    def place(self, path: Path, key: bool = False) -> Place:
        """Where the value at ``path`` is given: in the last file that says most of it."""
        document = max(reversed(self.documents), key=lambda one: _depth(one.data, path))
        return (document.file, *document.place(path, key))


def laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Helm's own rule: objects key by key, anything else as a whole; null takes a key away."""
    merged = dict(below)
    for key, value in above.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = laid_over(merged[key], value)
        else:
            merged[key] = value
    return merged


def combinations(base: Document, overlays: Iterable[Document]) -> list[Layers]:
    """The base alone, with each of ``overlays``, and with all of them."""
    above = tuple(overlays)
    each = [Layers((base, overlay)) for overlay in above]
    return [Layers((base,)), *each, *([Layers((base, *above))] if len(above) > 1 else [])]


def at(data: Any, *path: str | int, default: Any = None) -> Any:
    """The value at ``path``, or ``default`` where something on the way is missing."""
    for part in path:
        known = range(len(data)) if isinstance(data, list) else data if isinstance(data, dict) else ()
        if part not in known:
            return default
        data = data[part]
    return data


def _depth(data: Any, path: Path) -> int:
    missing = object()
    return sum(at(data, *path[: length + 1], default=missing) is not missing for length in range(len(path)))
