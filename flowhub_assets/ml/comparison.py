"""Which of two models is better: by one measure, on the same held-out rows.

A tie passes the gate and keeps the champion: nothing is switched without a gain. Only where the data set has moved
since the champion was trained does a tie go to the new one, which has learnt from rows that the other has never seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowhub_assets.errors import InputError
from flowhub_assets.ml.evaluation import evaluate

#: By what models are judged; more is better.
MEASURES = {"classification": "balanced_accuracy", "regression": "r2"}
#: Why a tie goes to the one that was trained on another version of the data set than the champion.
MOVED = "and it has learnt from another version of the data set"
#: Closer measures are alike: sums of floats differ in their last digits from machine to machine.
_ALIKE = 1e-9


def score(evaluated: Mapping[str, Any]) -> float:
    """By what a model is judged: balanced accuracy, or r2."""
    return float(evaluated["metrics"][MEASURES[evaluated["kind"]]])


def on_same_rows(model_uri: str, evaluated: Mapping[str, Any], env: Mapping[str, Any]) -> dict[str, Any] | None:
    """What ``evaluate`` tells of another model on the rows of ``evaluated``; None if it cannot answer them.

    A model of before may not know a category that has come since.
    """
    rows = {"data_set": evaluated["data_set"], "data_set_version": evaluated["data_set_version"]}
    try:
        return evaluate({**rows, "model_uri": model_uri}, env)
    except InputError:
        return None


def is_worse(new: Mapping[str, Any], old: Mapping[str, Any] | None) -> bool:
    """Whether ``new`` is worse than ``old``, which is None where it cannot answer the rows."""
    return old is not None and score(new) - score(old) < -_ALIKE


def is_better(new: Mapping[str, Any], old: Mapping[str, Any] | None, tie: str = "") -> tuple[bool, str]:
    """Whether ``new`` takes the place of ``old``, both as ``evaluate`` tells them, and why, in words.

    ``old`` is None where it cannot answer these rows. ``tie`` says why a tie goes to the new one; "" if it does not.
    """
    measure = MEASURES[new["kind"]].replace("_", " ")
    if old is None:
        return True, "the champion cannot answer these rows"
    gain = score(new) - score(old)
    told = f"{measure} {score(new):.4f} against the champion's {score(old):.4f}"
    if gain > _ALIKE:
        return True, told
    if is_worse(new, old):
        return False, f"{told}: the champion is better"
    return bool(tie), f"{told}: a tie, {tie or 'which keeps the champion'}"
