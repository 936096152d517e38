"""The files of a deployment's folder, read with their places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from flowhub_assets.errors import InputError
from flowhub_assets.from_yaml.positions import Document
from flowhub_assets.from_yaml.problem import FileProblem
from flowhub_assets.from_yaml.read import Refused, decoded, documents

LOCAL_SETTINGS = "dagster.yaml"


@dataclass(frozen=True)
class Folder:
    """What a folder like deploy/ holds; ``problems`` are those of files that cannot be read.

    ``values`` is helm/values.yaml, ``overlays`` helm/values-*.yaml, ``manifests`` every other YAML document of helm/,
    ``charts`` the folders there with a Chart.yaml, ``settings`` the dagster*.yaml beside helm/ and in compose/.
    """

    path: Path
    values: Document
    overlays: list[Document] = field(default_factory=list)
    manifests: list[Document] = field(default_factory=list)
    charts: list[Path] = field(default_factory=list)
    settings: list[Document] = field(default_factory=list)
    compose: Document | None = None
    schema: Path | None = None
    problems: list[FileProblem] = field(default_factory=list)


def read_folder(path: Path) -> Folder:
    """The deployment in ``path``. Raises InputError where there is no helm/values.yaml that can be read."""
    problems: list[FileProblem] = []

    def read(file: Path) -> list[Document]:
        found, wrong = _read(file)
        problems.extend(wrong)
        return found

    helm = path / "helm"
    files = sorted(helm.glob("*.yaml"))
    values = [document for file in files if file.name == "values.yaml" for document in read(file)]
    if not values or not isinstance(values[0].data, dict):
        raise InputError(
            "there is no helm/values.yaml with values in it" if not problems else problems[0].what,
            where=problems[0].where if problems else path,
            effect="Nothing was checked.",
            remedy="Name the folder of the deployment: flowhub deploy check deploy",
        )
    compose = [document for file in path.glob("compose.yaml") for document in read(file)]
    return Folder(
        path=path,
        values=values[0],
        overlays=[one for file in files if file.name.startswith("values-") for one in read(file)],
        manifests=[one for file in files if not file.name.startswith("values") for one in read(file)],
        charts=sorted(chart.parent for chart in helm.glob("*/Chart.yaml")),
        settings=[one for file in _settings(path) for one in read(file)],
        compose=compose[0] if compose else None,
        schema=next(iter(sorted(helm.glob("schema/*.schema.json"))), None),
        problems=problems,
    )


def _settings(path: Path) -> Iterator[Path]:
    yield from sorted(path.glob("dagster*.yaml"))
    yield from sorted(path.glob("compose/dagster*.yaml"))


def _read(file: Path) -> tuple[list[Document], list[FileProblem]]:
    try:
        return documents(decoded(file.read_bytes(), str(file)), str(file))
    except Refused as refused:
        return [], [refused.problem]
    except OSError as error:
        return [], [FileProblem(str(file), 0, 0, f"it cannot be read: {error.strerror}", "", "check its permissions")]
