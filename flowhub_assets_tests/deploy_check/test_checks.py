"""deploy/ as it is has nothing wrong, and every kind of mistake is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowhub_assets.deploy_check.checks import check_deployment
from flowhub_assets.from_yaml.problem import FileProblem
from flowhub_assets_tests.deploy_check.changed_folder import DEPLOY, changed, line_of


def problems(folder: Path) -> dict[str, list[FileProblem]]:
    return {check.name: check.problems for check in check_deployment(folder) if check.problems}


def test_what_we_ship_has_nothing_wrong() -> None:
    checks = check_deployment(DEPLOY)
    assert [check.name for check in checks] == [
        "files",
        "values",
        "manifests",
        "security",
        "images",
        "queue",
        "secrets",
    ]
    assert {check.name: check.problems for check in checks if check.problems} == {}


MISTAKES = [
    # A value that the chart does not know.
    ("values", "helm/values.yaml", "heartbeatTolerance: 1800", "heartbeatTolerence: 1800", "heartbeatTolerence"),
    # In a list there are no values of the chart behind it.
    ("values", "helm/values.yaml", "      port: 3030\n      # Env", "      # Env", "- name: flowhub\n"),
    # An overlay is checked with what lies below it.
    ("values", "helm/values-production.yaml", "replicaCount: 2", "replicaCount: two", "replicaCount: two"),
    # A field that Kubernetes does not know.
    ("manifests", "helm/values.yaml", "periodSeconds: 5\n", "periodSecond: 5\n", None),
    (
        "manifests",
        "helm/minio.yaml",
        "failureThreshold: 60",
        "failureTreshold: 60",
        "httpGet: {path: /minio/health/live",
    ),
    ("manifests", "helm/values.yaml", "policyTypes: [Ingress]", "policyType: [Ingress]", "podSelector: {}"),
    # The chart hands the word on to Kubernetes.
    (
        "manifests",
        "helm/values.yaml",
        "        enabled: true\n        periodSeconds: 30\n",
        "        enabled: true\n        exec: {command: [a]}\n",
        None,
    ),
    # What dagster-k8s makes of the run launcher's settings.
    (
        "manifests",
        "helm/values.yaml",
        "limits: {memory: 2Gi}\n        podSpecConfig",
        "limits: {memory: {}}\n        podSpecConfig",
        None,
    ),
    # Security.
    ("security", "helm/minio.yaml", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", None),
    ("security", "helm/values.yaml", "runAsNonRoot: true", "runAsNonRoot: false", None),
    ("security", "helm/flowhub-server/templates/deployment.yaml", "drop: [ALL]", "drop: []", ""),
    # Names of images.
    ("images", "helm/minio.yaml", "minio/minio:RELEASE.2025-09-07T16-13-09Z", "minio/minio", "image: minio/minio"),
    ("images", "compose.yaml", "postgres:16.10", "postgres:latest", "postgres:latest"),
    ("images", "helm/flowhub-server/values.yaml", "tag: 0.1.0", "tag: 0.2.0", ""),
    ("images", "helm/values.yaml", "repository: flowhub-assets", "repository: Flowhub", None),
    # The queue.
    ("queue", "helm/values.yaml", "limit: 7}", "limit: 8}", "- {key: flowhub/at_most_1,"),
    ("queue", "dagster-production.yaml", "granularity: op", "granularity: run", "granularity: run"),
    ("queue", "compose/dagster.yaml", "free_slots_after_run_end_seconds: 30", "", "enabled: true"),
    ("queue", "helm/values.yaml", "maxResumeRunAttempts: 3", "maxResumeRunAttempts: 0", "maxResumeRunAttempts: 0"),
    # Secrets.
    ("secrets", "helm/values.yaml", 'postgresqlPassword: ""', "postgresqlPassword: hunter2", "hunter2"),
    ("secrets", "helm/values.yaml", "      env: []\n", "      env: [{name: API_TOKEN, value: hunter2}]\n", "hunter2"),
    ("secrets", "compose.yaml", "${POSTGRES_PASSWORD:-laptop-only}", "hunter2", "hunter2"),
    ("secrets", "dagster-production.yaml", "password: {env: DAGSTER_PG_PASSWORD}", "password: hunter2", "hunter2"),
]


@pytest.mark.parametrize(("kind", "name", "old", "new", "line"), MISTAKES, ids=lambda value: str(value)[:30])
def test_a_mistake_is_told_where_it_stands(
    tmp_path: Path, kind: str, name: str, old: str, new: str, line: str | None
) -> None:
    folder = changed(tmp_path, (name, old, new))
    found = problems(folder)
    assert kind in found, found
    told = found[kind][0]
    assert told.effect
    assert told.remedy
    assert "hunter2" not in str(told)
    assert Path(told.file).is_relative_to(folder)
    if line == "":
        assert told.file.endswith(name) or "flowhub-server/templates" in told.file
    elif line is not None:
        assert (told.file, told.line) == (str(folder / name), line_of(folder, name, line))


def test_a_mistake_of_the_base_is_told_once(tmp_path: Path) -> None:
    folder = changed(tmp_path, ("helm/values.yaml", "heartbeatTolerance: 1800", "heartbeatTolerence: 1800"))
    (problem,) = problems(folder)["values"]
    assert "Did you mean" in problem.remedy or "heartbeatTolerance" in problem.remedy


def test_a_chart_that_does_not_render_is_told(tmp_path: Path) -> None:
    folder = changed(
        tmp_path, ("helm/flowhub-server/templates/service.yaml", ".Values.service.type", ".Values.servce.type")
    )
    (problem, *_more) = problems(folder)["files"]
    assert "flowhub-server does not render with values.yaml" in problem.what


def test_a_folder_without_the_charts_schema_is_told(tmp_path: Path) -> None:
    folder = changed(tmp_path)
    for file in (folder / "helm" / "schema").glob("*.json"):
        file.unlink()
    assert [problem.what for problem in problems(folder)["values"]] == ["there is no schema of the official chart"]


def test_the_official_chart_is_rendered_where_it_is(tmp_path: Path) -> None:
    chart = tmp_path / "dagster"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: dagster\nversion: 1.13.27\n")
    (chart / "templates" / "pod.yaml").write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: {{ .Values.serviceAccount.name }}}\n"
        'spec: {containers: [{name: one, image: "busybox:1.28"}]}\n'
    )
    told = [str(one) for check in check_deployment(DEPLOY, chart) for one in check.problems]
    assert any("Pod flowhub-dagster: container 'one': runAsNonRoot is not true" in one for one in told)
