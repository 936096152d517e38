"""What the counters of the front and of the served versions say of the time since somebody last looked.

Counters only grow, until their process ends: what they showed at the last look stands in ``seen.json`` beside the
route, and one that shows less than then has begun anew.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from flowhub_assets.errors import RunError
from flowhub_assets.ml.serving import bento, processes
from flowhub_assets.ml.serving.distribution import labels, stability_index
from flowhub_assets.ml.serving.front_process import front_url
from flowhub_assets.ml.serving.places import Place, place_of, read_json, write_json
from flowhub_assets.ml.serving.routes import Arm, Route, read_route

#: Fewer predictions than this say nothing of their distribution.
FEW = 50
_SECONDS = 20


def traffic(name: str, env: Mapping[str, Any]) -> dict[str, Any]:
    """What callers asked the model ``name`` for since the last call, by version.

    Returns {model, served, seconds (of the span; None at the first look), versions: [{alias, version, requests, errors
    (answers of 5xx), refused (4xx), p50, p95 (seconds, None without requests), predictions, shares: {class or bin:
    share}, expected: {the same of the training rows}, psi (None for fewer than FEW predictions)}, ...]}; served is
    False, and there are no versions, where the model is not served. Raises RunError where the front does not answer.
    """
    place = place_of(name, env)
    route = read_route(place)
    if route is None:
        return {"model": name, "served": False, "seconds": None, "versions": []}
    before = read_json(place.folder / "seen.json") or {}
    now: dict[str, Any] = {"at": time.time(), "counts": {}}
    front = _samples(f"{front_url(env)}/metrics")
    versions = []
    for arm in route.arms:
        own = _samples(f"{front_url(env)}/{name}/metrics/{arm.alias}")
        counts = _counts(route, arm, front, own)
        now["counts"][arm.server] = counts
        versions.append(_told(place, arm, _since(before.get("counts", {}).get(arm.server, {}), counts)))
    write_json(place.folder / "seen.json", now)
    seconds = round(now["at"] - before["at"], 3) if before else None
    return {"model": name, "served": True, "seconds": seconds, "versions": versions}


def judge_traffic(
    told: Mapping[str, Any], *, p95: float = 0.25, errors: float = 0.01, psi: float = 0.25
) -> dict[str, Any]:
    """Whether what ``traffic`` told is as it should be.

    That is: all but the slowest twentieth within ``p95`` seconds, at most a share of ``errors`` unanswered, and
    predictions distributed as those of the training rows (a population stability index of at most ``psi``).

    Returns {passed, reasons: [text, ...], table: [{version, ...}, ...]}.
    """
    if not told["served"]:
        return {"passed": False, "reasons": [f"{told['model']} is not served"], "table": []}
    reasons = []
    for one in told["versions"]:
        who = f"version {one['version']} ({one['alias']})"
        if one["requests"] and one["errors"] / one["requests"] > errors:
            reasons.append(f"{who} left {one['errors']:,} of {one['requests']:,} requests unanswered")
        if one["p95"] is not None and one["p95"] > p95:
            reasons.append(f"{who} took {one['p95']:.3g} s for its slowest twentieth, more than {p95:g} s")
        if one["psi"] is not None and one["psi"] > psi:
            reasons.append(f"{who} predicts otherwise than of its training rows: PSI {one['psi']:.2f}, above {psi:g}")
    columns = ("version", "alias", "requests", "errors", "refused", "p50", "p95", "predictions", "psi")
    return {
        "passed": not reasons,
        "reasons": reasons,
        "table": [{name: one[name] for name in columns} for one in told["versions"]],
    }


def quantile(bounds: Sequence[float], counts: Sequence[float], share: float) -> float | None:
    """The value below which ``share`` of the observations lie, as Prometheus' histogram_quantile interpolates it.

    ``counts`` are cumulative, one for each upper bound, the last of which is infinite. None without observations.
    """
    if not counts or not counts[-1]:
        return None
    wanted = share * counts[-1]
    place = next(number for number, count in enumerate(counts) if count >= wanted)
    if math.isinf(bounds[place]):
        return float(bounds[place - 1]) if place else None
    lower, below = (bounds[place - 1], counts[place - 1]) if place else (0.0, 0.0)
    inside = counts[place] - below
    return float(lower + (bounds[place] - lower) * ((wanted - below) / inside if inside else 1.0))


def _samples(url: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Name of a sample → (labels, value) of each, as the text format of Prometheus has them."""
    import httpx
    from prometheus_client.parser import text_string_to_metric_families

    try:
        answer = httpx.get(url, timeout=_SECONDS, trust_env=False)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise RunError(
            f"GET {url} does not answer: {error}",
            effect="Nothing is known of the traffic since the last look.",
            remedy="Run the pipeline serving; it starts what is gone.",
        ) from None
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((dict(sample.labels), float(sample.value)))
    return found


