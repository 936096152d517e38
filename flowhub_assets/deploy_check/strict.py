"""Manifests against Kubernetes' own schemas, strictly: a field that it does not know is a mistake, too."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import lru_cache

from flowhub_assets.deploy_check.manifests import Manifest
from flowhub_assets.deploy_check.needed import needed
from flowhub_assets.from_yaml.positions import Path
from flowhub_assets.from_yaml.problem import FileProblem

#: The oldest Kubernetes that is supported; the newest is the newest whose schemas the installed package has.
OLDEST = "1.28"


def supported() -> tuple[str, str]:
    """The oldest and the newest supported Kubernetes."""
    newest: str = needed("kubernetes_validate", "kubernetes-validate").latest_version()
    return OLDEST, ".".join(newest.split(".")[:2])


def strict_problems(manifests: Iterable[Manifest]) -> Iterator[FileProblem]:
    """What the API of the oldest or of the newest supported Kubernetes would refuse."""
    versions = supported()
    for manifest in manifests:
        text = json.dumps(manifest.data, sort_keys=True)
        faults = (_fault(text, version) for version in versions)
        fault = next((found for found in faults if found is not None), None)
        if fault is not None:
            path, what, effect, remedy = fault
            yield manifest.problem(path, what, effect, remedy)


# The same object comes of most combinations of values, and to read its schema takes longer than all else.
@lru_cache(maxsize=1024)
def _fault(text: str, version: str) -> tuple[Path, str, str, str] | None:
    """The first thing that this version of Kubernetes refuses in the object of that JSON text."""
    kubernetes = needed("kubernetes_validate", "kubernetes-validate")
    data = json.loads(text)
    try:
        kubernetes.validate(data, version, strict=True)
    except KeyError as missing:
        return (), f"it has no {missing}", "it is no object for Kubernetes", "add it"
    except kubernetes.SchemaNotFoundError:
        what = f"Kubernetes {version} has no such kind in {data.get('apiVersion')!r}"
        return ("apiVersion",), what, "it cannot be applied", "name another apiVersion"
    except kubernetes.ValidationError as error:
        return tuple(error.path), error.message, f"Kubernetes {version} refuses it", "change the field"
    return None
