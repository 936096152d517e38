"""A model in MLflow: written as a "logged model" with signature and input example, and read back by its URI.

mlflow.pyfunc.save_model would write the same files, after looking through every installed package for a second or two;
mlflow.pyfunc.load_model runs whatever module the model's MLmodel file names. Here neither is called.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowhub_assets.errors import InputError
from flowhub_assets.ml.features import Features
from flowhub_assets.ml.mlflow_runs import TrackedRun
from flowhub_assets.ml.model_files import Predictor, read_model, write_model
from flowhub_assets.ml.tracking import mlflow_errors, tracking, tracking_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel

#: The folder of our files inside an MLflow model.
_DATA = "data"
_PACKAGES = {"scikit-learn": ("scikit-learn", "skops"), "xgboost": ("xgboost",), "lightgbm": ("lightgbm",)}


def log_model(
    run: TrackedRun,
    name: str,
    model: str,
    estimator: Any,
    features: Features,
    about: Mapping[str, Any],
    example: list[list[Any]],
) -> LoggedModel:
    """Writes the model into MLflow as an output of ``run``; ``example`` is one or two rows of raw values."""
    from mlflow.entities import LoggedModelOutput

    client = run.client
    kept = client.create_logged_model(
        run.experiment_id,
        name=name,
        source_run_id=run.run_id,
        model_type=model,
        tags={key: str(value) for key, value in about.items() if isinstance(value, (str, int, float))},
    )
    with tempfile.TemporaryDirectory(prefix="flowhub-model-") as folder:
        write_model(os.path.join(folder, _DATA), model, estimator, features, about)
        _write_mlmodel(folder, run.run_id, kept.model_id, model, features, example)
        client.log_model_artifacts(kept.model_id, folder)
    client.finalize_logged_model(kept.model_id, "READY")
    client.log_outputs(run.run_id, [LoggedModelOutput(kept.model_id, 0)])
    return kept


def load_model(model_uri: str, env: Mapping[str, Any]) -> Predictor:
    """The model of ``models:/m-ID``, ``models:/NAME@ALIAS``, ``models:/NAME/VERSION`` or ``runs:/ID/...``.

    Only our own file formats are read, by our own rules; a pickle, or a type that is not on our list, is refused.
    Raises InputError for a URI that names no model and for files that are not to be trusted; RunError where MLflow
    does not answer.
    """
    with mlflow_errors(env):
        source = _source(model_uri, env)
        if source.startswith("file://") or os.path.isabs(source):
            return read_model(os.path.join(source.removeprefix("file://"), _DATA))
        from mlflow.artifacts import download_artifacts

        with tempfile.TemporaryDirectory(prefix="flowhub-model-") as folder:
            uri = tracking_uri(env)
            path = download_artifacts(artifact_uri=f"{source}/{_DATA}", dst_path=folder, tracking_uri=uri)
            return read_model(path)


def _source(model_uri: str, env: Mapping[str, Any]) -> str:
    """Where the files of a model lie."""
    from mlflow.exceptions import MlflowException

    client = tracking(env)
    try:
        return _source_of(client, model_uri)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        raise _no_model(model_uri, error.message) from None


def _source_of(client: MlflowClient, model_uri: str) -> str:
    scheme, _, rest = model_uri.partition(":/")
    name, at, alias = rest.rpartition("@")
    if scheme == "runs" and "/" in rest.strip("/"):
        run_id, _, path = rest.strip("/").partition("/")
        return f"{client.get_run(run_id).info.artifact_uri}/{path}"
    if scheme != "models" or not rest:
        raise _no_model(model_uri, "it is no URI of a model")
    if at:
        found = client.get_model_version_by_alias(name, alias)
    elif "/" in rest:
        name, _, version = rest.rpartition("/")
        found = client.get_model_version(name, version)
    else:
        own: str = client.get_logged_model(rest).artifact_location
        return own
    source = str(found.source)
    return _source_of(client, source) if source.startswith(("models:/", "runs:/")) else source


def _no_model(model_uri: str, why: str) -> InputError:
    return InputError(
        f"there is no model {model_uri!r}: {why}",
        effect="Nothing was loaded.",
        remedy="Write models:/NAME@champion, models:/NAME/3, or the model_uri that a training returned.",
    )


def _write_mlmodel(
    folder: str, run_id: str, model_id: str, model: str, features: Features, example: list[list[Any]]
) -> None:
    from mlflow import pyfunc
    from mlflow.models import Model

    described = Model(run_id=run_id, model_id=model_id, signature=_signature(features))
    described.saved_input_example_info = {
        "artifact_path": "input_example.json",
        "pandas_orient": "split",
        "serving_input_path": "serving_input_example.json",
        "type": "dataframe",
    }
    pyfunc.add_to_model(
        described,
        loader_module="flowhub_assets.ml.model_files",
        data=_DATA,
        conda_env={"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
    )
    table = {"columns": features.names, "data": example}
    packages = _packages(model)
    # JSON is YAML.
    texts = {
        "input_example.json": json.dumps(table),
        "serving_input_example.json": json.dumps({"dataframe_split": table}, indent=1),
        "requirements.txt": "".join(f"{one}\n" for one in packages),
        "conda.yaml": json.dumps(
            {"dependencies": [f"python={_python()}", "pip", {"pip": packages}], "name": "mlflow-env"}
        ),
        "python_env.yaml": json.dumps({"python": _python(), "dependencies": ["-r requirements.txt"]}),
    }
    for name, text in texts.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    described.save(os.path.join(folder, "MLmodel"))


def _signature(features: Features) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    columns: list[Any] = [
        ColSpec("string" if one.type == "category" else "double", one.name, required=not one.nullable)
        for one in features.columns
    ]
    return ModelSignature(Schema(columns), Schema([ColSpec("string" if features.classes else "double")]))


def _packages(model: str) -> list[str]:
    """What the model needs where it is served, as it is here."""
    from importlib.metadata import PackageNotFoundError, version

    wanted = ["mlflow", "numpy", "pandas", *_PACKAGES[model], "flowhub-assets"]
    pinned = []
    for name in wanted:
        try:
            pinned.append(f"{name}=={version(name)}")
        except PackageNotFoundError:  # xgboost-cpu is another package with the same module
            pinned.append(f"{name}-cpu=={version(f'{name}-cpu')}" if name == "xgboost" else name)
    return pinned


def _python() -> str:
    return ".".join(map(str, sys.version_info[:3]))
