"""Every shape with its tasks in pods of their own images: the values, attempts and failures of the local runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from flowhub_assets_tests.conformance.airflow_checks import EVERY
from flowhub_assets_tests.conformance.kubernetes_runner import IMAGES, DagsterKubernetes
from flowhub_assets_tests.conformance.runners import Ran, Runner, require_same
from flowhub_assets_tests.conformance.shapes import Shape
from flowhub_assets_tests.kubernetes.double import KubeDouble
from flowhub_assets_tests.kubernetes.fixtures import image_python

__all__ = ["image_python"]


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory, image_python: object) -> Iterator[Runner]:
    with KubeDouble(tmp_path_factory.mktemp("cluster"), image_python, IMAGES) as cluster:  # type: ignore[arg-type]
        yield DagsterKubernetes(cluster)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("shape", EVERY, ids=lambda shape: shape.name)
def test_it_is_what_the_local_runtime_gives(
    shape: Shape, runner: Runner, run_shape: Callable[[Shape, Runner], Ran], oracle: Callable[[Shape], Ran]
) -> None:
    require_same(runner.name, run_shape(shape, runner), oracle(shape))
