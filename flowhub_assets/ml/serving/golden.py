"""Golden requests: held-out rows whose answers are known, because the model in MLflow is asked the same."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowhub_assets.errors import RunError
from flowhub_assets.ml.logged_models import load_model
from flowhub_assets.ml.serving.described import golden_rows
from flowhub_assets.ml.serving.places import place_of
from flowhub_assets.ml.serving.servers import arms_of, discard

if TYPE_CHECKING:
    from flowhub_assets.ml.model_files import Predictor

#: Two builds of a library may add floats in another order; more than this is another model.
_TOLERANCE = 1e-6
_SECONDS = 60


def ask_golden(started: Mapping[str, Any], env: Mapping[str, Any]) -> dict[str, Any]:
    """Asks started servers with held-out rows and compares each answer with the model's in MLflow.

    Returns {rows, largest_difference, answers: [{version, row, served, expected}, ...]}. Raises RunError at the first
    answer that differs; the new servers are ended then.
    """
    answers: list[dict[str, Any]] = []
    largest = 0.0
    try:
        for one in arms_of(started):
            predictor = load_model(f"models:/{one['model']}/{one['version']}", env)
            rows = golden_rows(predictor, env)
            told = ask_rows(str(one["url"]), rows)
            largest = max(largest, _difference(predictor, rows, told, str(one["version"])))
            pairs = zip(rows, told["predictions"], predictor.predict(rows), strict=True)
            answers += [
                {"version": one["version"], "row": str(row), "served": served, "expected": expected}
                for row, served, expected in pairs
            ]
    except BaseException:
        discard(place_of(str(started["model"]), env), started)
        raise
    return {"rows": len(answers), "largest_difference": largest, "answers": answers}


def ask_rows(url: str, rows: Sequence[Sequence[Any]], alias: str = "") -> dict[str, Any]:
    """What ``POST <url>/predict`` answers; ``alias`` is for the front. A server that is asked itself does not count it.

    Raises RunError for anything but one prediction for each row.
    """
    import httpx

    from flowhub_assets.ml.serving.service import UNCOUNTED

    headers = {"X-Model-Alias": alias} if alias else {UNCOUNTED: "1"}
    try:
        answer = httpx.post(f"{url}/predict", json=list(rows), headers=headers, timeout=_SECONDS, trust_env=False)
        told = answer.json()
        if answer.status_code == 200 and len(told["predictions"]) == len(rows):
            return dict(told)
        said = f"{answer.status_code}: {answer.text[:500]}"
    except (httpx.HTTPError, KeyError, TypeError, ValueError) as error:
        said = f"{type(error).__name__}: {error}"
    raise RunError(
        f"POST {url}/predict does not answer {len(rows)} rows: {said}",
        effect="Traffic stays where it is.",
        remedy="See the server's log in the workspace, serving/*/servers/*/server.log.",
    )


def _difference(predictor: Predictor, rows: list[list[Any]], told: Mapping[str, Any], version: str) -> float:
    """The largest distance of a served answer from the model's own. Raises RunError where they differ."""
    if told["version"] != version:
        raise _differs(f"the server answers as version {told['version']}, not {version}")
    scored = predictor.scores(rows)
    expected, served = predictor.answers(scored), told["predictions"]
    if predictor.classes:
        own = [dict(zip(predictor.classes, one, strict=True)) for one in scored.tolist()]
        pairs = zip(own, told["probabilities"], strict=True)
        # Summed: a greatest one would not see what is NaN.
        distances = [sum(abs(mine[name] - theirs.get(name, math.inf)) for name in mine) for mine, theirs in pairs]
    else:
        distances = [abs(mine - theirs) / max(1.0, abs(mine)) for mine, theirs in zip(expected, served, strict=True)]
    for row, mine, theirs, distance in zip(rows, expected, served, distances, strict=True):
        if not distance <= _TOLERANCE or (predictor.classes and mine != theirs):
            raise _differs(f"of {row} the server says {theirs!r}, the model in MLflow {mine!r} ({distance:.3g} apart)")
    return float(max(distances))


def _differs(what: str) -> RunError:
    return RunError(
        what,
        effect="The new server was ended; what was served before is served still.",
        remedy="Compare the libraries' versions where the model was trained and here, and run serving again.",
    )
