"""The gate before the registry: a model passes if it is good enough, and no worse than the champion on the same rows.

A tie passes: such a model is registered and stays the challenger (comparison.py says when it becomes the champion).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flowhub_assets.errors import InputError
from flowhub_assets.ml.comparison import MEASURES, MOVED, is_better, is_worse, on_same_rows, score
from flowhub_assets.ml.registry import champion

#: The least that a model of a data set is worth something at: balanced accuracy, or r2 (housing).
THRESHOLDS: Mapping[str, float] = {"iris": 0.85, "titanic": 0.65, "housing": 0.4}


@dataclass(frozen=True)
class Verdict:
    """Whether a model passes, why or why not, and its measures beside those of the ``champion`` (a version, or None).

    ``table`` has a row for each measure: the measure, this model, the champion if there is one, the bound.
    ``of_champion`` is what ``evaluate`` tells of the champion on the same rows, where it can answer them.
    """

    passed: bool
    reasons: tuple[str, ...]
    table: list[dict[str, Any]]
    champion: str | None
    of_champion: Mapping[str, Any] | None = None

    @property
    def told(self) -> str:
        """The reasons, as a check's description."""
        return "; ".join(self.reasons)


def gate(evaluated: Mapping[str, Any], env: Mapping[str, Any], threshold: float | None = None) -> Verdict:
    """Judges what ``evaluate`` has told of a model: against ``threshold``, and against the champion on the same rows.

    Without a threshold it is the data set's own of THRESHOLDS; the measure is balanced accuracy, or r2. A champion
    that cannot answer the rows is no obstacle. Raises InputError for a threshold above 1, and what ``evaluate`` does.
    """
    bound = THRESHOLDS.get(evaluated["data_set"], 0.0) if threshold is None else float(threshold)
    if not bound <= 1:
        raise InputError(f"the threshold is {threshold!r}", remedy="Write a number up to 1, the best that can be.")
    measure = MEASURES[evaluated["kind"]]
    enough = score(evaluated) >= bound
    told = f"{measure.replace('_', ' ')} {score(evaluated):.4f}, {'at least' if enough else 'less than'} {bound:g}"
    now = champion(evaluated["data_set"], env)
    if now is None:
        table = _table(evaluated, None, "", measure, bound)
        return Verdict(enough, (told, "there is no champion yet"), table, None)
    of_champion = on_same_rows(now.model_uri, evaluated, env)
    tie = MOVED if now.data_set_version != evaluated["data_set_version"] else "which leaves it the challenger"
    why = is_better(evaluated, of_champion, tie)[1]
    passed = enough and not is_worse(evaluated, of_champion)
    table = _table(evaluated, of_champion, f"champion, version {now.version}", measure, bound)
    return Verdict(passed, (told, why), table, now.version, of_champion)


def _table(
    new: Mapping[str, Any], old: Mapping[str, Any] | None, of_old: str, measure: str, bound: float
) -> list[dict[str, Any]]:
    rows = []
    for name, value in new["metrics"].items():
        row: dict[str, Any] = {"measure": name.replace("_", " "), "this model": round(value, 4)}
        if of_old:
            row[of_old] = round(old["metrics"][name], 4) if old is not None else None
        rows.append({**row, "bound": f"at least {bound:g}" if name == measure else ""})
    for one in new.get("per_class", []):
        row = {"measure": f"f1 of {one['class']}", "this model": round(one["f1"], 4)}
        if of_old:
            row[of_old] = _f1_of(old, one["class"])
        rows.append({**row, "bound": ""})
    return rows


def _f1_of(evaluated: Mapping[str, Any] | None, name: str) -> float | None:
    found = [one["f1"] for one in evaluated["per_class"] if one["class"] == name] if evaluated else []
    return round(found[0], 4) if found else None
