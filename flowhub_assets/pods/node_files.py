"""The files of a user's own kinds of node, which have to travel with a pipeline that uses them."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path

from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.ir.task_tree import all_tasks


def node_files(pipeline: Pipeline) -> list[str]:
    """The paths of the files that define its kinds, sorted; kinds of installed packages are in the image already."""
    types = {task.node.type for task in all_tasks(pipeline) if task.node is not None}
    if not types:
        return []
    # They bring pydantic: not for flows of functions.
    from flowhub_assets.nodes import registry
    from flowhub_assets.nodes.execution import file_of

    files = {os.path.abspath(file_of(registry.get(kind))) for kind in types}
    return sorted(file for file in files if not _is_in_image(file))


def _is_in_image(file: str) -> bool:
    ours = Path(__file__).parents[1]
    # Kinds of a shipped pipeline are registered where its folder is looked through: they travel as a user's do.
    if Path(file).is_relative_to(ours / "pipelines"):
        return False
    installed = (str(ours), sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
    return any(Path(file).is_relative_to(folder) for folder in installed)
