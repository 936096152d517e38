"""The shape of a pod's affinity, as Kubernetes' API has it, and what of a given one does not fit.

Kinds and fields are those of ``core/v1``: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Union

from flowhub_assets.ir.spelling import did_you_mean, listed

_Fault = tuple[str, str]

TEXT, TEXTS, LABELS, WEIGHT = "a text", "a list of texts", "labels", "a weight"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_REQUIREMENT: dict[str, Union[str, list[str]]] = {"key": TEXT, "operator": TEXT, "values": TEXTS}

#: Kind → its fields, each with what it holds: one of the words above, another kind, or [a kind] for a list of it.
KINDS: dict[str, dict[str, Union[str, list[str]]]] = {
    "Affinity": {"nodeAffinity": "NodeAffinity", "podAffinity": "PodAffinity", "podAntiAffinity": "PodAffinity"},
    "NodeAffinity": {_REQUIRED: "NodeSelector", _PREFERRED: ["PreferredSchedulingTerm"]},
    "NodeSelector": {"nodeSelectorTerms": ["NodeSelectorTerm"]},
    "NodeSelectorTerm": {"matchExpressions": ["NodeRequirement"], "matchFields": ["NodeRequirement"]},
    "PreferredSchedulingTerm": {"weight": WEIGHT, "preference": "NodeSelectorTerm"},
    "PodAffinity": {_REQUIRED: ["PodAffinityTerm"], _PREFERRED: ["WeightedPodAffinityTerm"]},
    "WeightedPodAffinityTerm": {"weight": WEIGHT, "podAffinityTerm": "PodAffinityTerm"},
    "PodAffinityTerm": {
        "topologyKey": TEXT,
        "labelSelector": "LabelSelector",
        "namespaceSelector": "LabelSelector",
        "namespaces": TEXTS,
        "matchLabelKeys": TEXTS,
        "mismatchLabelKeys": TEXTS,
    },
    "LabelSelector": {"matchLabels": LABELS, "matchExpressions": ["LabelRequirement"]},
    "NodeRequirement": _REQUIREMENT,
    "LabelRequirement": _REQUIREMENT,
}
NEEDED = {
    "NodeSelector": ("nodeSelectorTerms",),
    "PreferredSchedulingTerm": ("weight", "preference"),
    "WeightedPodAffinityTerm": ("weight", "podAffinityTerm"),
    "PodAffinityTerm": ("topologyKey",),
    "NodeRequirement": ("key", "operator"),
    "LabelRequirement": ("key", "operator"),
}
_WITHOUT_VALUES = ("Exists", "DoesNotExist")
OPERATORS = {
    "NodeRequirement": ("In", "NotIn", *_WITHOUT_VALUES, "Gt", "Lt"),
    "LabelRequirement": ("In", "NotIn", *_WITHOUT_VALUES),
}


def affinity_faults(affinity: Mapping[str, Any]) -> Iterator[_Fault]:
    """What is wrong with ``affinity``, and what to write instead; {} is none."""
    if affinity:
        yield from _kind_faults("Affinity", affinity, "")


def _kind_faults(kind: str, value: object, place: str) -> Iterator[_Fault]:
    fields = KINDS[kind]
    if not isinstance(value, Mapping):
        yield f"has {_shown(value)} at {place}", f"write an object there; it takes {listed(fields)}"
        return
    at = f" at {place}" if place else ""
    for key, item in value.items():
        if key not in fields:
            yield f"has the key {key!r}{at}", did_you_mean(str(key), fields) or f"it takes {listed(fields)}"
        else:
            yield from _field_faults(fields[key], item, f"{place}.{key}" if place else key)
    for key in NEEDED.get(kind, ()):
        if key not in value:
            yield f"has no {key!r}{at}", f"it takes {listed(fields)}"
    if kind in OPERATORS:
        yield from _requirement_faults(value, OPERATORS[kind], place)


def _field_faults(wanted: Union[str, list[str]], value: object, place: str) -> Iterator[_Fault]:
    if isinstance(wanted, list):
        if not isinstance(value, (list, tuple)):
            yield f"has {_shown(value)} at {place}", "write a list there: [{...}]"
            return
        for index, item in enumerate(value):
            yield from _kind_faults(wanted[0], item, f"{place}[{index}]")
        if wanted[0] == "NodeSelectorTerm" and not value:
            yield f"has no term at {place}", "write one, or leave the affinity out"
    elif wanted in KINDS:
        yield from _kind_faults(wanted, value, place)
    else:
        yield from _plain_faults(wanted, value, place)


def _plain_faults(wanted: str, value: object, place: str) -> Iterator[_Fault]:
    if wanted == WEIGHT:
        if type(value) is not int or not 1 <= value <= 100:
            yield f"has {_shown(value)} at {place}", "write a whole number from 1 to 100"
    elif wanted == TEXTS:
        if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
            yield f"has {_shown(value)} at {place}", "write a list of texts, in quotes: ['a', 'b']"
    elif wanted == LABELS:
        texts = isinstance(value, Mapping) and all(isinstance(text, str) for pair in value.items() for text in pair)
        if not texts:
            yield f"has {_shown(value)} at {place}", "write labels: {'app': 'cache'}"
    elif not isinstance(value, str):
        yield f"has {_shown(value)} at {place}", "write a text, in quotes"


def _requirement_faults(given: Mapping[str, Any], operators: tuple[str, ...], place: str) -> Iterator[_Fault]:
    operator, values = given.get("operator"), given.get("values") or ()
    if not isinstance(operator, str) or not isinstance(values, (list, tuple)):
        return  # told as fields of a wrong type
    if operator not in operators:
        remedy = did_you_mean(operator, operators) or f"write one of {listed(operators)}"
        yield f"has the operator {operator!r} at {place}", remedy
    elif operator in _WITHOUT_VALUES and values:
        yield f"has the operator {operator!r} and values at {place}", "write operator: In, or leave the values out"
    elif operator not in _WITHOUT_VALUES and not values:
        yield f"has the operator {operator!r} without values at {place}", "write values: ['...'], or operator: Exists"
    elif operator in ("Gt", "Lt") and len(values) != 1:
        yield f"has the operator {operator!r} and {len(values)} values at {place}", "write one number, in quotes"


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, (list, tuple)):
        return "a list"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
