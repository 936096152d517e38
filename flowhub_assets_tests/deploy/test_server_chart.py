"""The chart flowhub-server: what it makes of its values, and which it refuses."""

from __future__ import annotations

from typing import Any

import helm_python
import pytest
import yaml
from fastapi.routing import APIRoute

from flowhub_assets.cli.serve import serve
from flowhub_assets.deploy_check.layers import at
from flowhub_assets.server.rest import health
from flowhub_assets_tests.checkout import ROOT

CHART = ROOT / "deploy" / "helm" / "flowhub-server"
EVERYTHING = yaml.safe_load((CHART / "ci" / "everything.yaml").read_text("utf-8"))


def rendered(values: dict[str, Any], name: str = "flowhub-server") -> dict[str, dict[str, Any]]:
    """Kind to manifest."""
    files = helm_python.Chart.load(str(CHART)).render(values, name=name, namespace="flowhub")
    found = [one for text in files.values() for one in yaml.safe_load_all(text) if one]
    assert len({one["kind"] for one in found}) == len(found)
    return {one["kind"]: one for one in found}


def test_by_default_it_is_closed_and_small() -> None:
    made = rendered({})
    assert set(made) == {"Deployment", "NetworkPolicy", "Service", "ServiceAccount"}
    assert made["Deployment"]["spec"]["replicas"] == 1
    pod = made["Deployment"]["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["containers"][0]["args"] == [
        "flowhub",
        "serve",
        "--host=0.0.0.0",
        "--port=8080",
        "--grpc-port=50051",
        "--workspace=/dagster-workspace/workspace.yaml",
    ]


def test_the_command_knows_what_it_is_told() -> None:
    options = {name for parameter in serve.params for name in parameter.opts}
    container = rendered({"ui": "https://dagster.example.com"})["Deployment"]["spec"]["template"]["spec"]["containers"][
        0
    ]
    told = [argument.partition("=")[0] for argument in container["args"][2:]]
    assert "--ui" in told
    assert set(told) <= options
    probed = {container[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert probed <= {route.path for route in health.router.routes if isinstance(route, APIRoute)}


def test_the_first_token_comes_from_a_secret() -> None:
    def variables(values: dict[str, Any]) -> dict[str, Any]:
        container = rendered(values)["Deployment"]["spec"]["template"]["spec"]["containers"][0]
        return {one["name"]: one.get("valueFrom") for one in container["env"]}

    secret = {"secretKeyRef": {"name": "flowhub-server-token", "key": "token"}}
    assert variables({})["FLOWHUB_FIRST_TOKEN"] == secret
    assert "FLOWHUB_FIRST_TOKEN" not in variables({"existing": {"tokenSecret": ""}})


def test_everything_can_be_switched_on() -> None:
    made = rendered(EVERYTHING)
    assert set(made) > {"Ingress", "HorizontalPodAutoscaler", "PodDisruptionBudget"}
    # Who counts is the autoscaler.
    assert "replicas" not in made["Deployment"]["spec"]
    assert made["Ingress"]["spec"]["tls"] == [{"hosts": ["flowhub.example.com"], "secretName": "flowhub-tls"}]


def test_selectors_find_the_pods() -> None:
    made = rendered(EVERYTHING)
    labels = made["Deployment"]["spec"]["template"]["metadata"]["labels"].items()
    for selector in (
        made["Deployment"]["spec"]["selector"]["matchLabels"],
        made["Service"]["spec"]["selector"],
        made["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
        made["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
    ):
        assert selector.items() <= labels


def test_names_and_ports_lead_to_each_other() -> None:
    made = rendered({**EVERYTHING, "ports": {"rest": 9090, "grpc": 9091}}, name="door")
    assert {made[kind]["metadata"]["name"] for kind in ("Deployment", "Service", "ServiceAccount")} == {"door"}
    assert made["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == "door"
    container = made["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == {"rest": 9090, "grpc": 9091}
    assert [port["port"] for port in made["NetworkPolicy"]["spec"]["ingress"][0]["ports"]] == [9090, 9091]
    backend = at(made["Ingress"], "spec", "rules", 0, "http", "paths", 0, "backend", "service")
    assert backend == {"name": "door", "port": {"name": "rest"}}


def test_a_digest_goes_before_the_tag() -> None:
    digest = f"sha256:{'0' * 64}"
    made = rendered({"image": {"digest": digest}})
    container = made["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == f"flowhub-assets@{digest}"


def test_one_replica_has_no_budget_that_would_block_its_node() -> None:
    assert "PodDisruptionBudget" not in rendered({})
    assert "PodDisruptionBudget" in rendered({"replicaCount": 2})


def test_who_is_not_named_does_not_connect() -> None:
    assert rendered({"networkPolicy": {"from": []}})["NetworkPolicy"]["spec"].get("ingress") is None


@pytest.mark.parametrize(
    "values",
    [
        {"image": {"tag": "latest"}},
        {"image": {"digest": "sha256:12"}},
        {"image": {"repository": "Upper"}},
        {"replicacount": 2},
        {"ports": {"rest": 80}},
        {"ingress": {"enabled": True}},
        {"existing": {"envSecrets": ["Not A Name"]}},
        {"probes": {"liveness": {"path": "healthz"}}},
    ],
)
def test_what_it_refuses(values: dict[str, Any]) -> None:
    with pytest.raises(helm_python.HelmError):
        rendered(values)


def test_helm_itself_finds_nothing_to_warn_of() -> None:
    messages = helm_python.lint(str(CHART))["messages"]
    assert [message["error"] for message in messages if message["severity"] > 1] == []
