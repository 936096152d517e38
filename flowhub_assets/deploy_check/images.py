"""Names of images: whole, with a tag that means one image, and ours the same everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from flowhub_assets.deploy_check.folder import Folder
from flowhub_assets.deploy_check.layers import Layers, Place, at
from flowhub_assets.deploy_check.manifests import Manifest
from flowhub_assets.deploy_check.official_pods import image_name
from flowhub_assets.from_yaml.problem import FileProblem

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?"
# The grammar of github.com/distribution/reference.
_NAME = re.compile(
    rf"(?P<repository>(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?P<digest>[a-z0-9]+:[0-9a-fA-F]{32,}))?"
)
_ANOTHER = "Tomorrow the same files may run another program"


@dataclass(frozen=True)
class Image:
    """An image's name as it is written at ``place``."""

    name: str
    place: Place

    @property
    def repository(self) -> str:
        """Its name without tag and digest; the whole name where it cannot be read."""
        match = _NAME.fullmatch(self.name)
        return match["repository"] if match else self.name


def images_of(folder: Folder, layers: Iterable[Layers], manifests: Iterable[Manifest]) -> list[Image]:
    """Every image of the values, the manifests and the compose file, once for each place."""
    found = [
        *(image for values in layers for image in _of_values(values)),
        *(image for manifest in manifests for image in _of_manifest(manifest)),
        *_of_compose(folder),
    ]
    return list(dict.fromkeys(found))


def image_problems(images: Iterable[Image], own: str) -> Iterator[FileProblem]:
    """Names that mean nothing or not always the same, and other versions of the image ``own``, the code location's."""
    repository = Image(own, ("", 0, 0)).repository
    for image in images:
        match = _NAME.fullmatch(image.name)
        if match is None:
            remedy = "write repository:tag, in small letters"
            yield FileProblem(*image.place, f"{image.name!r} is no name of an image", "it cannot be pulled", remedy)
        elif match["tag"] == "latest" or not (match["tag"] or match["digest"]):
            what = f"the image {image.name!r} names no version"
            yield FileProblem(*image.place, what, _ANOTHER, "name a tag that is never pushed twice, or a digest")
        elif image.repository == repository and image.name != own:
            what = f"the image {image.name!r} is another version than the code location's, {own!r}"
            effect = "a run and what starts it would not be the same program"
            yield FileProblem(*image.place, what, effect, "name the same image everywhere")


def own_image(values: Layers) -> str:
    """The image of the first code location; '' where there is none."""
    return image_name(at(values.data, "dagster-user-deployments", "deployments", 0, "image") or {})


def _of_values(values: Layers) -> Iterator[Image]:
    deployments = at(values.data, "dagster-user-deployments", "deployments") or []
    paths: list[tuple[str | int, ...]] = [("dagsterWebserver",), ("dagsterDaemon",), ("postgresql",)]
    paths += [("dagster-user-deployments", "deployments", index) for index in range(len(deployments))]
    for path in paths:
        image = at(values.data, *path, "image")
        if isinstance(image, dict):
            at_tag = "digest" if image.get("digest") else "tag"
            yield Image(image_name(image), values.place((*path, "image", at_tag)))


def _of_manifest(manifest: Manifest) -> Iterator[Image]:
    base = manifest.pod_path
    # The official chart's pods come from the values, where their images were looked at.
    if base is None or manifest.place(base)[0].endswith("values.yaml"):
        return
    for key in ("initContainers", "containers"):
        for index, container in enumerate(at(manifest.data, *base, key) or []):
            yield Image(str(container.get("image", "")), manifest.place((*base, key, index, "image")))


def _of_compose(folder: Folder) -> Iterator[Image]:
    if folder.compose is None:
        return
    for name, service in (at(folder.compose.data, "services") or {}).items():
        if "image" in service:
            written = re.sub(r"\$\{\w+:?-([^}]*)\}", r"\1", str(service["image"]))
            yield Image(written, (folder.compose.file, *folder.compose.place(("services", name, "image"))))
