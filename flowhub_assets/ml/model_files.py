"""A model's files, none of them a pickle, and the reading of files that somebody else may have put in their place.

    model.json      which library, which data set and version
    features.json   how raw values become numbers
    booster.ubj     XGBoost's own format;  booster.txt  LightGBM's;  forest.skops  scikit-learn's, by skops

Which types a skops file may hold is our list, never what the file says of itself. skops warns that the nodes of a
scikit-learn tree are indices which nobody checks: a forged one reads memory that is not its own. Here they are checked.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowhub_assets.errors import FlowhubError, InputError
from flowhub_assets.ml.features import Features, read_features
from flowhub_assets.ml.hyperparameters import MODELS
from flowhub_assets.ml.models import scores

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

    Array = NDArray[Any]

_FORMAT = 1
ABOUT, FEATURES = "model.json", "features.json"
_FILES = {"scikit-learn": "forest.skops", "xgboost": "booster.ubj", "lightgbm": "booster.txt"}

#: What a forest is made of, and what skops may make of it. Nothing here calls a function that a file names.
_TRUSTED = frozenset(
    {
        "builtins.dict",
        "builtins.list",
        "builtins.str",
        "builtins.tuple",
        "numpy.float64",
        "numpy.int64",
        "numpy.ndarray",
        "sklearn.ensemble._forest.RandomForestClassifier",
        "sklearn.ensemble._forest.RandomForestRegressor",
        "sklearn.tree._classes.DecisionTreeClassifier",
        "sklearn.tree._classes.DecisionTreeRegressor",
        "sklearn.tree._tree.Tree",
    }
)
_LOADERS = frozenset(
    {"DictNode", "JsonNode", "ListNode", "NdArrayNode", "ObjectNode", "TreeNode", "TupleNode", "TypeNode"}
)
#: Bytes of an unpacked forest: a small file may say that it is endless.
_MOST_BYTES = 4 * 1024**3


@dataclass(frozen=True)
class Predictor:
    """A model that is asked with rows of raw values, in the order of ``features``."""

    estimator: Any
    encoding: Features
    about: Mapping[str, Any]

    @property
    def features(self) -> list[str]:
        """The columns of a row, in order."""
        return self.encoding.names

    @property
    def classes(self) -> list[str]:
        """The classes, in the order of ``probabilities``; none in regression."""
        return list(self.encoding.classes)

    @property
    def kind(self) -> str:
        """classification or regression."""
        return "classification" if self.encoding.classes else "regression"

    def faults(self, rows: Sequence[Any]) -> list[str]:
        """What is wrong with rows, the first five; nothing if they can be predicted."""
        return self.encoding.faults(rows)

    def predict(self, rows: Sequence[Sequence[Any]]) -> list[Any]:
        """A class (text) or value (float) for each row. Raises InputError for a row that is none."""
        return self.answers(self.scores(rows))

    def probabilities(self, rows: Sequence[Sequence[Any]]) -> list[list[float]]:
        """For each row the probability of each class. Raises InputError for a wrong row, and in regression."""
        if not self.encoding.classes:
            raise InputError("a regression has no probabilities", remedy="Ask for predict.")
        made: list[list[float]] = self.scores(rows).tolist()
        return made

    def scores(self, rows: Sequence[Sequence[Any]]) -> Array:
        """Probabilities (rows, classes), or values (rows,). Raises InputError for a row that is none."""
        return self._scores(self.encoding.encode(rows))

    def frame_scores(self, frame: DataFrame) -> Array:
        """As ``scores``, of a table that has the columns under their names."""
        return self._scores(self.encoding.encode_frame(frame))

    def answers(self, scored: Array) -> list[Any]:
        """The classes or values that ``scores`` stand for."""
        if not self.encoding.classes:
            return [float(one) for one in scored]
        return [self.encoding.classes[number] for number in scored.argmax(axis=1)]

    def _scores(self, encoded: Array) -> Array:
        import numpy

        count = len(self.encoding.classes)
        if not len(encoded):
            return numpy.zeros((0, count) if count else (0,))
        return scores(self.about["model"], count, self.estimator, encoded)


def write_model(folder: str, model: str, estimator: Any, features: Features, about: Mapping[str, Any]) -> None:
    """Writes the files of a model into an empty folder. ``about`` is JSON, told by ``Predictor.about``."""
    os.makedirs(folder, exist_ok=True)
    told = {**about, "format": _FORMAT, "model": model}
    _write(folder, ABOUT, json.dumps(told, ensure_ascii=False, indent=1))
    _write(folder, FEATURES, features.to_json())
    path = os.path.join(folder, _FILES[model])
    if model == "scikit-learn":
        import skops.io

        skops.io.dump(estimator, path, compression=zipfile.ZIP_DEFLATED, compresslevel=1)
    else:
        estimator.save_model(path)


def read_model(folder: str) -> Predictor:
    """The model in ``folder``. Raises InputError for files that are not whole, not ours, or not to be trusted."""
    try:
        about = json.loads(_read(folder, ABOUT))
        if about["format"] != _FORMAT or about["model"] not in MODELS:
            raise ValueError(f"format {about['format']!r}, model {about['model']!r}")
    except (KeyError, TypeError, ValueError) as error:
        raise _refused(folder, f"{ABOUT} is not what this version writes: {error}") from None
    features = read_features(_read(folder, FEATURES))
    path = os.path.join(folder, _FILES[about["model"]])
    if not os.path.isfile(path):
        raise _refused(folder, f"{os.path.basename(path)} is missing")
    try:
        estimator = _READERS[about["model"]](path, features)
    except FlowhubError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a parser says of bytes that are no model
        told = f"{type(error).__name__}: {str(error).partition(chr(10))[0]:.200}"
        raise _refused(path, f"{about['model']} cannot read it: {told}") from None
    return Predictor(estimator, features, about)


def _read_forest(path: str, features: Features) -> Any:
    import skops.io

    _require_trusted(path)
    forest = skops.io.load(path, trusted=["sklearn.tree._tree.Tree"])
    kind = "RandomForestClassifier" if features.classes else "RandomForestRegressor"
    if type(forest).__name__ != kind:
        raise _refused(path, f"it holds a {type(forest).__name__}, not a {kind}")
    forest.n_jobs = 1  # a file shall not say how many threads this machine starts
    for tree in forest.estimators_:
        if not _is_sound(tree.tree_, len(features.encoded_names)):
            raise _refused(path, "a tree's nodes lead out of it")
    return forest


def _read_xgboost(path: str, features: Features) -> Any:
    import xgboost

    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(path)
    if booster.num_features() != len(features.encoded_names):
        raise _refused(path, f"it takes {booster.num_features()} columns, not {len(features.encoded_names)}")
    return booster


def _read_lightgbm(path: str, features: Features) -> Any:
    import lightgbm

    booster = lightgbm.Booster(model_file=path)
    if booster.num_feature() != len(features.encoded_names):
        raise _refused(path, f"it takes {booster.num_feature()} columns, not {len(features.encoded_names)}")
    return booster


_READERS = {"scikit-learn": _read_forest, "xgboost": _read_xgboost, "lightgbm": _read_lightgbm}


def _require_trusted(path: str) -> None:
    """Reads what types a skops file names, without making any. Raises InputError for one that is not on our list."""
    if not zipfile.is_zipfile(path):
        raise _refused(path, "it is no skops file")
    with zipfile.ZipFile(path) as packed:
        if sum(one.file_size for one in packed.infolist()) > _MOST_BYTES:
            raise _refused(path, f"unpacked it has more than {_MOST_BYTES:,} bytes")
        try:
            schema = json.loads(packed.read("schema.json"))
        except (KeyError, ValueError):
            raise _refused(path, "it is no skops file") from None
    for module, name, loader in _named_types(schema):
        if f"{module}.{name}" not in _TRUSTED or loader not in _LOADERS:
            raise _refused(path, f"it holds a {module!s:.80}.{name!s:.80}, which is not on the list of trusted types")


def _named_types(schema: Any) -> Iterator[tuple[Any, Any, Any]]:
    # A loop of its own, for a file may nest deeper than Python recurses.
    waiting = [schema]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if "__class__" in one or "__loader__" in one:
                yield one.get("__module__"), one.get("__class__"), one.get("__loader__")
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def _is_sound(tree: Any, columns: int) -> bool:
    """Whether each node leads to later nodes of the same tree, or to none, and asks for a column that rows have."""
    import numpy

    left, right, feature = tree.children_left, tree.children_right, tree.feature
    own = numpy.arange(tree.node_count)
    leaf = left == -1
    if tree.node_count < 1 or tree.n_features != columns or (leaf != (right == -1)).any():
        return False
    inside = ~leaf
    # A child stands behind its parent, so no path ever comes back to where it was.
    children = all(((side[inside] > own[inside]) & (side[inside] < tree.node_count)).all() for side in (left, right))
    return bool(children and ((feature[inside] >= 0) & (feature[inside] < columns)).all())


def _refused(where: str, what: str) -> InputError:
    return InputError(
        what,
        where=where,
        effect="The model is not loaded; nothing of it has run.",
        remedy="Train it anew, or restore its files.",
    )


def _write(folder: str, name: str, text: str) -> None:
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(text)


def _read(folder: str, name: str) -> str:
    try:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        raise _refused(folder, f"{name} cannot be read: {why}") from None


class _Pyfunc:
    """What MLflow's own tools call: ``mlflow models serve``, ``mlflow.pyfunc.load_model``."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor

    def predict(self, model_input: DataFrame, params: Mapping[str, Any] | None = None) -> Any:  # noqa: ARG002
        """An answer for each row of a table with the columns under their names."""
        import numpy

        return numpy.asarray(self.predictor.answers(self.predictor.frame_scores(model_input)))


def _load_pyfunc(path: str) -> _Pyfunc:
    """MLflow's entry point of a loader module."""
    return _Pyfunc(read_model(path))
