"""The iris report: its numbers are those of the literature, its plot is a picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import matplotlib.image
import numpy as np
import pytest
from scipy.stats import f_oneway
from sklearn.datasets import load_iris

Run = Callable[..., Any]


def file_of(url: str) -> Path:
    return Path(unquote(urlparse(url).path))


def test_the_script_writes_the_table_the_report_and_the_log(run_script: Run) -> None:
    done = run_script("iris_report", "--env", "default")
    assert done.code == 0, done.printed
    assert list(done.log) == ["load_iris", "compare_species", "find_structure", "report"]
    loaded = done.log["load_iris"]["output"]
    assert loaded["flowers"] == 150
    assert loaded["species"] == {"setosa": 50, "versicolor": 50, "virginica": 50}
    rows = list(csv.DictReader(file_of(loaded["iris_url"]).open(encoding="utf-8")))
    assert len(rows) == 150
    assert rows[0] == {
        "sepal length": "5.1",
        "sepal width": "3.5",
        "petal length": "1.4",
        "petal width": "0.2",
        "species": "setosa",
    }
    report = done.log["report"]["output"]
    assert set(report) == {"iris_url", "plot_url", "best_measure", "findings"}
    assert done.folder in file_of(report["plot_url"]).parents
    assert file_of(report["plot_url"]).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_the_numbers_are_right(run_here: Run) -> None:
    done = run_here("iris_report")
    assert done.ok, done.error
    compared, structured = done.tasks["compare_species"].value, done.tasks["find_structure"].value
    # Fisher's means and the F values that every textbook prints for them.
    assert compared["means"]["setosa"]["sepal length"] == 5.006
    assert compared["means"]["virginica"]["petal length"] == 5.552
    assert compared["standard_deviations"]["versicolor"]["petal width"] == pytest.approx(0.198, abs=5e-4)
    assert {name: row["F"] for name, row in compared["anova"].items()} == pytest.approx(
        {"sepal length": 119.26, "sepal width": 49.16, "petal length": 1180.16, "petal width": 960.01}
    )
    assert compared["anova"]["petal length"]["eta²"] == pytest.approx(0.9414)
    flowers = load_iris()
    judged = f_oneway(*(flowers.data[flowers.target == kind] for kind in range(3)))
    assert [row["p"] for row in compared["anova"].values()] == pytest.approx(judged.pvalue.tolist(), rel=5e-3)
    assert structured["explained_variance"] == pytest.approx([0.7296, 0.2285], abs=1e-4)
    assert structured["correlation"][2][3] == pytest.approx(0.9629, abs=1e-4)
    assert len(structured["points"]) == 150
    assert np.abs(structured["loadings"]) == pytest.approx(
        np.array([[0.5211, 0.2693, 0.5804, 0.5649], [0.3774, 0.9233, 0.0245, 0.0669]]), abs=1e-4
    )
    assert done.value["best_measure"] == "petal length"
    assert "F = 1,180, eta² = 94%" in done.value["findings"][0]


def test_the_branches_show_tables_and_the_report_a_plot_of_three_colours(run_here: Run) -> None:
    done = run_here("iris_report")
    kinds = {name: [(shown.name, shown.kind) for shown in task.shown] for name, task in done.tasks.items()}
    assert kinds == {
        "load_iris": [("first flowers", "table")],
        "compare_species": [("mean by species, cm", "table"), ("analysis of variance", "table")],
        "find_structure": [("correlations", "table"), ("variance in two components", "number")],
        "report": [("findings", "markdown"), ("iris at a glance", "png")],
    }
    picture = matplotlib.image.imread(io.BytesIO(done.tasks["report"].shown[1].data))[..., :3]
    assert picture.shape[1] > 800
    for colour in ([76, 110, 245], [245, 159, 0], [230, 73, 128]):
        near = np.abs(picture * 255 - colour).max(axis=2) < 40
        assert near.sum() > 100, f"no dots in {colour}"
