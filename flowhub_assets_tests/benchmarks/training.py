"""From a data set to a registered model: through Dagster and by a plain script; nine cells at once and one by one."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from flowhub_assets.to_dagster.partitions import PARTITION_TAG
from flowhub_assets_tests.benchmarks.row import Prepared, Row, alternating, interpreter
from flowhub_assets_tests.checkout import ROOT
from flowhub_assets_tests.to_dagster.dagster_stack import Stack, dagster_stack, stack_environment

_DATA_SETS, _MODELS = ("iris", "titanic", "housing"), ("scikit-learn", "xgboost", "lightgbm")
_ENV = "env = {'WORKSPACE': './tmp', 'project': 'script', 'run_id': 'script', 'task': 'script'}"
_PUBLISH = f"""
from flowhub_assets import ml
{_ENV}
for name in ml.DATA_SETS:
    frame, source = ml.load_data_set(name, env)
    ml.publish(name, frame, env, source)
ml.champion("iris", env)  # MLflow's database is there, too
"""
#: What the tasks of the pipeline training call, one after the other in one process.
_SCRIPT = f"""
from flowhub_assets import ml
{_ENV}
trained = ml.train("iris", "scikit-learn", {{}}, env)
ml.training_plots(trained)
evaluated = ml.evaluate(trained, env)
ml.gate(evaluated, env)
ml.evaluation_plots(evaluated)
version = ml.register(trained, evaluated, env)
ml.promote(version["name"], version["version"], env)
"""
#: What a run worker does.
_RUN = """
from dagster import DagsterInstance
from flowhub_assets.definitions import location
with DagsterInstance.get() as instance:
    job = location.repository().get_job("training")
    assert job.execute_in_process(instance=instance, partition_key="iris|scikit-learn").success
"""


def measure(quick: bool = False) -> list[Row]:
    """Each side is a process of its own, as a script and a run worker are; the matrix goes through Dagster's queue."""
    return [_registered(1 if quick else 5), _matrix(("iris",) if quick else _DATA_SETS, _MODELS)]


def _registered(times: int) -> Row:
    with tempfile.TemporaryDirectory() as name:
        begun = Path(name) / "begun"
        (begun / "home").mkdir(parents=True)
        shutil.copy(ROOT / "deploy" / "dagster.yaml", begun / "home")
        interpreter(_PUBLISH, folder=begun, environment=stack_environment(begun))()
        ours, other = alternating([_anew(begun, _RUN), _anew(begun, _SCRIPT)], times)
    return Row(
        "iris × scikit-learn, from training to the registry", ours, other, "the same calls in a script", at_most=2
    )


def _anew(begun: Path, code: str) -> Prepared:
    """Runs ``code`` in a copy of the folder: against the champion of the run before, the same model would not pass."""

    def make() -> Callable[[], object]:
        folder = begun.with_name("side")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(begun, folder)
        return interpreter(code, folder=folder, environment=stack_environment(folder))

    return Prepared(make)


def _matrix(data_sets: Sequence[str], models: Sequence[str]) -> Row:
    cells = [f"{data_set}|{model}" for data_set in data_sets for model in models]
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        with dagster_stack(base, {}) as stack:
            interpreter(_PUBLISH, folder=base, environment=stack_environment(base))()
            one_by_one = sum(_took(stack, [cell]) for cell in cells)
            at_once = _took(stack, cells)
    what = f"{len(data_sets)} × {len(models)} cells of training, all at once, {os.cpu_count()} cores"
    return Row(what, at_once, one_by_one, "one after another", at_most=1 / 1.6)


def _took(stack: Stack, cells: Sequence[str]) -> float:
    """Milliseconds from the launch of these cells to the end of the last."""
    begun = time.monotonic()
    runs = [stack.run("training", tags=_tags(cell)) for cell in cells]
    for run in runs:
        stack.end_of(run, 900)
    return (time.monotonic() - begun) * 1_000


def _tags(cell: str) -> dict[str, str]:
    """As Dagster's own backfill tags a run."""
    data_set, _, model = cell.partition("|")
    dimensions = {f"{PARTITION_TAG}/data_set": data_set, f"{PARTITION_TAG}/model": model}
    return {PARTITION_TAG: cell, **dimensions}
