"""Pictures of what was measured, drawn from the JSON that travels: confusion or residuals, calibration, drift.

Figures are made without pyplot, whose state belongs to the process: steps run in threads beside each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK, _QUIET, _FAINT, _GRID = "#212529", "#868E96", "#CED4DA", "#F1F3F5"
_BLUE, _PINK, _AMBER = "#4C6EF5", "#E64980", "#F59F00"
_DPI = 90


def evaluation_plots(evaluated: Mapping[str, Any]) -> dict[str, Figure]:
    """What ``evaluate`` has told: who is taken for whom and how sure is sure, or what is predicted for what is true."""
    name = "residuals" if evaluated["kind"] == "regression" else "confusion and calibration"
    return {name: _evaluation(evaluated)}


def gate_plots(evaluated: Mapping[str, Any], of_champion: Mapping[str, Any] | None) -> dict[str, Figure]:
    """The plots of a model, and beside them those of the champion on the same rows, where there is one."""
    plots = evaluation_plots(evaluated)
    beside = evaluation_plots(of_champion) if of_champion is not None else {}
    return {**plots, **{f"champion: {name}": figure for name, figure in beside.items()}}


def drift_plots(drifted: Mapping[str, Any]) -> dict[str, Figure]:
    """What ``drift`` has told: for each column both measures as shares of their bounds; none where nothing is new."""
    return {"how far columns have moved": _drift(drifted)} if drifted["columns"] else {}


def _evaluation(evaluated: Mapping[str, Any]) -> Figure:
    metrics = evaluated["metrics"]
    figure = _blank(10.5, 4.4)
    left, right = figure.subplots(1, 2)
    if evaluated["kind"] == "regression":
        error = f"{metrics['mae']:,.0f}" if metrics["mae"] >= 100 else f"{metrics['mae']:.3g}"
        title = f"R² {metrics['r2']:.3f}, mean absolute error {error}"
        _predictions(left, evaluated["residuals"])
        _residuals(right, evaluated["residuals"])
    else:
        title = f"{metrics['balanced_accuracy']:.1%} balanced accuracy, log loss {metrics['log_loss']:.3f}"
        _confusion(left, evaluated["confusion"], evaluated["classes"])
        _calibration(right, evaluated["reliability"], metrics["calibration_error"])
    _headline(figure, f"{evaluated['data_set']} by {evaluated['model']}: {title}, {evaluated['rows']:,} rows held out")
    return figure


def _drift(drifted: Mapping[str, Any]) -> Figure:
    columns = sorted(drifted["columns"], key=lambda one: (_worst(one), one["column"]))
    figure = _blank(8.5, 1.4 + 0.42 * max(len(columns), 2))
    axes = figure.subplots()
    for place, one in enumerate(columns):
        colour = _PINK if one["drifted"] else _BLUE
        measures = [("o", one["psi"] / one["psi_bound"])]
        measures += [("D", one["ks"] / one["ks_bound"])] if one["ks"] is not None else []
        axes.hlines(place, 0, max(share for _, share in measures), color=_FAINT, linewidth=2, zorder=2)
        for marker, share in measures:
            axes.plot(
                share, place, marker, color=colour, markersize=8, markeredgecolor="white", zorder=3, clip_on=False
            )
    axes.axvline(1, color=_AMBER, linewidth=1.4, zorder=1)
    axes.set_yticks(range(len(columns)), [one["column"] for one in columns])
    axes.set_ylim(-0.6, len(columns) - 0.4)
    axes.set_xlim(0, max(1.25, *(_worst(one) * 1.08 for one in columns)) if columns else 1.25)
    axes.set_xlabel("share of the bound: ● population stability index, ◆ Kolmogorov–Smirnov", color=_QUIET, fontsize=9)
    _quiet(axes)
    axes.grid(axis="x", color=_GRID, zorder=0)
    found = ", ".join(drifted["drifted"]) or "nothing"
    _headline(figure, f"{drifted['data_set']}: {found} moved, {drifted['rows']:,} new rows")
    return figure


def _blank(width: float, height: float) -> Figure:
    """An empty figure, in inches, that draws itself without a screen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _headline(figure: Figure, text: str) -> None:
    """What the figure says, above it at the left."""
    figure.suptitle(text, x=0.01, ha="left", fontsize=12.5, color=_INK)


