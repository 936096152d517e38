"""What the tests of both Airflows share: the shapes that they run, and the runs, made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flowhub_assets_tests.airflow.environments import environment
from flowhub_assets_tests.conformance.airflow_runs import run_in_airflow
from flowhub_assets_tests.conformance.branch_shapes import BRANCHES, FAILING_BRANCHES, LOOPS
from flowhub_assets_tests.conformance.failing_shapes import FAILING
from flowhub_assets_tests.conformance.runners import Ran, require_same
from flowhub_assets_tests.conformance.setting_shapes import SETTINGS
from flowhub_assets_tests.conformance.shapes import MANY, SHAPES, Shape, deep, wide
from flowhub_assets_tests.conformance.typed_shapes import TYPED
from flowhub_assets_tests.conformance.yaml_shapes import FAILING_FILES, FILES

# A pod takes a fifth of a second of both cores: that files of the long and the wide load is told by test_exported_dags.
_FEW = [wide(12), deep(20)]

EVERY: list[Shape] = [
    *(*(shape for shape in SHAPES if shape not in MANY), *_FEW, *SETTINGS, *TYPED, *BRANCHES, *LOOPS, *FILES),
    *(*FAILING, *FAILING_BRANCHES, *FAILING_FILES),
]


def ran_in(
    version: str, write_shape: Callable[[Shape], Path], factory: pytest.TempPathFactory
) -> dict[str, Ran | AssertionError]:
    """How every shape ends in that Airflow, by its name."""
    files = {shape.name: write_shape(shape) for shape in EVERY}
    return run_in_airflow(environment(version), EVERY, files, factory.mktemp(f"airflow{version}"))


def require_as_local(name: str, ran: Ran | AssertionError, expected: Ran) -> None:
    """Raises AssertionError for a run that did not come to an end, or to another than the local runtime's."""
    if isinstance(ran, AssertionError):
        raise ran
    require_same(name, ran, expected)
