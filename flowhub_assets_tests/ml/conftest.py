"""Workspaces with published data and an empty embedded MLflow, and all nine cells of the matrix, small and trained."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flowhub_assets.ml.data_set_files import load_data_set
from flowhub_assets.ml.data_set_versions import publish
from flowhub_assets.ml.data_sets import DATA_SETS
from flowhub_assets.ml.hyperparameters import MODELS
from flowhub_assets.ml.tracking import tracking
from flowhub_assets.ml.training import train
from flowhub_assets_tests.ml.trained import env_of

SMALL = {"trees": 5, "depth": 2, "row_share": 0.8, "column_share": 0.8, "seed": 7}


@dataclass(frozen=True)
class Cells:
    """What ``train`` returned for each (data set, model), and the env in which it was called."""

    env: dict[str, Any]
    trained: dict[tuple[str, str], dict[str, Any]]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow takes seconds to make its tables: they are copied."""
    folder = tmp_path_factory.mktemp("template")
    env = env_of(folder)
    for name in DATA_SETS:
        frame, source = load_data_set(name, env)
        publish(name, frame, env, source)
    tracking(env)
    return folder


@pytest.fixture(scope="session")
def new_env(template: Path) -> Callable[[Path], dict[str, Any]]:
    """Makes a folder a workspace with published data sets and an empty MLflow; its env."""

    def make(folder: Path) -> dict[str, Any]:
        shutil.copytree(template, folder / "workspace")
        return env_of(folder / "workspace")

    return make


@pytest.fixture
def env(tmp_path: Path, new_env: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    return new_env(tmp_path)


@pytest.fixture(scope="session")
def cells(tmp_path_factory: pytest.TempPathFactory, new_env: Callable[[Path], dict[str, Any]]) -> Cells:
    env = new_env(tmp_path_factory.mktemp("cells"))
    trained = {(data_set, model): train(data_set, model, SMALL, env) for data_set in DATA_SETS for model in MODELS}
    return Cells(env, trained)
