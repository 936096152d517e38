"""What the tasks of an ML team call: data sets, training, the gate, the registry, serving. No Dagster.

    from flowhub import flow, ml, show, task

    @task
    def iris(args):
        frame, source = ml.load_data_set("iris", args["env"])
        return {**args, "iris": ml.publish("iris", frame, args["env"], source)}

Each function takes the task's ``env`` and reads its surroundings from it alone. What travels between tasks is
small JSON; data lies in the profile's storage. Importing this package needs Python alone; a function imports its
libraries (``pip install 'flowhub-assets[ml]'``) when it is called.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowhub_assets.ml.data_set_files import load_data_set as load_data_set
    from flowhub_assets.ml.data_set_files import read_source as read_source
    from flowhub_assets.ml.data_set_files import shipped_data_set as shipped_data_set
    from flowhub_assets.ml.data_set_versions import publish as publish
    from flowhub_assets.ml.data_set_versions import published as published
    from flowhub_assets.ml.data_sets import DATA_SETS as DATA_SETS
    from flowhub_assets.ml.data_sets import DataSet as DataSet
    from flowhub_assets.ml.data_sets import schema_faults as schema_faults
    from flowhub_assets.ml.decisions import Promotion as Promotion
    from flowhub_assets.ml.decisions import Rollback as Rollback
    from flowhub_assets.ml.drift_watch import ask_for_retraining as ask_for_retraining
    from flowhub_assets.ml.drift_watch import begin_retraining as begin_retraining
    from flowhub_assets.ml.drift_watch import drift as drift
    from flowhub_assets.ml.drift_watch import read_batch as read_batch
    from flowhub_assets.ml.drift_watch import retraining_due as retraining_due
    from flowhub_assets.ml.evaluation import evaluate as evaluate
    from flowhub_assets.ml.figures import drift_plots as drift_plots
    from flowhub_assets.ml.figures import evaluation_plots as evaluation_plots
    from flowhub_assets.ml.figures import gate_plots as gate_plots
    from flowhub_assets.ml.gating import THRESHOLDS as THRESHOLDS
    from flowhub_assets.ml.gating import Verdict as Verdict
    from flowhub_assets.ml.gating import gate as gate
    from flowhub_assets.ml.hyperparameters import MODELS as MODELS
    from flowhub_assets.ml.hyperparameters import Hyperparameters as Hyperparameters
    from flowhub_assets.ml.hyperparameters import SearchBounds as SearchBounds
    from flowhub_assets.ml.logged_models import load_model as load_model
    from flowhub_assets.ml.mlflow_runs import close_runs as close_runs
    from flowhub_assets.ml.registry import Version as Version
    from flowhub_assets.ml.registry import champion as champion
    from flowhub_assets.ml.registry import history as history
    from flowhub_assets.ml.registry import promote as promote
    from flowhub_assets.ml.registry import register as register
    from flowhub_assets.ml.registry import require_champion as require_champion
    from flowhub_assets.ml.registry import rollback as rollback
    from flowhub_assets.ml.schema import Column as Column
    from flowhub_assets.ml.schema import Fault as Fault
    from flowhub_assets.ml.searching import search as search
    from flowhub_assets.ml.serving.batch import predict_batch as predict_batch
    from flowhub_assets.ml.serving.comparison import compare_arms as compare_arms
    from flowhub_assets.ml.serving.compose import compose_files as compose_files
    from flowhub_assets.ml.serving.golden import ask_golden as ask_golden
    from flowhub_assets.ml.serving.servers import build_bentos as build_bentos
    from flowhub_assets.ml.serving.servers import end_unused as end_unused
    from flowhub_assets.ml.serving.servers import start_servers as start_servers
    from flowhub_assets.ml.serving.switching import serve as serve
    from flowhub_assets.ml.serving.switching import stop_serving as stop_serving
    from flowhub_assets.ml.serving.switching import switch_traffic as switch_traffic
    from flowhub_assets.ml.serving.traffic import judge_traffic as judge_traffic
    from flowhub_assets.ml.serving.traffic import traffic as traffic
    from flowhub_assets.ml.splitting import split as split
    from flowhub_assets.ml.tables import read_table as read_table
    from flowhub_assets.ml.tables import update_table as update_table
    from flowhub_assets.ml.training import train as train
    from flowhub_assets.ml.training_figures import search_plots as search_plots
    from flowhub_assets.ml.training_figures import training_plots as training_plots
    from flowhub_assets.ml.validation import csv_of as csv_of
    from flowhub_assets.ml.validation import validate_csv as validate_csv

# No module here may be called like a public name: importing it would put the module in the name's place.
_HOME = {
    "Column": "flowhub_assets.ml.schema",
    "DATA_SETS": "flowhub_assets.ml.data_sets",
    "DataSet": "flowhub_assets.ml.data_sets",
    "Fault": "flowhub_assets.ml.schema",
    "Hyperparameters": "flowhub_assets.ml.hyperparameters",
    "MODELS": "flowhub_assets.ml.hyperparameters",
    "Promotion": "flowhub_assets.ml.decisions",
    "Rollback": "flowhub_assets.ml.decisions",
    "SearchBounds": "flowhub_assets.ml.hyperparameters",
    "THRESHOLDS": "flowhub_assets.ml.gating",
    "Verdict": "flowhub_assets.ml.gating",
    "Version": "flowhub_assets.ml.registry",
    "ask_for_retraining": "flowhub_assets.ml.drift_watch",
    "ask_golden": "flowhub_assets.ml.serving.golden",
    "begin_retraining": "flowhub_assets.ml.drift_watch",
    "build_bentos": "flowhub_assets.ml.serving.servers",
    "champion": "flowhub_assets.ml.registry",
    "close_runs": "flowhub_assets.ml.mlflow_runs",
    "compare_arms": "flowhub_assets.ml.serving.comparison",
    "compose_files": "flowhub_assets.ml.serving.compose",
    "csv_of": "flowhub_assets.ml.validation",
    "drift": "flowhub_assets.ml.drift_watch",
    "drift_plots": "flowhub_assets.ml.figures",
    "end_unused": "flowhub_assets.ml.serving.servers",
    "evaluate": "flowhub_assets.ml.evaluation",
    "evaluation_plots": "flowhub_assets.ml.figures",
    "gate": "flowhub_assets.ml.gating",
    "gate_plots": "flowhub_assets.ml.figures",
    "history": "flowhub_assets.ml.registry",
    "judge_traffic": "flowhub_assets.ml.serving.traffic",
    "load_data_set": "flowhub_assets.ml.data_set_files",
    "load_model": "flowhub_assets.ml.logged_models",
    "predict_batch": "flowhub_assets.ml.serving.batch",
    "promote": "flowhub_assets.ml.registry",
    "publish": "flowhub_assets.ml.data_set_versions",
    "published": "flowhub_assets.ml.data_set_versions",
    "read_batch": "flowhub_assets.ml.drift_watch",
    "read_source": "flowhub_assets.ml.data_set_files",
    "read_table": "flowhub_assets.ml.tables",
    "register": "flowhub_assets.ml.registry",
    "require_champion": "flowhub_assets.ml.registry",
    "retraining_due": "flowhub_assets.ml.drift_watch",
    "rollback": "flowhub_assets.ml.registry",
    "schema_faults": "flowhub_assets.ml.data_sets",
    "search": "flowhub_assets.ml.searching",
    "search_plots": "flowhub_assets.ml.training_figures",
    "serve": "flowhub_assets.ml.serving.switching",
    "shipped_data_set": "flowhub_assets.ml.data_set_files",
    "split": "flowhub_assets.ml.splitting",
    "start_servers": "flowhub_assets.ml.serving.servers",
    "stop_serving": "flowhub_assets.ml.serving.switching",
    "switch_traffic": "flowhub_assets.ml.serving.switching",
    "traffic": "flowhub_assets.ml.serving.traffic",
    "train": "flowhub_assets.ml.training",
    "training_plots": "flowhub_assets.ml.training_figures",
    "update_table": "flowhub_assets.ml.tables",
    "validate_csv": "flowhub_assets.ml.validation",
}

__all__ = sorted(_HOME)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    try:
        home = _HOME[name]
    except KeyError:
        raise AttributeError(f"there is no ml.{name}; there are {', '.join(__all__)}") from None
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
