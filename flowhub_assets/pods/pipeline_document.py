"""pipeline.json: what a pod is told about its pipeline, beside the code."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from flowhub_assets.ir.encoding import to_dict
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.ir.task_tree import all_tasks
from flowhub_assets.runtime.pod_files import FORMAT
from flowhub_assets.runtime.profile_references import references


def is_python(pipeline: Pipeline) -> bool:
    """Whether the pipeline stands in a Python file, which then travels; any other travels as data."""
    return pipeline.source.file.endswith(".py")


def pipeline_text(
    pipeline: Pipeline,
    *,
    file: str,
    profile_name: str,
    profile: Mapping[str, Any],
    argv: Sequence[str] = (),
    secret: str = "",
) -> str:
    """The text of pipeline.json, to be read by people too.

    ``file`` is the pipeline's own file as it is called in the code folder, ``argv`` are the arguments of its script,
    ``profile`` holds references in the place of credentials, and ``secret`` is the Kubernetes Secret that has these.
    A pipeline that travels as data leaves its profiles behind: a pod has the one that it was exported with. Beside a
    Python file travels the env of those tasks that refer to variables: the file may name a Secret instead.
    """
    told: dict[str, Any] = {
        "format": FORMAT,
        "file": file,
        "flow": pipeline.name,
        "kind": "python" if is_python(pipeline) else "data",
        "argv": list(argv),
        "profile_name": profile_name,
        "profile": profile,
        "secret": secret,
    }
    if is_python(pipeline):
        env = {task.name: task.env for task in all_tasks(pipeline) if any(references(task.env))}
        told |= {"env": env} if env else {}
    else:
        told["pipeline"] = to_dict(dataclasses.replace(pipeline, profiles={}))
    return json.dumps(told, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
