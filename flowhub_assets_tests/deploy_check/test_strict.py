"""Manifests by Kubernetes' own schemas, for the oldest and the newest that is supported."""

from __future__ import annotations

from typing import Any

import pytest

from flowhub_assets.deploy_check.manifests import Manifest
from flowhub_assets.deploy_check.strict import strict_problems, supported

GOOD = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"a": "b"}}


def told(data: dict[str, Any]) -> list[str]:
    return [str(problem) for problem in strict_problems([Manifest(data, lambda keys: (f"at {keys}", 1, 1))])]


def test_versions_go_from_the_oldest_to_the_packages_newest() -> None:
    oldest, newest = supported()
    assert oldest == "1.28"
    assert tuple(map(int, newest.split("."))) >= (1, 37)


def test_a_good_object_is_fine() -> None:
    assert told(GOOD) == []


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"dta": {}}, "'dta' was unexpected"),
        ({"data": {"a": 1}}, "1 is not of type"),
        ({"apiVersion": "v9"}, "has no such kind in 'v9'"),
        ({"kind": "Configmap2"}, "has no such kind in 'v1'"),
    ],
)
def test_what_kubernetes_refuses_is_told_once(change: dict[str, Any], what: str) -> None:
    (text,) = told({**GOOD, **change})
    assert what in text


def test_an_object_without_a_kind_is_told() -> None:
    (text,) = told({"apiVersion": "v1"})
    assert "it has no 'kind'" in text


def test_a_kind_that_only_the_newest_lacks_is_told() -> None:
    flow = {"apiVersion": "flowcontrol.apiserver.k8s.io/v1beta3", "kind": "FlowSchema", "metadata": {"name": "a"}}
    (text,) = told(flow)
    assert f"Kubernetes {supported()[1]} has no such kind" in text
