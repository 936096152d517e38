"""A/B: the champion and the challenger behind one address, compared by the same held-out rows and by their traffic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowhub_assets.ml.data_set_versions import published
from flowhub_assets.ml.data_sets import DataSet, data_set_named
from flowhub_assets.ml.serving.described import rows_of_frame
from flowhub_assets.ml.serving.golden import ask_rows
from flowhub_assets.ml.serving.places import place_of
from flowhub_assets.ml.serving.routes import read_route
from flowhub_assets.ml.serving.rows import MOST_ROWS
from flowhub_assets.ml.splitting import split

#: Below this chance of such a difference between equals, the challenger counts as worse or better.
LEVEL = 0.05


def compare_arms(name: str, env: Mapping[str, Any]) -> dict[str, Any]:
    """Asks both served versions for the held-out rows of the newest data, whose answers are known.

    Returns {model, compared, rows, verdict ("no challenger", "worse", "better", "alike"), p, table: [{version, alias,
    accuracy} or {..., mae}, ...]}. ``p`` is the chance of a difference like this between equals: by the rows that only
    one of the two answers right (McNemar's exact test), or that one of the two is nearer to (the sign test). Raises
    RunError where a version does not answer, ObjectMissing where the data set was never published.
    """
    route = read_route(place_of(name, env))
    if route is None or route.challenger is None:
        return {"model": name, "compared": False, "rows": 0, "verdict": "no challenger", "p": None, "table": []}
    data_set = data_set_named(name)
    _, frame, _ = published(name, env)
    _, held_out = split(frame)
    rows = rows_of_frame(held_out, [column.name for column in data_set.features], MOST_ROWS)
    known = held_out[data_set.target].head(MOST_ROWS).tolist()
    errors, table = [], []
    for arm in route.arms:
        answers = ask_rows(arm.url, rows)["predictions"]
        own = _errors(data_set, known, answers)
        errors.append(own)
        mean = sum(own) / len(own)
        word, value = ("accuracy", 1 - mean) if data_set.kind == "classification" else ("mae", mean)
        table.append({"version": arm.version, "alias": arm.alias, word: value})
    verdict, p = judged(errors[0], errors[1])
    return {"model": name, "compared": True, "rows": len(rows), "verdict": verdict, "p": p, "table": table}


def judged(champion: list[float], challenger: list[float]) -> tuple[str, float]:
    """(verdict on the challenger, p) from the errors of both for the same rows; equal errors say nothing."""
    from scipy.stats import binomtest

    better = sum(mine > theirs for mine, theirs in zip(champion, challenger, strict=True))
    worse = sum(mine < theirs for mine, theirs in zip(champion, challenger, strict=True))
    if not better + worse:
        return "alike", 1.0
    p = float(binomtest(worse, better + worse, 0.5).pvalue)
    if p >= LEVEL:
        return "alike", p
    return ("worse" if worse > better else "better"), p


def _errors(data_set: DataSet, known: list[Any], answers: list[Any]) -> list[float]:
    if data_set.kind == "classification":
        return [float(str(one) != str(other)) for one, other in zip(known, answers, strict=True)]
    return [abs(float(one) - float(other)) for one, other in zip(known, answers, strict=True)]