def _counts(route: Route, arm: Arm, front: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """The counters of one version as {which: {label: count}}; a label is a status, a bound, or a class."""
    mine = {"model": route.model, "version": arm.version, "alias": arm.alias}

    def taken(samples: Mapping[str, Any], name: str, label: str, wanted: Mapping[str, str]) -> dict[str, float]:
        there = samples.get(name, [])
        return {labels[label]: value for labels, value in there if wanted.items() <= labels.items()}

    version = {"model": route.model, "version": arm.version}
    return {
        "statuses": taken(front, "flowhub_serving_requests_total", "status", mine),
        "seconds": taken(front, "flowhub_serving_request_seconds_bucket", "le", mine),
        "classes": taken(own, "flowhub_model_predictions_total", "prediction", version),
        "bins": taken(own, "flowhub_model_prediction_bucket", "le", version),
    }


def _since(before: Mapping[str, Any], now: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    grown = {}
    for which, counts in now.items():
        old = before.get(which, {})
        anew = any(value < old.get(label, 0) for label, value in counts.items())
        grown[which] = {label: value - (0 if anew else old.get(label, 0)) for label, value in counts.items()}
    return grown


def _told(place: Place, arm: Arm, counts: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    served = bento.served_by(str(processes.record(place.servers / arm.server).get("bento", "")))
    bounds, cumulative = _ordered(counts["seconds"])
    told = served["reference"]
    found = _distribution(counts, told)
    total = sum(found.values())
    shares = {label: count / total for label, count in found.items()} if total else {}
    statuses = counts["statuses"].items()
    return {
        "alias": arm.alias,
        "version": arm.version,
        "requests": int(sum(count for _, count in statuses)),
        "errors": int(sum(count for status, count in statuses if status.startswith("5"))),
        "refused": int(sum(count for status, count in statuses if status.startswith("4"))),
        "p50": quantile(bounds, cumulative, 0.5),
        "p95": quantile(bounds, cumulative, 0.95),
        "predictions": int(total),
        "shares": shares,
        "expected": dict(zip(found, told["shares"], strict=True)),
        "psi": stability_index(told["shares"], list(shares.values())) if total >= FEW else None,
    }


def _distribution(counts: Mapping[str, Mapping[str, float]], told: Mapping[str, Any]) -> dict[str, float]:
    """How many predictions are of each label of the training rows' distribution."""
    names = labels(told)
    if "classes" in told:
        return {name: counts["classes"].get(name, 0.0) for name in names}
    _, cumulative = _ordered(counts["bins"])
    each = [high - low for low, high in zip([0.0, *cumulative], cumulative, strict=False)] or [0.0] * len(names)
    return dict(zip(names, each, strict=True))


def _ordered(counts: Mapping[str, float]) -> tuple[list[float], list[float]]:
    pairs = sorted((float(bound), count) for bound, count in counts.items())
    return [bound for bound, _ in pairs], [count for _, count in pairs]
