"""The pods that the official chart makes of its values, and the run worker's Job that dagster-k8s makes of them.

After the chart's templates (helm/dagster of github.com/dagster-io/dagster): only what the values decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flowhub_assets.deploy_check.layers import at
from flowhub_assets.from_yaml.positions import Path

_FIELDS = ("initialDelaySeconds", "periodSeconds", "timeoutSeconds", "successThreshold", "failureThreshold")


def official_pods(values: Mapping[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Each Deployment and Job, beside the path of the values that it comes from; without what the values leave out."""
    account = at(values, "serviceAccount", "name")
    for key in ("dagsterWebserver", "dagsterDaemon"):
        if key in values:
            yield (key,), _deployment(key.lower(), values[key], account)
    runs = at(values, "dagster-user-deployments", "serviceAccount", "name")
    deployments = at(values, "dagster-user-deployments", "deployments") or []
    for index, deployment in enumerate(deployments):
        path = ("dagster-user-deployments", "deployments", index)
        yield path, _deployment(deployment["name"], deployment, runs)
        if at(values, "runLauncher", "type") == "K8sRunLauncher":
            job = run_job(values, deployment)
            yield ("runLauncher", "config", "k8sRunLauncher"), job


def _deployment(name: str, own: Mapping[str, Any], account: object) -> dict[str, Any]:
    container = {
        "name": "dagster",
        "image": image_name(own.get("image") or {}),
        "securityContext": own.get("securityContext") or {},
        "resources": own.get("resources") or {},
        "volumeMounts": own.get("volumeMounts") or [],
        "env": own.get("env") or [],
        "envFrom": [
            *({"configMapRef": source} for source in own.get("envConfigMaps") or []),
            *({"secretRef": source} for source in own.get("envSecrets") or []),
        ],
        **_probes(own),
    }
    spec = {
        "containers": [container],
        "securityContext": own.get("podSecurityContext") or {},
        "volumes": own.get("volumes") or [],
        "affinity": own.get("affinity") or {},
        "tolerations": own.get("tolerations") or [],
        "nodeSelector": own.get("nodeSelector") or {},
        **({"serviceAccountName": account} if account else {}),
    }
    labels = {"component": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": {**labels, **(own.get("labels") or {})}}, "spec": spec},
        },
    }


def _probes(own: Mapping[str, Any]) -> dict[str, Any]:
    """As the chart writes them: the word ``enabled`` is its own in a startupProbe, and in a code location's
    readinessProbe only as long as that has no ``exec``.
    """
    port = own.get("port")
    asks = {"exec": {"command": ["dagster", "api", "grpc-health-check", "-p", str(port)]}} if port else {}
    found: dict[str, Any] = {}
    startup, ready, live = (dict(own.get(name) or {}) for name in ("startupProbe", "readinessProbe", "livenessProbe"))
    if startup.pop("enabled", False):
        found["startupProbe"] = {**asks, **startup}
    if port and "exec" not in ready:
        if ready.get("enabled") is not False:
            found["readinessProbe"] = {**asks, **{name: ready[name] for name in _FIELDS if name in ready}}
    elif ready:
        found["readinessProbe"] = ready
    if live:
        found["livenessProbe"] = {**asks, **live}
    return found


def image_name(image: Mapping[str, Any]) -> str:
    """``repository:tag`` or ``repository@digest``, as the chart writes it; without a tag where the chart's would be."""
    if image.get("digest"):
        return f"{image.get('repository')}@{image['digest']}"
    tag = image.get("tag")
    return f"{image.get('repository')}:{tag}" if tag not in (None, "") else str(image.get("repository"))


def run_job(values: Mapping[str, Any], deployment: Mapping[str, Any]) -> dict[str, Any]:
    """The Job of a run worker of that code location, made by dagster-k8s itself: the launcher's settings, the code
    location's over them.
    """
    from dagster_k8s.container_context import K8sContainerContext
    from dagster_k8s.job import DagsterK8sJobConfig, UserDefinedDagsterK8sConfig, construct_dagster_k8s_job
    from kubernetes.client import ApiClient

    launcher = at(values, "runLauncher", "config", "k8sRunLauncher") or {}
    own = K8sContainerContext(
        image_pull_policy=launcher.get("imagePullPolicy"),
        service_account_name=at(values, "serviceAccount", "name"),
        env_config_maps=_names(launcher.get("envConfigMaps")),
        env_secrets=_names(launcher.get("envSecrets")),
        volumes=launcher.get("volumes") or [],
        volume_mounts=launcher.get("volumeMounts") or [],
        labels=launcher.get("labels") or {},
        resources=launcher.get("resources") or {},
        security_context=launcher.get("securityContext") or {},
        run_k8s_config=UserDefinedDagsterK8sConfig.from_dict(  # type: ignore[no-untyped-call]
            _snake_case(launcher.get("runK8sConfig") or {})
        ),
    )
    given = at(deployment, "includeConfigInLaunchedRuns", "enabled", default=True)
    context = own.merge(K8sContainerContext.create_from_config({"k8s": _context(values, deployment)} if given else {}))
    job = construct_dagster_k8s_job(
        DagsterK8sJobConfig(
            job_image=image_name(deployment.get("image") or {}),
            dagster_home=at(values, "global", "dagsterHome"),
            instance_config_map="dagster-instance",
            postgres_password_secret=at(values, "global", "postgresqlSecretName"),
        ),
        args=["dagster", "api", "execute_run"],
        job_name="dagster-run",
        component="run_worker",
        user_defined_k8s_config=context.run_k8s_config,
    )
    made: dict[str, Any] = ApiClient().sanitize_for_serialization(job)
    return made


def _context(values: Mapping[str, Any], deployment: Mapping[str, Any]) -> dict[str, Any]:
    """What the chart hands the code server for the runs of its location (k8sContainerContext in its helpers)."""
    return {
        "image_pull_policy": at(deployment, "image", "pullPolicy"),
        "env_config_maps": _names(deployment.get("envConfigMaps")),
        "env_secrets": _names(deployment.get("envSecrets")),
        "volumes": deployment.get("volumes") or [],
        "volume_mounts": deployment.get("volumeMounts") or [],
        "labels": deployment.get("labels") or {},
        "resources": deployment.get("resources") or {},
        "service_account_name": at(values, "dagster-user-deployments", "serviceAccount", "name"),
        "env": deployment.get("env") or [],
        "run_k8s_config": {"pod_spec_config": {"automount_service_account_token": True}},
    }


def _names(sources: Any) -> list[str]:
    return [source["name"] for source in sources or [] if "name" in source]


def _snake_case(config: Mapping[str, Any]) -> dict[str, Any]:
    names = {
        "containerConfig": "container_config",
        "podSpecConfig": "pod_spec_config",
        "podTemplateSpecMetadata": "pod_template_spec_metadata",
        "jobSpecConfig": "job_spec_config",
        "jobMetadata": "job_metadata",
    }
    return {names[key]: value for key, value in config.items() if key in names}
