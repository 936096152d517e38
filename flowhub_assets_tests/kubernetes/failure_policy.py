"""A Job's podFailurePolicy: what a failed pod means for its Job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def by_policy(policy: Mapping[str, Any] | None, pod: Mapping[str, Any]) -> tuple[str, str]:
    """The action of the first rule that fits a failed pod, and the controller's message; Count where none fits."""
    for number, rule in enumerate((policy or {}).get("rules") or []):
        if what := _fits(rule, pod):
            return rule["action"], f"{what} matching {rule['action']} rule at index {number}"
    return "Count", ""


def _fits(rule: Mapping[str, Any], pod: Mapping[str, Any]) -> str:
    name = f"pod {pod['metadata']['namespace']}/{pod['metadata']['name']}"
    if codes := rule.get("onExitCodes"):
        for container, code in _exit_codes(pod):
            if codes.get("containerName") in (None, container) and code and _is_among(code, codes):
                return f"Container {container} for {name} failed with exit code {code}"
    conditions = {(found["type"], found["status"]) for found in pod["status"].get("conditions") or []}
    for wanted in rule.get("onPodConditions") or []:
        if (wanted["type"], wanted.get("status", "True")) in conditions:
            return f"P{name[1:]} has condition {wanted['type']}"
    return ""


def _is_among(code: int, codes: Mapping[str, Any]) -> bool:
    return bool((code in codes["values"]) == (codes["operator"] == "In"))


def _exit_codes(pod: Mapping[str, Any]) -> list[tuple[str, int]]:
    status = pod["status"]
    told = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    return [(one["name"], one["state"]["terminated"]["exitCode"]) for one in told if "terminated" in one["state"]]
