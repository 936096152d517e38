"""Every object that a cluster would get is looked at, once for each way to lay the values."""

from __future__ import annotations

from collections import Counter

from flowhub_assets.deploy_check.folder import read_folder
from flowhub_assets.deploy_check.layers import combinations
from flowhub_assets.deploy_check.manifests import Manifest, manifests_of
from flowhub_assets_tests.deploy_check.changed_folder import DEPLOY, line_of

FOLDER = read_folder(DEPLOY)
LAYERS = combinations(FOLDER.values, FOLDER.overlays)
MANIFESTS, PROBLEMS = manifests_of(FOLDER, LAYERS[:1])


def named(name: str) -> Manifest:
    return next(one for one in MANIFESTS if one.name == name)


def test_everything_is_there() -> None:
    assert not PROBLEMS
    assert Counter(str(one.data["kind"]) for one in MANIFESTS) == {
        "ConfigMap": 1,
        "Deployment": 5,
        "HorizontalPodAutoscaler": 1,
        "Ingress": 1,
        "Job": 2,
        "NetworkPolicy": 8,
        "PodDisruptionBudget": 1,
        "Role": 2,
        "RoleBinding": 2,
        "Service": 3,
        "ServiceAccount": 2,
        "StatefulSet": 1,
    }


def test_an_object_of_a_file_knows_its_line() -> None:
    file, line, _column = named("StatefulSet minio").place(("spec", "serviceName"))
    assert (file, line) == (
        str(DEPLOY / "helm" / "minio.yaml"),
        line_of(DEPLOY, "helm/minio.yaml", "serviceName: minio"),
    )


def test_an_object_of_the_values_knows_its_line() -> None:
    file, line, _column = named("NetworkPolicy flowhub-steps").place(("spec", "policyTypes"))
    assert (file, line) == (FOLDER.values.file, line_of(DEPLOY, "helm/values.yaml", "policyTypes: [Egress]"))


def test_a_pod_of_the_official_chart_leads_to_its_values() -> None:
    file, line, _column = named("Deployment dagsterdaemon").place(())
    assert (file, line) == (FOLDER.values.file, line_of(DEPLOY, "helm/values.yaml", "dagsterDaemon:") + 1)


def test_an_object_of_a_chart_leads_to_its_template() -> None:
    file, line, _column = named("Service dagster").place(("spec",))
    assert file.endswith("flowhub-server/templates/service.yaml")
    assert line == 0


def test_an_object_without_pods_has_no_spec_of_one() -> None:
    assert named("Service minio").pod_path is None
    assert named("Job minio-setup").pod_path == ("spec", "template", "spec")
