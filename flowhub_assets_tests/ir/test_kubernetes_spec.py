"""Placement → parts of a pod, and a pod as PodSecurity's "restricted" wants it."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowhub_assets.ir.kubernetes_spec import USER, container, pod_metadata, pod_spec, restricted
from flowhub_assets.ir.placement import Placement
from flowhub_assets_tests.ir.affinities import affinities
from flowhub_assets_tests.ir.pod_schema import schema_faults
from flowhub_assets_tests.kubernetes.restricted import restricted_faults


def test_word_for_word() -> None:
    affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "zone"}]}}
    placement = Placement(
        ephemeral_storage="10Gi",
        limit_ephemeral_storage="20Gi",
        gpu="2",
        gpu_resource="amd.com/gpu",
        affinity=affinity,
        labels={"team": "ml", "a": "b"},
        annotations={"note": "own"},
        service_account_name="own",
        image_pull_secrets=("first", "second"),
        priority_class_name="low",
        active_deadline=3600,
    )
    assert container(placement) == {
        "resources": {
            "requests": {"ephemeral-storage": "10Gi"},
            "limits": {"ephemeral-storage": "20Gi", "amd.com/gpu": "2"},
        }
    }
    assert pod_spec(placement, (), "flows", ("second", "third")) == {
        "serviceAccountName": "own",
        "imagePullSecrets": [{"name": "first"}, {"name": "second"}, {"name": "third"}],
        "priorityClassName": "low",
        "activeDeadlineSeconds": 3600,
        "affinity": affinity,
    }
    assert schema_faults(pod_spec(placement, (), "flows", ("second", "third"))) == []
    assert pod_metadata(placement, {"team": "data", "x": "y"}, {"note": "flow", "more": "z"}) == {
        "labels": {"team": "ml", "x": "y", "a": "b"},
        "annotations": {"note": "own", "more": "z"},
    }


def test_nothing_asked_is_nothing_said_and_the_flows_words_stand_in() -> None:
    assert (container(Placement()), pod_spec(Placement()), pod_metadata(Placement())) == ({}, {}, {})
    assert pod_spec(Placement(), (), "flows", ("s",)) == {
        "serviceAccountName": "flows",
        "imagePullSecrets": [{"name": "s"}],
    }
    assert pod_metadata(Placement(), {"a": "b"}, {"c": "d"}) == {"labels": {"a": "b"}, "annotations": {"c": "d"}}


def test_a_preset_that_nobody_resolved_is_a_count() -> None:
    assert container(Placement(gpu="a100:4"))["resources"] == {"limits": {"nvidia.com/gpu": "4"}}
    assert container(Placement(gpu="a100"))["resources"] == {"limits": {"nvidia.com/gpu": "1"}}


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(affinities())
def test_an_affinity_is_copied_as_it_is(affinity: dict[str, Any]) -> None:
    made = pod_spec(Placement(affinity=affinity))
    assert made.get("affinity", {}) == affinity
    assert schema_faults(made) == []


def test_restricted_word_for_word() -> None:
    given_spec = {"containers": [{"name": "base", "image": "image:v1"}], "nodeSelector": {"a": "b"}}
    before = copy.deepcopy(given_spec)
    assert restricted(given_spec) == {
        "containers": [
            {
                "name": "base",
                "image": "image:v1",
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "env": [{"name": "HOME", "value": "/tmp"}, {"name": "TMPDIR", "value": "/tmp"}],
                "volumeMounts": [{"name": "flowhub-tmp", "mountPath": "/tmp"}],
            }
        ],
        "nodeSelector": {"a": "b"},
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumes": [{"name": "flowhub-tmp", "emptyDir": {}}],
    }
    assert given_spec == before
    assert restricted(given_spec, user=1000)["securityContext"]["fsGroup"] == 1000


def test_what_the_spec_says_stands_key_by_key() -> None:
    own = {
        "securityContext": {"runAsUser": 0, "runAsNonRoot": False, "seccompProfile": {"type": "Localhost"}},
        "volumes": [{"name": "flowhub-tmp", "configMap": {"name": "x"}}],
        "initContainers": [{"name": "init", "volumeMounts": [{"name": "data", "mountPath": "/tmp/"}]}],
        "containers": [
            {
                "name": "base",
                "env": [{"name": "HOME", "value": "/root"}],
                "volumeMounts": [{"name": "data", "mountPath": "/tmp/inner"}],
                "securityContext": {
                    "readOnlyRootFilesystem": False,
                    "privileged": False,
                    "capabilities": {"add": ["NET_BIND_SERVICE"]},
                },
            }
        ],
    }
    made = restricted(own)
    assert made["securityContext"] == {
        "runAsNonRoot": False,
        "runAsUser": 0,
        "runAsGroup": USER,
        "fsGroup": USER,
        "seccompProfile": {"type": "Localhost"},
    }
    (init,), (base,) = made["initContainers"], made["containers"]
    assert init["volumeMounts"] == [{"name": "data", "mountPath": "/tmp/"}]
    assert base["volumeMounts"] == [
        {"name": "data", "mountPath": "/tmp/inner"},
        {"name": "flowhub-tmp-2", "mountPath": "/tmp"},
    ]
    assert made["volumes"] == [*own["volumes"], {"name": "flowhub-tmp-2", "emptyDir": {}}]
    assert base["env"] == [{"name": "HOME", "value": "/root"}, {"name": "TMPDIR", "value": "/tmp"}]
    assert base["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": False,
        "privileged": False,
        "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
    }


def test_where_all_containers_have_a_tmp_of_their_own_there_is_no_volume_more() -> None:
    mounts = [{"name": "data", "mountPath": "/tmp"}]
    assert "volumes" not in restricted({"containers": [{"name": "base", "volumeMounts": mounts}]})


_CONTAINERS = st.lists(
    st.fixed_dictionaries(
        {"image": st.just("image:v1")},
        optional={
            "env": st.just([{"name": "HOME", "value": "/data"}]),
            "volumeMounts": st.just([{"name": "data", "mountPath": "/tmp"}]),
            "securityContext": st.sampled_from([{}, None, {"capabilities": {"add": ["NET_BIND_SERVICE"]}}]),
        },
    ),
    min_size=1,
    max_size=3,
)


def _named(containers: list[dict[str, Any]], word: str) -> list[dict[str, Any]]:
    return [{"name": f"{word}-{number}", **one} for number, one in enumerate(containers)]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_CONTAINERS, st.none() | _CONTAINERS, st.integers(1, 2**31 - 1))
def test_any_plain_pod_becomes_one_that_restricted_admits(
    containers: list[dict[str, Any]], inits: list[dict[str, Any]] | None, user: int
) -> None:
    spec: dict[str, Any] = {"containers": _named(containers, "own"), "volumes": [{"name": "data", "emptyDir": {}}]}
    if inits is not None:
        spec["initContainers"] = _named(inits, "init")
    assert restricted_faults(spec) != []
    made = restricted(spec, user)
    assert restricted_faults(made) == []
    assert schema_faults(made) == []
    for one in [*made["containers"], *made.get("initContainers", [])]:
        assert one["securityContext"]["readOnlyRootFilesystem"] is True
        assert [mount["mountPath"] for mount in one["volumeMounts"]].count("/tmp") == 1
        assert {entry["name"] for entry in one["env"]} == {"HOME", "TMPDIR"}
    assert restricted(made, user) == made
