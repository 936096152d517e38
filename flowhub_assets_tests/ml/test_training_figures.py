"""Plots of a training and a search: they are drawn, also of little, and say what they show."""

from __future__ import annotations

import io
from typing import Any

import pytest

from flowhub_assets.ml.training_figures import search_plots, training_plots
from flowhub_assets_tests.ml.conftest import Cells


def drawn(figure: Any) -> str:
    """All its texts, once it was drawn."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    assert picture.getvalue().startswith(b"\x89PNG")
    return " ".join(text.get_text() for text in figure.findobj(lambda one: hasattr(one, "get_text")))


def test_every_cell_has_its_two_plots(cells: Cells) -> None:
    for trained in cells.trained.values():
        plots = {name: drawn(figure) for name, figure in training_plots(trained).items()}
        assert set(plots) == {"feature importances", "learning curve"}
        best = max(trained["importances"], key=lambda name: trained["importances"][name])
        assert best in plots["feature importances"]
        loss = "log loss" if trained["kind"] == "classification" else "root mean squared error"
        assert all(word in plots["learning curve"] for word in (loss, "held out", "training"))


@pytest.mark.parametrize("importances", [{}, {"a": 0.0}])
def test_a_model_that_asks_for_nothing_is_drawn_too(importances: dict[str, float], cells: Cells) -> None:
    trained = {**cells.trained["iris", "xgboost"], "importances": importances}
    drawn(training_plots(trained)["feature importances"])


@pytest.mark.parametrize("values", [[], [0.5], [0.5, 0.7, 0.3]])
def test_a_search_is_drawn_with_its_trials(values: list[float]) -> None:
    history = [{"trial": number, "state": "complete", "value": value} for number, value in enumerate(values)]
    history.append({"trial": len(values), "state": "pruned", "value": None})
    found = {"data_set": "iris", "model": "xgboost", "kind": "classification", "history": history}
    assert "log loss" in drawn(search_plots(found)["trials"])
