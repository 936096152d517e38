"""Fixtures and small waits for tests with the double; a test module imports those that it uses."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flowhub_assets_tests.airflow.drive import bare_python
from flowhub_assets_tests.kubernetes.double import KubeDouble


@pytest.fixture(scope="session")
def image_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with nothing installed."""
    return bare_python(tmp_path_factory.mktemp("image"))


@pytest.fixture
def cluster(tmp_path: Path, image_python: Path) -> Iterator[KubeDouble]:
    """A Kubernetes whose images all have the bare Python."""
    with KubeDouble(tmp_path / "cluster", image_python) as cluster:
        yield cluster


@pytest.fixture
def api(cluster: KubeDouble) -> Any:
    """The real client's CoreV1Api."""
    return core_api(cluster)


@pytest.fixture
def batch(cluster: KubeDouble) -> Any:
    """The real client's BatchV1Api."""
    from kubernetes import client, config

    return client.BatchV1Api(config.new_client_from_config(str(cluster.kubeconfig)))


def core_api(cluster: KubeDouble) -> Any:
    from kubernetes import client, config

    return client.CoreV1Api(config.new_client_from_config(str(cluster.kubeconfig)))


def until(holds: Callable[[], Any], seconds: float = 60.0) -> Any:
    """What ``holds`` returns, once it is true."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.01)
    return found


def script(text: str, name: str = "p", **container: Any) -> dict[str, Any]:
    """A pod of one container that runs a Python script."""
    base = {"name": "base", "image": "python:3.11-slim", "command": ["python", "-c", text], **container}
    metadata = {"name": name, "labels": {"task": name}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec_of(base)}


def job(text: str, name: str = "j", **spec: Any) -> dict[str, Any]:
    """A Job whose pods run a Python script; ``container`` and ``pod_spec`` are merged into its pods."""
    container = {"name": "main", "image": "python:3.11-slim", "command": ["python", "-c", text]}
    pod_spec = {**spec_of(container | spec.pop("container", {})), **spec.pop("pod_spec", {})}
    metadata = {"name": name, "labels": {"task": name}}
    template = {"metadata": {"labels": {"task": name}}, "spec": pod_spec}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {**spec, "template": template}}


def spec_of(container: dict[str, Any]) -> dict[str, Any]:
    return {"restartPolicy": "Never", "containers": [container]}


def names(found: Any) -> list[str]:
    """Of a list that the client answered with."""
    return [one.metadata.name for one in found.items]
