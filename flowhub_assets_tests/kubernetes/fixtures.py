"""Fixtures for tests with the double; a test module imports those that it uses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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
