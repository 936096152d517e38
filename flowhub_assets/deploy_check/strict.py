"""Manifests against Kubernetes' own schemas, strictly: a field that it does not know is a mistake, too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flowhub_assets.deploy_check.manifests import Manifest
from flowhub_assets.deploy_check.needed import needed
from flowhub_assets.from_yaml.problem import FileProblem

#: The oldest Kubernetes that is supported; the newest is the newest whose schemas the installed package has.
OLDEST = "1.28"


def supported() -> tuple[str, str]:
    """The oldest and the newest supported Kubernetes."""
    newest: str = needed("kubernetes_validate", "kubernetes-validate").latest_version()
    return OLDEST, ".".join(newest.split(".")[:2])


def strict_problems(manifests: Iterable[Manifest]) -> Iterator[FileProblem]:
    """What the API of the oldest or of the newest supported Kubernetes would refuse."""
    validate = needed("kubernetes_validate", "kubernetes-validate")
    versions = supported()
    for manifest in manifests:
        for version in versions:
            try:
                validate.validate(dict(manifest.data), version, strict=True)
            except KeyError as missing:
                yield manifest.problem((), f"it has no {missing}", "it is no object for Kubernetes", "add it")
                break
            except validate.SchemaNotFoundError:
                what = f"Kubernetes {version} has no such kind in {manifest.data.get('apiVersion')!r}"
                yield manifest.problem(("apiVersion",), what, "it cannot be applied", "name another apiVersion")
                break
            except validate.ValidationError as error:
                path = tuple(part if isinstance(part, int) else str(part) for part in error.path)
                yield manifest.problem(path, error.message, f"Kubernetes {version} refuses it", "change the field")
                break
