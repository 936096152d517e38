"""What a training looks like: which columns its trees ask for, what each further tree brings; and what a search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK, _QUIET, _BAR, _BEST = "#212529", "#868E96", "#CED4DA", "#4C6EF5"
_LINES = {"training": "#ADB5BD", "held_out": "#4C6EF5"}
_MOST_BARS = 12
_LOSS = {"classification": "log loss", "regression": "root mean squared error"}


def training_plots(trained: Mapping[str, Any]) -> dict[str, Figure]:
    """Figures by name, of what ``train`` returned: "feature importances" and "learning curve"."""
    return {"feature importances": _importances(trained), "learning curve": _curve(trained)}


def search_plots(found: Mapping[str, Any]) -> dict[str, Figure]:
    """Figures by name, of what ``search`` returned: "trials", each by what it came to, and the best one so far."""
    figure, axes = _page(f"What each trial of {found['data_set']} × {found['model']} came to", 3.4)
    done = [row for row in found["history"] if row["state"] == "complete"]
    best: list[float] = []
    for row in done:
        best.append(min([row["value"], *best[-1:]]))
    axes.scatter([row["trial"] for row in done], [row["value"] for row in done], color=_BAR, s=36, zorder=3)
    axes.step([row["trial"] for row in done], best, where="post", color=_BEST, linewidth=2, zorder=4)
    axes.set_xlabel("trial", color=_QUIET)
    axes.set_ylabel(_LOSS[found["kind"]], color=_QUIET)
    axes.grid(color="#F1F3F5", zorder=0)
    return {"trials": figure}


def _importances(trained: Mapping[str, Any]) -> Figure:
    shares = sorted(trained["importances"].items(), key=lambda pair: pair[1])[-_MOST_BARS:]
    figure, axes = _page(f"What {trained['data_set']} × {trained['model']} asks for", 0.32 * len(shares) + 1.2)
    names, sizes = [name for name, _ in shares], [share for _, share in shares]
    widest = max(sizes, default=0.0)
    axes.barh(names, sizes, color=[_BAR] * (len(names) - 1) + [_BEST], height=0.66)
    for position, size in enumerate(sizes):
        axes.text(size + widest * 0.01, position, f"{size:.1%}", va="center", fontsize=9, color=_INK)
    axes.set_xlim(0, widest * 1.12 or 1)
    axes.set_xticks([])
    return figure


def _curve(trained: Mapping[str, Any]) -> Figure:
    curve = trained["curve"]
    figure, axes = _page("What each further tree brings", 3.4)
    for name, colour in _LINES.items():
        losses = curve.get(name)
        if losses:
            axes.plot(curve["trees"], losses, color=colour, linewidth=2)
            axes.annotate(
                f" {name.replace('_', ' ')}",
                (curve["trees"][-1], losses[-1]),
                color=colour,
                va="center",
                fontsize=10,
                weight="bold",
            )
    axes.set_xlabel("trees", color=_QUIET)
    axes.set_ylabel(_LOSS[trained["kind"]], color=_QUIET)
    axes.set_ylim(bottom=0)
    axes.margins(x=0.02)
    axes.grid(color="#F1F3F5", zorder=0)
    return figure


def _page(title: str, height: float) -> tuple[Figure, Axes]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, height), dpi=90, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_title(title, loc="left", fontsize=13, color=_INK)
    axes.tick_params(length=0, labelsize=9, labelcolor=_QUIET)
    axes.spines[:].set_visible(False)
    return figure, axes
