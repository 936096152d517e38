"""Text of a node's config that no template may change: what runs as a program is written by the pipeline's author."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from flowhub_assets.nodes.sdk import NodeModel

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


def verbatim_fields(model: type[NodeModel]) -> frozenset[str]:
    """The fields of ``model`` that are taken as they are written, by each name that a pipeline file may use."""
    fields = [(name, info.alias) for name, info in model.model_fields.items() if _NO_TEMPLATES in info.metadata]
    return frozenset(spelling for names in fields for spelling in names if spelling)
