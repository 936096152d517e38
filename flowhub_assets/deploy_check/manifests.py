"""Every object that a cluster would get: from values, from plain files, from charts, and what Dagster makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from flowhub_assets.deploy_check.folder import Folder
from flowhub_assets.deploy_check.layers import Layers, Place, at
from flowhub_assets.deploy_check.needed import needed
from flowhub_assets.deploy_check.official_pods import official_pods
from flowhub_assets.from_yaml.positions import Document
from flowhub_assets.from_yaml.positions import Path as Keys
from flowhub_assets.from_yaml.problem import FileProblem

#: Where the pod's spec stands in each kind that makes pods.
_POD_SPECS: dict[str, Keys] = {
    "Pod": ("spec",),
    "Deployment": ("spec", "template", "spec"),
    "StatefulSet": ("spec", "template", "spec"),
    "DaemonSet": ("spec", "template", "spec"),
    "ReplicaSet": ("spec", "template", "spec"),
    "Job": ("spec", "template", "spec"),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
}
_RELEASE, _NAMESPACE = "dagster", "flowhub"


@dataclass(frozen=True)
class Manifest:
    """One object for Kubernetes; ``place`` tells where the value at a path of it is written, as well as it can."""

    data: Mapping[str, Any]
    place: Callable[[Keys], Place]

    @property
    def name(self) -> str:
        """Its kind and name."""
        return f"{self.data.get('kind')} {at(self.data, 'metadata', 'name', default='without a name')}"

    @property
    def pod_path(self) -> Keys | None:
        """Where the spec of its pods stands, None if it makes none."""
        return _POD_SPECS.get(str(self.data.get("kind")))

    def problem(self, path: Keys, what: str, effect: str = "", remedy: str = "") -> FileProblem:
        """One mistake of it, at ``path``."""
        return FileProblem(*self.place(path), f"{self.name}: {what}", effect, remedy)


def manifests_of(
    folder: Folder, layers: Iterable[Layers], chart: Path | None = None
) -> tuple[list[Manifest], list[FileProblem]]:
    """All objects, and what cannot be rendered. ``chart`` is the official chart's folder, where somebody has it."""
    found: list[Manifest] = [_of_document(document, ()) for document in folder.manifests]
    problems: list[FileProblem] = []
    for values in layers:
        found += _extra_manifests(values)
        found += [
            Manifest(data, lambda keys, base=path, values=values: values.place((*base, *keys)))  # type: ignore[misc]
            for path, data in official_pods(values.data)
        ]
        if chart is not None:
            found += _rendered(chart, values.data, values.name, problems)
    for own in folder.charts:
        for name, given in (("values.yaml", {}), *_test_values(own)):
            found += _rendered(own, given, name, problems)
    return found, problems


def _of_document(document: Document, base: Keys) -> Manifest:
    return Manifest(at(document.data, *base), lambda keys: (document.file, *document.place((*base, *keys))))


def _extra_manifests(values: Layers) -> Iterator[Manifest]:
    for base in (("extraManifests",), ("dagster-user-deployments", "extraManifests")):
        for index, data in enumerate(at(values.data, *base) or []):
            path: Keys = (*base, index)
            yield Manifest(data, lambda keys, path=path: values.place((*path, *keys)))  # type: ignore[misc]


def _test_values(chart: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Helm's convention: ci/*.yaml are values that a chart is tried with."""
    for file in sorted(chart.glob("ci/*.yaml")):
        yield f"ci/{file.name}", yaml.safe_load(file.read_text("utf-8")) or {}


def _rendered(chart: Path, values: Mapping[str, Any], name: str, problems: list[FileProblem]) -> Iterator[Manifest]:
    helm = needed("helm_python", "helm-python-sdk")
    try:
        files = helm.Chart.load(str(chart)).render(dict(values), name=_RELEASE, namespace=_NAMESPACE)
    except helm.HelmError as error:
        what = f"the chart {chart.name} does not render with {name}: {error}"
        problems.append(
            FileProblem(str(chart), 0, 0, what, "helm would refuse it, too", "change the values or the chart")
        )
        return
    for template, text in sorted(files.items()):
        place = (str(chart.parent / template), 0, 0)
        if not template.endswith((".yaml", ".yml")):
            continue
        for data in yaml.safe_load_all(text):
            if data:
                yield Manifest(data, lambda _keys, place=place: place)  # type: ignore[misc]
