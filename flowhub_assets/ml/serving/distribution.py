"""How predictions are distributed: shares of classes, or of the spans between deciles; and how far two are apart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

_BINS = 10
#: What stands for a share of none, which the logarithm of the stability index does not take.
_LEAST = 1e-4


def reference(predictions: Sequence[Any], classes: Sequence[str]) -> dict[str, Any]:
    """What others are compared with: {"shares": [...], "classes": [...]}, or {"shares": [...], "edges": [...]}.

    ``edges`` are the deciles of predicted numbers, each once; there is one share more than edges.
    """
    import numpy

    if classes:
        told: dict[str, Any] = {"classes": list(classes)}
    else:
        values = numpy.asarray(predictions, dtype=float)
        deciles = numpy.quantile(values, numpy.linspace(0, 1, _BINS + 1)[1:-1]).tolist()
        # As their names have them, so that no two spans have one name.
        told = {"edges": sorted({float(f"{one:.6g}") + 0.0 for one in deciles})}
    counts = list(counted(predictions, told).values())
    return {**told, "shares": [count / max(1, len(predictions)) for count in counts]}


def labels(told: Mapping[str, Any]) -> list[str]:
    """The classes, or a name for each span, of a ``reference``."""
    if "classes" in told:
        return list(told["classes"])
    edges = told["edges"]
    return [f"up to {edge:.6g}" for edge in edges] + [f"above {edges[-1]:.6g}"]


def counted(predictions: Sequence[Any], told: Mapping[str, Any]) -> dict[str, int]:
    """How many of the predictions are of each of the ``labels`` of a reference."""
    import numpy

    names = labels(told)
    if "classes" in told:
        return {name: sum(one == name for one in predictions) for name in names}
    # Prometheus' buckets hold their upper bound, so a number on an edge belongs to the span below it.
    spans = numpy.searchsorted(told["edges"], numpy.asarray(predictions, dtype=float), side="left")
    return dict(zip(names, numpy.bincount(spans, minlength=len(names)).tolist(), strict=True))


def stability_index(expected: Sequence[float], found: Sequence[float]) -> float:
    """The population stability index of two lists of shares: 0 for the same, by custom above 0.25 for others."""
    pairs = [(max(one, _LEAST), max(other, _LEAST)) for one, other in zip(expected, found, strict=True)]
    return sum((other - one) * math.log(other / one) for one, other in pairs)
