"""All checks of a deployment's folder, in their order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from flowhub_assets.deploy_check.folder import read_folder
from flowhub_assets.deploy_check.images import image_problems, images_of, own_image
from flowhub_assets.deploy_check.layers import combinations
from flowhub_assets.deploy_check.manifests import manifests_of
from flowhub_assets.deploy_check.pods import security_problems
from flowhub_assets.deploy_check.queues import queue_problems, queue_settings
from flowhub_assets.deploy_check.secrets import secret_problems
from flowhub_assets.deploy_check.strict import strict_problems, supported
from flowhub_assets.deploy_check.values_schema import schema_problems
from flowhub_assets.from_yaml.problem import FileProblem


@dataclass(frozen=True)
class Check:
    """One kind of check: its name, how much was looked at and what was wrong."""

    name: str
    looked_at: str
    problems: list[FileProblem]


def check_deployment(path: Path, chart: Path | None = None) -> list[Check]:
    """Everything that can be wrong without a cluster, in the folder ``path``.

    ``chart`` is the official chart's folder: with it, its templates are rendered, too. Raises InputError where there
    is nothing to check, or a package is missing that checks.
    """
    folder = read_folder(path)
    layers = combinations(folder.values, folder.overlays)
    manifests, unrendered = manifests_of(folder, layers, chart)
    pods = [manifest for manifest in manifests if manifest.pod_path is not None]
    images = images_of(folder, layers, manifests)
    queues = queue_settings(folder, layers)
    schema = list(schema_problems(layers, folder.schema)) if folder.schema else [_no_schema(path)]
    oldest, newest = supported()
    return [
        _check(
            "files", f"{len(folder.charts)} charts, {len(layers)} ways to lay values", [*folder.problems, *unrendered]
        ),
        _check("values", f"{len(layers)} by the official chart's schema", schema),
        _check(
            "manifests", f"{len(manifests)} by Kubernetes {oldest} and {newest}, strict", strict_problems(manifests)
        ),
        _check("security", f"{len(pods)} kinds of pod by PodSecurity restricted", security_problems(manifests)),
        _check("images", f"{len(images)} names", image_problems(images, own_image(layers[0]))),
        _check("queue", f"{len(queues)} places", queue_problems(queues, folder)),
        _check("secrets", f"{len(layers) + len(manifests)} texts", secret_problems(folder, layers, manifests)),
    ]


def _check(name: str, looked_at: str, problems: Iterable[FileProblem]) -> Check:
    # The same line is part of several combinations of values.
    return Check(name, looked_at, list(dict.fromkeys(problems)))


def _no_schema(path: Path) -> FileProblem:
    what = "there is no schema of the official chart"
    remedy = "put its values.schema.json there as helm/schema/dagster.schema.json"
    return FileProblem(str(path / "helm"), 0, 0, what, "a misspelt value would be told by helm first", remedy)
