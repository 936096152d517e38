"""What Kubernetes does not take of tolerations, labels and annotations: what is wrong, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flowhub_assets.ir import kubernetes_names
from flowhub_assets.ir.placement import Toleration
from flowhub_assets.ir.spelling import did_you_mean, listed

_OPERATORS = ("Equal", "Exists")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def label_faults(labels: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """What of labels, those of a node selector too, is none."""
    for key, value in labels.items():
        yield from _key_and_text_faults(key, value)
        if isinstance(value, str) and (legal := kubernetes_names.label_value(value)):
            yield f"has {key!r}: {value!r}", f"write {legal}"


def annotation_faults(annotations: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """What of annotations is none: their texts are free."""
    for key, value in annotations.items():
        yield from _key_and_text_faults(key, value)


def _key_and_text_faults(key: str, value: object) -> Iterator[tuple[str, str]]:
    if legal := kubernetes_names.qualified_name(key):
        yield f"has the key {key!r}", f"write {legal}"
    if not isinstance(value, str):
        text = str(value).lower() if isinstance(value, bool) else str(value)
        yield f"has {key!r}: {value!r}, not a string", f"write {text!r}"


def toleration_faults(toleration: Toleration) -> Iterator[tuple[str, str]]:
    """What of a toleration Kubernetes does not read, or means nothing."""
    operator, effect = toleration.operator, toleration.effect
    if operator not in _OPERATORS:
        hint = did_you_mean(str(operator), _OPERATORS) or f"it is one of {listed(_OPERATORS)}"
        yield f"has the operator {operator!r}", hint
    if effect is not None and effect not in _EFFECTS:
        hint = did_you_mean(str(effect), _EFFECTS) or f"it is one of {listed(_EFFECTS)}"
        yield f"has the effect {effect!r}", hint
    if operator == "Exists" and toleration.value:
        yield f"asks whether {toleration.key!r} exists and for the value {toleration.value!r}", "write operator='Equal'"
    if operator == "Equal" and not toleration.key:
        yield "has no key", "write key='...', or operator='Exists' to tolerate every taint"
    if toleration.key and (legal := kubernetes_names.qualified_name(toleration.key)):
        yield f"has the key {toleration.key!r}", f"write {legal}"
    if toleration.value and (legal := kubernetes_names.label_value(toleration.value)):
        yield f"has the value {toleration.value!r}", f"write {legal}"
    if toleration.toleration_seconds is not None and effect != "NoExecute":
        yield f"has toleration_seconds with the effect {effect!r}", "write effect='NoExecute', or leave the seconds out"
