"""Every shape as a DAG of Airflow 2.11: the values, attempts and failures of the local runtime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flowhub_assets_tests.conformance.airflow_checks import EVERY, ran_in, require_as_local
from flowhub_assets_tests.conformance.runners import Ran
from flowhub_assets_tests.conformance.shapes import Shape


@pytest.fixture(scope="module")
def ran(
    write_shape: Callable[[Shape], Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Ran | AssertionError]:
    """All shapes, run in one process of Airflow."""
    return ran_in("2", write_shape, tmp_path_factory)


# The first one waits for all of them.
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("shape", EVERY, ids=lambda shape: shape.name)
def test_it_is_what_the_local_runtime_gives(
    shape: Shape, ran: dict[str, Ran | AssertionError], oracle: Callable[[Shape], Ran]
) -> None:
    require_as_local("Airflow 2", ran[shape.name], oracle(shape))
