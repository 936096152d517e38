"""Fixtures for tests with a real Airflow; a test module imports those that it uses."""

from __future__ import annotations

import pytest

from flowhub_assets_tests.airflow.environments import VERSIONS, Environment, environment
from flowhub_assets_tests.kubernetes.fixtures import cluster, image_python

__all__ = ["airflow", "cluster", "image_python"]


@pytest.fixture(scope="module", params=VERSIONS)
def airflow(request: pytest.FixtureRequest) -> Environment:
    """Airflow 2.11, then the newest 3.x."""
    version: str = request.param
    return environment(version)
