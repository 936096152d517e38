"""A task's pod as Kubernetes takes it: its image and placement, and what every pod of the pipeline has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flowhub_assets.ir.kubernetes_spec import container, pod_metadata, pod_spec
from flowhub_assets.ir.pipeline import Pipeline, Task

#: Where each pod finds the pipeline's code, read only.
CODE_PATH = "/opt/flowhub"
#: Where an init container puts what it has cloned.
CLONED_PATH = "/opt/flowhub-clone"
#: Where Airflow's sidecar reads what a pod gives (its XCom).
RESULT_FILE = "/airflow/xcom/return.json"

_CODE_VOLUME, _CLONE_VOLUME = "flowhub-code", "flowhub-clone"
#: What every pod has already; xcom is Airflow's own.
OWN_VOLUMES = (_CODE_VOLUME, _CLONE_VOLUME, "xcom")
OWN_PATHS = (CODE_PATH, CLONED_PATH, "/airflow/xcom")
#: Runs the task where the pipeline's code and this package's part of it travel with the pod, in any image with Python.
BARE_MODULE = "flowhub_assets.from_python.pod"
#: Runs the task in an image that has this package.
INSTALLED_MODULE = "flowhub_assets.from_yaml.pod"
#: What Kubernetes takes as an executable everywhere: no shell is asked.
_BOOT = ("python", f"{CODE_PATH}/boot.py")


@dataclass(frozen=True)
class Clone:
    """Code that an init container clones: ``path`` is the workflow file's folder in the repository.

    ``ref`` is a tag or a branch, or a commit's hash.
    """

    url: str
    ref: str
    is_commit: bool
    image: str
    path: str = ""


@dataclass(frozen=True)
class PodSettings:
    """What all pods of an export share. ``python_image`` and ``node_image`` stand in where a task names no image.

    ``bucket`` is where the profile keeps files, ``secrets`` are env entries of every pod: name, Kubernetes Secret, key.
    ``result`` is the file in which a pod leaves its result, - for its log.
    """

    config_maps: Sequence[str]
    python_image: str
    node_image: str
    node_image_is_assumed: bool = False
    namespace: str | None = None
    bucket: str | None = None
    secrets: Sequence[tuple[str, str, str]] = ()
    clone: Clone | None = None
    result: str = RESULT_FILE


def runs_in_bare_image(tasks: Sequence[Task]) -> bool:
    """Whether a pod of ``tasks`` needs Python only: functions do, typed nodes need this package and its libraries."""
    return all(_is_function(task) for task in tasks)


def _is_function(task: Task) -> bool:
    inner = task.loop.tasks if task.loop is not None else ()
    return task.node is None and all(map(_is_function, inner))


def pod_manifest(pipeline: Pipeline, asks: Task, bare: bool, settings: PodSettings) -> dict[str, Any]:
    """The manifest of the pod that runs ``asks``, or of one that runs others as that one asks: a plain dict."""
    made = container(asks.placement)
    image = made.pop("image", settings.python_image if bare else settings.node_image)
    base = {
        "name": "base",
        "image": image,
        "command": list(_BOOT),
        "args": _arguments(bare, settings),
        **_env(settings.secrets),
        **made,
        # A task's mounts are beside that of the code, never instead of it.
        "volumeMounts": [*_code_mounts(settings.clone), *made.get("volumeMounts", [])],
    }
    spec = pod_spec(asks.placement, pipeline.volumes, pipeline.service_account_name, pipeline.image_pull_secrets)
    volumes = [*_code_volumes(settings), *spec.pop("volumes", [])]
    inits = {"initContainers": [_cloning(settings.clone)]} if settings.clone else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _metadata(pipeline, asks, settings),
        "spec": {**spec, **inits, "containers": [base], "volumes": volumes, "restartPolicy": "Never"},
    }


def _arguments(bare: bool, settings: PodSettings) -> list[str]:
    module = BARE_MODULE if bare else INSTALLED_MODULE
    clone = settings.clone
    cloned = ["--code", _join(f"{CLONED_PATH}/code", clone.path)] if clone else []
    return _literally(["--module", module, "--result", settings.result, *cloned])


def _literally(words: list[str]) -> list[str]:
    """The words of a command, written so that Kubernetes leaves $(NAME) and $$ in them as they are."""
    return [word.replace("$", "$$") for word in words]


def _join(folder: str, path: str) -> str:
    return f"{folder}/{path.strip('/')}" if path.strip("/.") else folder


def _env(secrets: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
    entries = [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}} for name, secret, key in secrets
    ]
    return {"env": entries} if entries else {}


def _code_mounts(clone: Clone | None) -> list[dict[str, Any]]:
    mounts: list[dict[str, Any]] = [{"name": _CODE_VOLUME, "mountPath": CODE_PATH, "readOnly": True}]
    return [*mounts, {"name": _CLONE_VOLUME, "mountPath": CLONED_PATH, "readOnly": True}] if clone else mounts


def _code_volumes(settings: PodSettings) -> list[dict[str, Any]]:
    sources = [{"configMap": {"name": name}} for name in settings.config_maps]
    volumes: list[dict[str, Any]] = [{"name": _CODE_VOLUME, "projected": {"sources": sources}}]
    return [*volumes, {"name": _CLONE_VOLUME, "emptyDir": {}}] if settings.clone else volumes


def _cloning(clone: Clone) -> dict[str, Any]:
    """One container that fetches the pinned ref and nothing else, as git itself does it: no shell is asked."""
    pinned = f"--revision={clone.ref}" if clone.is_commit else f"--branch={clone.ref}"
    arguments = ["clone", "--quiet", "--depth=1", pinned, "--", clone.url, f"{CLONED_PATH}/code"]
    return {
        "name": "clone",
        "image": clone.image,
        "command": ["git"],
        "args": _literally(arguments),
        "volumeMounts": [{"name": _CLONE_VOLUME, "mountPath": CLONED_PATH}],
        # What git says of a ref that is not there becomes what is told of the pod.
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _metadata(pipeline: Pipeline, asks: Task, settings: PodSettings) -> dict[str, Any]:
    own = {"app.kubernetes.io/managed-by": "flowhub-assets"}
    said = pod_metadata(asks.placement, {**own, **pipeline.labels}, pipeline.annotations)
    namespace = {"namespace": settings.namespace} if settings.namespace else {}
    return {"labels": said.pop("labels"), **namespace, **said}
