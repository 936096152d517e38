"""Affinities in Kubernetes' words, for hypothesis."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

# Words of a few: what is tried out is the shape, and texts made by a rule cost most of the time.
_WORDS = st.sampled_from(["a", "zone-b", "x1", "web", "gpu.large"])
_KEYS = st.sampled_from(["app", "disk", "topology.kubernetes.io/zone", "karpenter.sh/nodepool"])
_TEXTS = st.lists(_WORDS, min_size=1, max_size=2)


def _requirement(operators: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    valued = st.fixed_dictionaries({"key": _KEYS, "operator": st.sampled_from(["In", "NotIn"]), "values": _TEXTS})
    bare = st.fixed_dictionaries({"key": _KEYS, "operator": st.sampled_from(["Exists", "DoesNotExist"])})
    numbers = st.integers(0, 99).map(lambda number: [str(number)])
    compared = st.fixed_dictionaries({"key": _KEYS, "operator": st.sampled_from(operators), "values": numbers})
    return st.one_of(valued, bare, compared) if operators else st.one_of(valued, bare)


_NODE_TERMS = st.fixed_dictionaries(
    {"matchExpressions": st.lists(_requirement(["Gt", "Lt"]), min_size=1, max_size=2)},
    optional={"matchFields": st.just([{"key": "metadata.name", "operator": "In", "values": ["node-1"]}])},
)
_SELECTORS = st.fixed_dictionaries(
    {},
    optional={
        "matchLabels": st.dictionaries(_KEYS, _WORDS, max_size=2),
        "matchExpressions": st.lists(_requirement([]), max_size=2),
    },
)
_POD_TERMS = st.fixed_dictionaries(
    {"topologyKey": _KEYS, "labelSelector": _SELECTORS},
    optional={"namespaces": _TEXTS, "namespaceSelector": _SELECTORS},
)
_WEIGHTS = st.integers(1, 100)
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def _pods() -> st.SearchStrategy[dict[str, Any]]:
    weighted = st.fixed_dictionaries({"weight": _WEIGHTS, "podAffinityTerm": _POD_TERMS})
    return st.fixed_dictionaries(
        {}, optional={_REQUIRED: st.lists(_POD_TERMS, max_size=2), _PREFERRED: st.lists(weighted, max_size=2)}
    )


def affinities() -> st.SearchStrategy[dict[str, Any]]:
    """Affinities that Kubernetes takes; {} among them."""
    selector = st.fixed_dictionaries({"nodeSelectorTerms": st.lists(_NODE_TERMS, min_size=1, max_size=2)})
    preferred = st.fixed_dictionaries({"weight": _WEIGHTS, "preference": _NODE_TERMS})
    nodes = st.fixed_dictionaries({}, optional={_REQUIRED: selector, _PREFERRED: st.lists(preferred, max_size=2)})
    return st.fixed_dictionaries(
        {}, optional={"nodeAffinity": nodes, "podAffinity": _pods(), "podAntiAffinity": _pods()}
    )
