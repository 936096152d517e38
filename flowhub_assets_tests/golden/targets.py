"""What a pipeline becomes, as files: one line for each target, and the files that they should give."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import flowhub_assets.pipelines
from flowhub_assets import definitions
from flowhub_assets.ir.encoding import to_dict
from flowhub_assets.runtime.step import Runnable
from flowhub_assets_tests.golden.airflow_files import code_text, dag_text
from flowhub_assets_tests.golden.dagster_summary import dagster_summary

GOLDEN = Path(__file__).resolve().parent
PIPELINES = Path(flowhub_assets.pipelines.__path__[0])
#: A pipeline is either of these.
FILES = ("workflow.py", "pipeline.yaml")


def as_text(document: Any) -> str:
    """JSON to be read and compared line by line. Keys that users write, such as params, are sorted too."""
    return json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


#: File name → what it should hold for a pipeline, as text.
TARGETS: dict[str, Callable[[Runnable], str]] = {
    "ir.json": lambda runnable: as_text(to_dict(runnable.pipeline)),
    "dagster.json": lambda runnable: as_text(dagster_summary(runnable)),
    # Not .py: it is held against what it was, not against the style of this house.
    "airflow-dag.txt": dag_text,
    "airflow-code.yaml": code_text,
}


def shipped() -> list[str]:
    """The shipped pipelines, by folder."""
    return sorted(path.parent.name for name in FILES for path in PIPELINES.glob(f"*/{name}"))


def load(pipeline: str, folder: Path = PIPELINES) -> Runnable:
    """The one flow of a shipped pipeline, or of its copy in another ``folder``."""
    (path,) = (folder / pipeline / name for name in FILES if (folder / pipeline / name).is_file())
    (runnable,) = definitions.load(path).runnables
    return runnable


def wanted(folder: Path) -> set[Path]:
    """The golden files that should be in ``folder``."""
    return {folder / pipeline / target for pipeline in shipped() for target in TARGETS}


def there(folder: Path) -> set[Path]:
    """The golden files that are in ``folder``."""
    return set(_files(folder))


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.glob("*/*"):
        if path.is_file() and path.parent.name != "__pycache__":
            yield path
