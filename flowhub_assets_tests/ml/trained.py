"""A workspace with an embedded MLflow, published data, and models of iris: where tests of the registry start."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flowhub_assets.ml.data_set_files import load_data_set
from flowhub_assets.ml.data_set_versions import publish
from flowhub_assets.ml.evaluation import evaluate
from flowhub_assets.ml.registry import register
from flowhub_assets.ml.training import train

#: Trees of depth 1 on few rows: a model that knows two kinds of iris at the most, and one that knows all.
WORSE, BETTER = {"trees": 1, "depth": 1, "learning_rate": 0.01}, {"trees": 30, "depth": 3}


def env_of(folder: Path, **more: Any) -> dict[str, Any]:
    """What a task finds in args["env"] in a run of its own."""
    return {"WORKSPACE": str(folder), "project": "tests", "run_id": "r1", "task": "test", **more}


def publish_iris(env: Mapping[str, Any], change: Any = None) -> dict[str, Any]:
    """Publishes iris, or what ``change`` makes of its rows."""
    frame, source = load_data_set("iris", env)
    return publish("iris", frame if change is None else change(frame), env, source)


def registered(env: Mapping[str, Any], hyperparameters: Mapping[str, Any], model: str = "xgboost") -> dict[str, Any]:
    """Trains, evaluates and registers a model of iris: what train told, with ``version`` and ``evaluated``."""
    trained = train("iris", model, hyperparameters, env)
    evaluated = evaluate(trained, env)
    return {**trained, "evaluated": evaluated, "version": register(trained, evaluated, env)["version"]}