def _quiet(axes: Axes) -> None:
    """Takes away what is neither data nor its name."""
    axes.tick_params(length=0, labelsize=9, labelcolor=_QUIET)
    axes.spines[:].set_visible(False)


def _confusion(axes: Axes, confusion: Sequence[Sequence[int]], classes: Sequence[str]) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    totals = [max(sum(row), 1) for row in confusion]
    shares = [[count / total for count in row] for row, total in zip(confusion, totals, strict=True)]
    shades = LinearSegmentedColormap.from_list("confusion", ["white", _BLUE])
    axes.imshow(shares, cmap=shades, vmin=0, vmax=1, aspect="auto")
    for row, counts in enumerate(confusion):
        for column, count in enumerate(counts):
            colour = "white" if shares[row][column] > 0.55 else _INK if count else _FAINT
            axes.text(column, row, f"{count:,}", ha="center", va="center", fontsize=11, color=colour)
    axes.set_xticks(range(len(classes)), list(classes))
    axes.set_yticks(range(len(classes)), list(classes), rotation=90, va="center")
    axes.set_xlabel("said", color=_QUIET, fontsize=9)
    axes.set_ylabel("true", color=_QUIET, fontsize=9)
    axes.set_title("who is taken for whom", loc="left", fontsize=10, color=_INK)
    _quiet(axes)


def _calibration(axes: Axes, curve: Sequence[Mapping[str, Any]], error: float) -> None:
    axes.plot([0, 1], [0, 1], color=_FAINT, linewidth=1.2, zorder=1)
    most = max((one["rows"] for one in curve), default=1)
    sure, right = [one["confidence"] for one in curve], [one["accuracy"] for one in curve]
    axes.plot(sure, right, color=_BLUE, linewidth=1.2, alpha=0.5, zorder=2)
    sizes = [30 + 220 * one["rows"] / most for one in curve]
    axes.scatter(sure, right, s=sizes, color=_BLUE, alpha=0.8, edgecolor="white", linewidth=0.8, zorder=3)
    axes.set_xlim(0, 1.04)
    axes.set_ylim(0, 1.04)
    axes.set_xlabel("how sure it was", color=_QUIET, fontsize=9)
    axes.set_ylabel("how often it was right", color=_QUIET, fontsize=9)
    axes.set_title(f"calibration: off by {error:.1%}", loc="left", fontsize=10, color=_INK)
    axes.grid(color=_GRID, zorder=0)
    _quiet(axes)


def _predictions(axes: Axes, residuals: Mapping[str, Sequence[float]]) -> None:
    true, said = residuals["actual"], residuals["predicted"]
    ends = [min(*true, *said), max(*true, *said)]
    axes.plot(ends, ends, color=_FAINT, linewidth=1.2, zorder=1)
    axes.scatter(true, said, s=18, color=_BLUE, alpha=0.55, edgecolor="white", linewidth=0.4, zorder=3)
    axes.set_xlabel("true", color=_QUIET, fontsize=9)
    axes.set_ylabel("predicted", color=_QUIET, fontsize=9)
    axes.set_title("predicted for what was true", loc="left", fontsize=10, color=_INK)
    axes.grid(color=_GRID, zorder=0)
    _quiet(axes)


def _residuals(axes: Axes, residuals: Mapping[str, Sequence[float]]) -> None:
    errors = [said - true for said, true in zip(residuals["predicted"], residuals["actual"], strict=True)]
    axes.axhline(0, color=_FAINT, linewidth=1.2, zorder=1)
    axes.scatter(
        residuals["predicted"], errors, s=18, color=_PINK, alpha=0.55, edgecolor="white", linewidth=0.4, zorder=3
    )
    axes.set_xlabel("predicted", color=_QUIET, fontsize=9)
    axes.set_ylabel("predicted − true", color=_QUIET, fontsize=9)
    axes.set_title("residuals", loc="left", fontsize=10, color=_INK)
    axes.grid(color=_GRID, zorder=0)
    _quiet(axes)


def _worst(one: Mapping[str, Any]) -> float:
    ks = one["ks"] / one["ks_bound"] if one["ks"] is not None else 0.0
    return float(max(one["psi"] / one["psi_bound"], ks))
