"""What a task may show, and what becomes of it."""

from __future__ import annotations

import datetime
import pickle
from typing import Any

import numpy as np
import pytest

from flowhub_assets import show as public_show
from flowhub_assets.errors import ValueRefused
from flowhub_assets.runtime.show import Shown, collect_shown, show

PNG = b"\x89PNG\r\n\x1a\nrest"


class Figure:
    def savefig(self, file: Any, **_options: Any) -> None:
        file.write(PNG)


class Axes:
    figure = Figure()


@pytest.mark.parametrize(
    ("value", "kind", "data"),
    [
        (PNG, "png", PNG),
        (Figure(), "png", PNG),
        (Axes(), "png", PNG),
        ([{"a": 1}, {"b": 2}], "table", [{"a": 1}, {"b": 2}]),
        ([], "table", []),
        ("**text**", "markdown", "**text**"),
        (3, "number", 3),
        (0.5, "number", 0.5),
        (np.float32(0.5), "number", 0.5),
        (np.int64(7), "number", 7),
        (True, "number", True),
        (float("nan"), "markdown", "nan"),
        (np.float64("inf"), "markdown", "inf"),
    ],
)
def test_it_is_kept_with_its_kind(value: Any, kind: str, data: Any) -> None:
    with collect_shown() as shown:
        show("thing", value)
    assert shown == [Shown("thing", kind, data)]


def test_the_cells_of_a_table_are_what_json_and_another_process_take() -> None:
    row = {
        "mean": np.float64(0.5),
        "count": np.int64(3),
        "missing": float("nan"),
        "endless": float("-inf"),
        "good": np.bool_(True),
        "when": datetime.date(2026, 1, 2),
        "how": lambda: 1,
        "nothing": None,
        "text": "a",
    }
    with collect_shown() as shown:
        show("table", [row])
    cells = pickle.loads(pickle.dumps(shown))[0].data[0]
    assert cells.pop("how").startswith("<function")
    assert cells == {
        "mean": 0.5,
        "count": 3,
        "missing": None,
        "endless": "-inf",
        "good": True,
        "when": "2026-01-02",
        "nothing": None,
        "text": "a",
    }
    assert {name: type(cell) for name, cell in cells.items()}["mean"] is float


def test_a_real_figure_becomes_a_png() -> None:
    from matplotlib.figure import Figure as RealFigure

    figure = RealFigure()
    figure.subplots().plot([1, 2])
    with collect_shown() as shown:
        show("plot", figure)
    assert shown[0].data.startswith(b"\x89PNG")


@pytest.mark.parametrize("value", [b"no png", object(), [1, 2], {"a": 1}, None, np.array([1, 2])])
def test_anything_else_is_refused(value: Any) -> None:
    with pytest.raises(ValueRefused, match=r"show\('thing', \.\.\.\) was given a"):
        show("thing", value)


def test_outside_a_run_it_only_checks() -> None:
    show("x", 1)
    assert public_show is show
