"""The shape of an affinity: what Kubernetes' own schema takes is taken, what it refuses is told with the place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowhub_assets.ir.affinity_faults import affinity_faults
from flowhub_assets.ir.placement import Placement
from flowhub_assets_tests.ir.affinities import affinities
from flowhub_assets_tests.ir.pipelines_as_data import messages, pipeline_of, task_of
from flowhub_assets_tests.ir.pod_schema import schema_faults

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def on_nodes(**requirement: Any) -> dict[str, Any]:
    return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [requirement]}]}}}


def beside(**term: Any) -> dict[str, Any]:
    return {"podAffinity": {REQUIRED: [term]}}


PLACE = f"nodeAffinity.{REQUIRED}.nodeSelectorTerms[0].matchExpressions[0]"


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(affinities())
def test_what_is_made_by_kubernetes_words_is_taken(affinity: dict[str, Any]) -> None:
    assert list(affinity_faults(affinity)) == []
    assert schema_faults({"affinity": affinity}) == []


@pytest.mark.parametrize(
    ("affinity", "what", "remedy"),
    [
        ({"nodeAfinity": {}}, "has the key 'nodeAfinity'", "did you mean 'nodeAffinity'?"),
        ({"node_affinity": {}}, "has the key 'node_affinity'", "did you mean 'nodeAffinity'?"),
        ({"tolerations": []}, "has the key 'tolerations'", "it takes nodeAffinity, podAffinity and podAntiAffinity"),
        ({"nodeAffinity": []}, "has a list at nodeAffinity", "write an object there"),
        ({"nodeAffinity": {"required": {}}}, "has the key 'required' at nodeAffinity", f"it takes {REQUIRED} and"),
        ({"nodeAffinity": {REQUIRED: []}}, f"has a list at nodeAffinity.{REQUIRED}", "it takes nodeSelectorTerms"),
        ({"nodeAffinity": {REQUIRED: {}}}, "has no 'nodeSelectorTerms' at", "it takes nodeSelectorTerms"),
        ({"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": []}}}, "has no term at", "leave the affinity out"),
        (on_nodes(key="k"), f"has no 'operator' at {PLACE}", "it takes key, operator and values"),
        (on_nodes(key="k", operator="in", values=["a"]), f"has the operator 'in' at {PLACE}", "did you mean 'In'?"),
        (on_nodes(key="k", operator="Is", values=["a"]), "has the operator 'Is' at", "In"),
        (on_nodes(key="k", operator="In"), f"has the operator 'In' without values at {PLACE}", "values: ['...']"),
        (on_nodes(key="k", operator="Exists", values=["a"]), "has the operator 'Exists' and values at", "leave"),
        (on_nodes(key="k", operator="Gt", values=["1", "2"]), "has the operator 'Gt' and 2 values at", "one number"),
        (on_nodes(key="k", operator="In", values="a"), f"has 'a' at {PLACE}.values", "['a', 'b']"),
        (on_nodes(key="k", operator="In", values=[1]), f"has a list at {PLACE}.values", "in quotes"),
        (on_nodes(key=1, operator="Exists"), f"has 1 at {PLACE}.key", "write a text"),
        (beside(), f"has no 'topologyKey' at podAffinity.{REQUIRED}[0]", "it takes topologyKey"),
        (
            beside(topologyKey="z", labelSelector={"matchLabels": {"a": 1}}),
            f"has an object at podAffinity.{REQUIRED}[0].labelSelector.matchLabels",
            "write labels",
        ),
        (
            beside(
                topologyKey="z", labelSelector={"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}
            ),
            "has the operator 'Gt' at",
            "In, NotIn, Exists and DoesNotExist",
        ),
        (
            {"podAntiAffinity": {PREFERRED: [{"weight": 101, "podAffinityTerm": {"topologyKey": "z"}}]}},
            "has 101",
            "100",
        ),
        ({"podAntiAffinity": {PREFERRED: [{"weight": True, "podAffinityTerm": {"topologyKey": "z"}}]}}, "True", "100"),
        ({"podAntiAffinity": {PREFERRED: {"weight": 1}}}, f"has an object at podAntiAffinity.{PREFERRED}", "a list"),
    ],
)
def test_what_is_none(affinity: dict[str, Any], what: str, remedy: str) -> None:
    ((told, hint),) = affinity_faults(affinity)
    assert what in told
    assert remedy in hint
    task = task_of("a", line=4, placement=Placement(affinity=affinity))
    assert messages(pipeline_of(task)) == [f"flow.yaml:4: affinity of task 'a' {told}"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 120) | st.sampled_from(["In", "k", "Gt", "Exists"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                [
                    *(
                        "nodeAffinity",
                        "podAffinity",
                        REQUIRED,
                        PREFERRED,
                        "nodeSelectorTerms",
                        "matchExpressions",
                        "weight",
                    ),
                    *("preference", "key", "operator", "values", "topologyKey", "labelSelector", "matchLabels", "x"),
                ]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=15,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(["nodeAffinity", "podAffinity", "podAntiAffinity"]), JSON))
def test_what_is_taken_fits_kubernetes_schema(affinity: dict[str, Any]) -> None:
    if not list(affinity_faults(affinity)):
        assert schema_faults({"affinity": affinity}) == []
