"""Text of a node's config that no template may change: what runs as a program is written by the pipeline's author."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator

from flowhub_assets.nodes.sdk import Node, NodeModel

Path = tuple[str | int, ...]

_NO_TEMPLATES = "no templates"


def _refuse_templates(text: str) -> str:
    for mark in ("{{", "{%", "{#"):
        if mark in text:
            raise ValueError(
                f"holds {mark!r}, and nothing is pasted into it: write :name there, "
                "and give the value under that name in inputs.parameters"
            )
    return text


#: A field of this type is not rendered, and refuses what looks like a template.
QueryText = Annotated[str, AfterValidator(_refuse_templates), _NO_TEMPLATES]

#: A field of this type is not rendered: what looks like a template in it means something else.
VerbatimText = Annotated[str, _NO_TEMPLATES]
VerbatimTextOrNone = Annotated[str | None, _NO_TEMPLATES]


def verbatim_fields(model: type[NodeModel]) -> frozenset[str]:
    """The fields of ``model`` that are taken as they are written, by each name that a pipeline file may use."""
    fields = [(name, info.alias) for name, info in model.model_fields.items() if _NO_TEMPLATES in info.metadata]
    return frozenset(spelling for names in fields for spelling in names if spelling)


def condition_paths(kind: type[Node], config: Mapping[str, Any]) -> tuple[Path, ...]:
    """Where a condition stands in ``config``, which may be wrong in any way."""
    try:
        paths = kind.conditions_of(config)
    except Exception:  # noqa: BLE001 - a kind's own code, on a config that is wrong: the check of its values tells why
        return ()
    return tuple(path for path in paths if isinstance(_at(config, path), str))


def verbatim_paths(kind: type[Node], config: Mapping[str, Any]) -> tuple[Path, ...]:
    """What of ``config`` is not rendered: conditions, and what is taken as it is written."""
    fields = verbatim_fields(kind.Config) if kind.Config else frozenset()
    return (*((key,) for key in config if key in fields), *condition_paths(kind, config))


def replaced(values: Any, paths: Iterable[Path], source: Any = None) -> Any:
    """A copy of ``values`` with what ``source`` has at each path there, null for no source."""
    for path in paths:
        if not path:
            return source
        inner = replaced(_at(values, path[:1]), [path[1:]], None if source is None else source[path[0]])
        values = dict(values) if isinstance(values, Mapping) else list(values)
        values[path[0]] = inner
    return values


def _at(values: Any, path: Path) -> Any:
    for key in path:
        try:
            values = values[key]
        except (KeyError, IndexError, TypeError):
            return None
    return values
