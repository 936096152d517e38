"""A model's files: read back to the same answers, none a pickle, and forged ones are refused before anything runs."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest

from flowhub_assets.errors import InputError
from flowhub_assets.ml.features import Feature, Features
from flowhub_assets.ml.hyperparameters import MODELS, Hyperparameters
from flowhub_assets.ml.model_files import Predictor, read_model, write_model
from flowhub_assets.ml.models import Rows, fit
from flowhub_assets_tests.ml.conftest import Cells

FILES = {"scikit-learn": "forest.skops", "xgboost": "booster.ubj", "lightgbm": "booster.txt"}
EVERY = pytest.mark.parametrize("model", MODELS)
ENCODING = Features((Feature("a", "number"), Feature("b", "number")), "kind", ("no", "yes"))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small model of each library."""
    features = numpy.random.default_rng(0).random((40, 2))
    rows = Rows(features, (features[:, 0] > 0.5).astype(int), ("a", "b"))
    folders = {}
    for model in MODELS:
        folder = folders[model] = tmp_path_factory.mktemp(model)
        fitted = fit(model, 2, rows, rows, Hyperparameters(trees=3, depth=2))
        write_model(str(folder), model, fitted.estimator, ENCODING, {"data_set": "tests"})
    return folders


@pytest.fixture
def copied(written: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    def copy(model: str) -> Path:
        return Path(shutil.copytree(written[model], tmp_path / model))

    return copy


@EVERY
def test_it_is_read_back_to_the_same_answers(model: str, written: dict[str, Path]) -> None:
    predictor = read_model(str(written[model]))
    assert (predictor.features, predictor.classes, predictor.kind) == (["a", "b"], ["no", "yes"], "classification")
    assert predictor.predict([[0.9, 0.1], [0.1, 0.9]]) == ["yes", "no"]
    assert [sum(row) for row in predictor.probabilities([[0.9, 0.1]])] == [pytest.approx(1)]
    assert predictor.predict([]) == []
    assert predictor.about["data_set"] == "tests"
    with pytest.raises(InputError, match="row 0"):
        predictor.predict([[0.9]])


def is_pickle(data: bytes) -> bool:
    """Whether ``data`` begins as pickles of protocol 2 and later do, or can be read as an older one."""
    if data[:1] == b"\x80" and data[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return True
    return any(data.startswith(start) for start in (b"cposix", b"c__builtin__", b"cbuiltins", b"ccopy_reg"))


def contents(path: Path) -> dict[str, bytes]:
    """A file's bytes, and those of its members where it is a zip."""
    data = path.read_bytes()
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return {str(path): data}
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        return {f"{path}/{name}": packed.read(name) for name in packed.namelist()}


def test_nothing_that_nine_trainings_wrote_is_a_pickle(cells: Cells) -> None:
    root = Path(cells.env["WORKSPACE"]) / "mlflow" / "artifacts"
    files = [path for path in root.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {*FILES.values(), "features.json", "MLmodel"}
    everything = {name: data for path in files for name, data in contents(path).items()}
    assert len(everything) > len(files)
    assert [name for name, data in everything.items() if is_pickle(data)] == []
    assert not [path for path in files if path.suffix in (".pkl", ".pickle", ".joblib")]
    arrays = [io.BytesIO(data) for name, data in everything.items() if name.endswith(".npy")]
    assert arrays
    assert all(not numpy.load(array, allow_pickle=False).dtype.hasobject for array in arrays)


class Malicious:
    """Whose pickle, and whose skops file, would make a file when it is loaded."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (self.path,)


@EVERY
def test_a_pickle_in_the_models_place_is_refused_and_not_run(
    model: str, copied: Callable[[str], Path], tmp_path: Path
) -> None:
    folder, harm = copied(model), tmp_path / "harm"
    data = pickle.dumps(Malicious(str(harm)))
    (folder / FILES[model]).write_bytes(data)
    with pytest.raises(InputError) as caught:
        read_model(str(folder))
    assert FILES[model] in str(caught.value)
    assert "nothing of it has run" in caught.value.effect
    assert not harm.exists()
    pickle.loads(data)
    assert harm.exists()  # so it would have done harm


def forged(path: Path, change: Callable[[dict[str, Any]], None], arrays: Any = None) -> None:
    """Writes a skops file anew with another schema."""
    with zipfile.ZipFile(path) as packed:
        members = {name: packed.read(name) for name in packed.namelist()}
    schema = json.loads(members["schema.json"])
    change(schema)
    members["schema.json"] = json.dumps(schema).encode()
    if arrays is not None:
        arrays(members)
    with zipfile.ZipFile(path, "w") as packed:
        for name, data in members.items():
            packed.writestr(name, data)


@pytest.mark.parametrize(
    ("module", "name", "loader"),
    [
        ("os", "system", "FunctionNode"),
        ("builtins", "eval", "TypeNode"),
        ("subprocess", "Popen", "ObjectNode"),
        ("operator", "methodcaller", "OperatorFuncNode"),
        ("builtins", "str", "ReduceNode"),
        # skops trusts these by itself: they are on no list of ours.
        ("sklearn.preprocessing._function_transformer", "FunctionTransformer", "ObjectNode"),
        ("sklearn.pipeline", "Pipeline", "ObjectNode"),
    ],
)
def test_a_type_that_is_not_on_our_list_is_refused(
    module: str, name: str, loader: str, copied: Callable[[str], Path]
) -> None:
    folder = copied("scikit-learn")

    def change(schema: dict[str, Any]) -> None:
        inner = schema["content"]["content"]["estimator"]
        inner.update(__module__=module, __class__=name, __loader__=loader)

    forged(folder / FILES["scikit-learn"], change)
    with pytest.raises(InputError, match=f"{module}.{name}, which is not on the list of trusted types"):
        read_model(str(folder))


def test_what_the_model_says_of_its_own_trust_is_not_asked(copied: Callable[[str], Path]) -> None:
    folder = copied("scikit-learn")

    def change(schema: dict[str, Any]) -> None:
        schema["trusted"] = ["os.system"]
        schema["content"]["content"]["estimator"].update(__module__="os", __class__="system")

    forged(folder / FILES["scikit-learn"], change)
    with pytest.raises(InputError, match=r"os\.system"):
        read_model(str(folder))


def test_a_tree_whose_nodes_lead_out_of_it_is_refused(copied: Callable[[str], Path]) -> None:
    folder = copied("scikit-learn")

    def poison(members: dict[str, bytes]) -> None:
        for name, data in members.items():
            if name.endswith(".npy"):
                array = numpy.load(io.BytesIO(data), allow_pickle=False)
                if array.dtype.names and "left_child" in array.dtype.names:
                    array["left_child"][0] = 2**40
                    written = io.BytesIO()
                    numpy.save(written, array)
                    members[name] = written.getvalue()

    forged(folder / FILES["scikit-learn"], lambda schema: None, poison)
    with pytest.raises(InputError, match="a tree's nodes lead out of it"):
        read_model(str(folder))


def test_a_file_does_not_say_how_many_threads_there_are(copied: Callable[[str], Path]) -> None:
    folder = copied("scikit-learn")

    def change(schema: dict[str, Any]) -> None:
        schema["content"]["content"]["n_jobs"].update(content="64", __id__=64)  # skops makes one of each id

    forged(folder / FILES["scikit-learn"], change)
    assert read_model(str(folder)).estimator.n_jobs == 1


@EVERY
def test_files_that_are_not_whole_are_told(model: str, copied: Callable[[str], Path]) -> None:
    folder = copied(model)
    path = folder / FILES[model]
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InputError):
        read_model(str(folder))
    path.unlink()
    with pytest.raises(InputError, match="is missing"):
        read_model(str(folder))
    (folder / "features.json").unlink()
    with pytest.raises(InputError, match=r"features\.json cannot be read"):
        read_model(str(folder))
    (folder / "model.json").write_text('{"format": 1, "model": "../../etc/passwd"}')
    with pytest.raises(InputError, match=r"model\.json is not what this version writes"):
        read_model(str(folder))


@pytest.mark.parametrize("model", ["xgboost", "lightgbm", "scikit-learn"])
def test_a_model_of_other_columns_is_refused(model: str, copied: Callable[[str], Path]) -> None:
    folder = copied(model)
    wider = Features((*ENCODING.columns, Feature("c", "number")), "kind", ("no", "yes"))
    (folder / "features.json").write_text(wider.to_json())
    with pytest.raises(InputError):
        read_model(str(folder))


def test_a_regression_has_no_probabilities() -> None:
    predictor = Predictor(None, Features(ENCODING.columns, "price"), {"model": "xgboost"})
    with pytest.raises(InputError, match="no probabilities"):
        predictor.probabilities([[1, 2]])
