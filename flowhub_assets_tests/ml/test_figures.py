"""Pictures of what was measured: drawn in any thread, without the state of pyplot."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
from typing import Any

import matplotlib.image
import numpy
import pytest

from flowhub_assets.ml.evaluation import classification_measures, regression_measures
from flowhub_assets.ml.figures import drift_plots, evaluation_plots, gate_plots

_KNOWN = {"data_set": "iris", "model": "xgboost", "rows": 3}
_CLASSIFIED = classification_measures(["a", "b", "a"], numpy.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]]), ["a", "b"])
_COLUMN = {"psi": 0.5, "psi_bound": 0.25, "ks": 0.1, "ks_bound": 0.2, "drifted": True}
_DRIFTED = {
    "data_set": "iris",
    "rows": 3,
    "drifted": ["width"],
    "columns": [{**_COLUMN, "column": "width"}, {**_COLUMN, "column": "kind", "ks": None, "ks_bound": None}],
}


def classified() -> dict[str, Any]:
    return evaluation_plots({**_KNOWN, "kind": "classification", **_CLASSIFIED})


def regressed() -> dict[str, Any]:
    return evaluation_plots(
        {**_KNOWN, "kind": "regression", **regression_measures([1, 2, 3], numpy.array([1.0, 2, 4]))}
    )


def moved() -> dict[str, Any]:
    return drift_plots(_DRIFTED)


@pytest.mark.parametrize("drawn", [classified, regressed, moved])
def test_each_is_a_picture_with_something_on_it(drawn: Any) -> None:
    ((name, figure),) = drawn().items()
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    pixels = matplotlib.image.imread(io.BytesIO(picture.getvalue()))
    assert name
    assert pixels.shape[0] > 150
    assert pixels.shape[1] > 400
    assert (pixels[..., :3].reshape(-1, 3).min(axis=1) < 0.9).mean() > 0.01


def test_the_champions_stand_beside_a_models_own() -> None:
    evaluated = {**_KNOWN, "kind": "classification", **_CLASSIFIED}
    assert list(gate_plots(evaluated, None)) == ["confusion and calibration"]
    both = gate_plots(evaluated, {**evaluated, "model": "xgboost"})
    assert list(both) == ["confusion and calibration", "champion: confusion and calibration"]


def test_where_nothing_is_new_there_is_nothing_to_draw() -> None:
    assert drift_plots({**_DRIFTED, "columns": []}) == {}


def test_threads_draw_the_same() -> None:
    pictures: list[bytes] = []

    def draw() -> None:
        picture = io.BytesIO()
        classified()["confusion and calibration"].savefig(picture, format="png", metadata={"Software": None})
        pictures.append(picture.getvalue())

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pictures) == 4
    assert len(set(pictures)) == 1


def test_pyplot_is_not_asked() -> None:
    code = (
        "import sys; from flowhub_assets.ml.figures import drift_plots\n"
        f"drift_plots({_DRIFTED!r})\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True)
    assert done.stdout.strip() == "False"
