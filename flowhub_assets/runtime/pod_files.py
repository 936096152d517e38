"""What an export tells a pod about its pipeline: the file pipeline.json beside the code.

    {"format": 1, "file": "workflow.py", "flow": "my-flow", "kind": "python", "argv": ["--count", "3"],
     "profile_name": "airflow", "profile": {"BUCKET": "b", "ACCESS_KEY": {"env": "ACCESS_KEY"}},
     "secret": "my-flow-secrets", "env": {"my-task": {"TOKEN": {"env": "TOKEN"}}}}

``kind`` is python for a flow that stands in ``file``, data for a pipeline whose own document is under "pipeline".
"env" is that of tasks which refer to variables, in the place of what the file says.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flowhub_assets.errors import InputError
from flowhub_assets.ir.encoding import from_dict
from flowhub_assets.ir.pipeline import Pipeline

FORMAT = 1

_TYPES: dict[str, type[Any]] = {
    "file": str,
    "flow": str,
    "kind": str,
    "argv": list,
    "profile_name": str,
    "profile": dict,
    "pipeline": dict,
    "secret": str,
    "env": dict,
}
_REQUIRED = ("file", "flow", "kind", "profile_name", "profile")
_KINDS = ("python", "data")


@dataclass(frozen=True)
class PodFiles:
    """``file`` is absolute, the pipeline's own, in the folder ``code``; ``argv`` are the script's own arguments.

    ``profile`` may hold references to environment variables, which come from the Kubernetes Secret ``secret``.
    """

    file: str
    flow: str
    kind: str
    profile_name: str
    profile: Mapping[str, Any] = field(repr=False)
    argv: tuple[str, ...] = ()
    document: Mapping[str, Any] = field(default_factory=dict)
    secret: str = ""
    env: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    code: str = ""

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline of the kind data. Raises InputError for a document of another version."""
        return from_dict(self.document, os.path.dirname(self.file))


def read_pod_files(path: str, code: str) -> PodFiles:
    """What the pipeline.json at ``path`` says, its file placed in the folder ``code``. Raises InputError."""
    try:
        with open(path, "rb") as file:
            told = json.loads(file.read().decode("utf-8"))
    except OSError as error:
        raise _refused(f"it cannot be read: {error.strerror}", path) from None
    except (ValueError, RecursionError) as error:
        raise _refused(f"it is not JSON: {error}", path) from None
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise _refused(f"it is not of format {FORMAT}", path)
    wrong = [name for name, kind in _TYPES.items() if name in told and not isinstance(told[name], kind)]
    wrong += [name for name in _REQUIRED if name not in told]
    if wrong or told["kind"] not in _KINDS or (told["kind"] == "data" and "pipeline" not in told):
        raise _refused(f"{', '.join(wrong) or 'kind'} is missing or of a wrong type", path)
    return PodFiles(
        file=os.path.normpath(os.path.join(code, told["file"])),
        flow=told["flow"],
        kind=told["kind"],
        profile_name=told["profile_name"],
        profile=told["profile"],
        argv=tuple(map(str, told.get("argv", ()))),
        document=told.get("pipeline", {}),
        secret=told.get("secret", ""),
        env=told.get("env", {}),
        code=code,
    )


def _refused(what: str, path: str) -> InputError:
    return InputError(what, where=path, effect="Nothing was run.", remedy="Export the pipeline again.")
