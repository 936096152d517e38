"""Placement → dagster-k8s/config → the Job that dagster-k8s makes of it, held against Kubernetes' own schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from dagster import DagsterInstance
from dagster_k8s.container_context import K8sContainerContext
from dagster_k8s.job import (
    DagsterK8sJobConfig,
    UserDefinedDagsterK8sConfig,
    construct_dagster_k8s_job,
    get_user_defined_k8s_config,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kubernetes.client import ApiClient

from flowhub_assets.errors import DefinitionError
from flowhub_assets.ir.checks import require
from flowhub_assets.ir.pipeline import FLOW_INPUT, Pipeline, Source, Task
from flowhub_assets.ir.placement import Placement, Toleration, Volume, VolumeMount
from flowhub_assets.resources.queues import PRIORITY_TAG
from flowhub_assets.to_dagster.metadata import definition_metadata, graph_metadata
from flowhub_assets.to_dagster.tags import KUBERNETES_TAG, kubernetes_config, kubernetes_tags, op_tags
from flowhub_assets_tests.ir.affinities import affinities
from flowhub_assets_tests.workflows import Workflows

VERSIONS = ("1.29", "1.34")

SOURCE = Source("/flows/workflow.py", 1)


def job_of(config: dict[str, Any]) -> dict[str, Any]:
    """The Kubernetes Job for a step with this tag, as the API server gets it."""
    job = construct_dagster_k8s_job(
        DagsterK8sJobConfig(job_image="registry.example/flows:1", dagster_home="/opt/dagster"),
        args=["dagster", "api", "execute_step"],
        job_name="dagster-step-1",
        user_defined_k8s_config=UserDefinedDagsterK8sConfig.from_dict(config),  # type: ignore[no-untyped-call]
    )
    document: dict[str, Any] = ApiClient().sanitize_for_serialization(job)
    return {"apiVersion": "batch/v1", "kind": "Job", **document}


NAMES = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
VALUES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,8}[A-Za-z0-9])?", fullmatch=True)
KEYS = st.one_of(VALUES, st.builds("{}.io/{}".format, NAMES, VALUES))
CPU = st.sampled_from(["500m", "1", "2", "0.5", "1.5"])
MEMORY = st.sampled_from(["512Mi", "1Gi", "1.5Gi", "4G", "2e9"])
LIMIT_CPU, LIMIT_MEMORY = st.sampled_from(["8", "8500m"]), st.sampled_from(["64Gi", "70G"])
LABELS = st.dictionaries(KEYS, VALUES, max_size=2)
ANNOTATIONS = st.dictionaries(KEYS, st.text(max_size=5), max_size=2)


@st.composite
def tolerations(draw: Any) -> Toleration:
    if draw(st.booleans()):
        return Toleration(key=draw(st.none() | KEYS), operator="Exists", effect=draw(EFFECTS))
    effect = draw(EFFECTS)
    seconds = draw(st.none() | st.integers(0, 10**6)) if effect == "NoExecute" else None
    return Toleration(draw(KEYS), "Equal", draw(st.none() | st.just("") | VALUES), effect, seconds)


EFFECTS = st.sampled_from([None, "NoSchedule", "PreferNoSchedule", "NoExecute"])


@st.composite
def volumes(draw: Any, name: str) -> Volume:
    source = draw(st.sampled_from(["persistent_volume_claim", "config_map", "secret", "host_path", "empty_dir"]))
    value = {"host_path": st.just("/data/models"), "empty_dir": st.just(True) | MEMORY}.get(source, NAMES)
    return Volume(name, **{source: draw(value)})


@st.composite
def pipelines(draw: Any) -> Pipeline:
    """A pipeline of one task that passes all checks, with any placement."""
    names = draw(st.lists(NAMES, max_size=3, unique=True))
    made = tuple(draw(volumes(name)) for name in names)
    mounted = draw(st.lists(st.sampled_from(names), unique=True)) if names else []
    mounts = tuple(
        VolumeMount(name, f"/mnt/{name}", draw(st.none() | st.just("inner/folder")), draw(st.booleans()))
        for name in mounted
    )
    placement = Placement(
        image=draw(st.none() | st.just("registry.example:5000/team/image:v1.0")),
        cpu=draw(st.none() | CPU),
        memory=draw(st.none() | MEMORY),
        gpu=draw(st.none() | st.sampled_from(["0", "1", "8"])),
        limit_cpu=draw(st.none() | LIMIT_CPU),
        limit_memory=draw(st.none() | LIMIT_MEMORY),
        tolerations=tuple(draw(st.lists(tolerations(), max_size=3))),
        node_selector=draw(st.dictionaries(KEYS, st.just("") | VALUES, max_size=3)),
        volume_mounts=mounts,
        ephemeral_storage=draw(st.none() | MEMORY),
        limit_ephemeral_storage=draw(st.none() | LIMIT_MEMORY),
        affinity=draw(affinities()),
        labels=draw(LABELS),
        annotations=draw(ANNOTATIONS),
        service_account_name=draw(st.none() | NAMES),
        image_pull_secrets=tuple(draw(st.lists(NAMES, max_size=2, unique=True))),
        priority_class_name=draw(st.none() | NAMES),
        active_deadline=draw(st.none() | st.integers(1, 2**31 - 1)),
    )
    task = Task("task", (FLOW_INPUT,), SOURCE, "task", placement=placement, priority=draw(st.integers(-5, 5)))
    return Pipeline(
        name="flow",
        tasks=(task,),
        source=SOURCE,
        result=("task",),
        volumes=made,
        labels=draw(LABELS),
        annotations=draw(ANNOTATIONS),
        service_account_name=draw(st.none() | NAMES),
        image_pull_secrets=tuple(draw(st.lists(NAMES, max_size=2, unique=True))),
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pipelines())
def test_every_legal_placement_becomes_a_job_that_kubernetes_takes(pipeline: Pipeline) -> None:
    require(pipeline)
    (task,) = pipeline.tasks
    placement = task.placement
    tags = op_tags(pipeline, task)
    # As dagster-k8s reads it: Dagster keeps a tag that is not text as JSON.
    config = get_user_defined_k8s_config(
        {key: value if isinstance(value, str) else json.dumps(value) for key, value in tags.items()}
    )
    job = job_of(config.to_dict())
    for version in VERSIONS:
        kubernetes_validate.validate(job, version, strict=True)
    template = job["spec"]["template"]
    pod = template["spec"]
    (container,) = pod["containers"]
    assert container["image"] == (placement.image or "registry.example/flows:1")
    requests, limits = (container.get("resources", {}).get(kind) or {} for kind in ("requests", "limits"))
    assert (requests.get("cpu"), requests.get("memory")) == (placement.cpu, placement.memory)
    assert (limits.get("cpu"), limits.get("memory")) == (placement.limit_cpu, placement.limit_memory)
    assert limits.get("nvidia.com/gpu") == placement.gpu
    assert (pod.get("nodeSelector") or {}) == placement.node_selector
    assert len(pod.get("tolerations") or []) == len(placement.tolerations)
    assert requests.get("ephemeral-storage") == placement.ephemeral_storage
    assert limits.get("ephemeral-storage") == placement.limit_ephemeral_storage
    assert (pod.get("affinity") or {}) == placement.affinity
    assert pod.get("serviceAccountName") == (placement.service_account_name or pipeline.service_account_name)
    assert pod.get("priorityClassName") == placement.priority_class_name
    secrets = dict.fromkeys((*placement.image_pull_secrets, *pipeline.image_pull_secrets))
    assert (pod.get("imagePullSecrets") or []) == [{"name": name} for name in secrets]
    assert (job["spec"].get("activeDeadlineSeconds"), "activeDeadlineSeconds" in pod) == (
        placement.active_deadline,
        False,
    )
    mounted = {mount.name for mount in placement.volume_mounts}
    assert mounted <= {mount["name"] for mount in container["volumeMounts"] or []}
    assert {volume["name"] for volume in pod.get("volumes") or []} - {"dagster-instance"} == mounted
    for word in ("labels", "annotations"):
        kept, said = template["metadata"].get(word) or {}, {**getattr(pipeline, word), **getattr(placement, word)}
        assert {key: kept.get(key) for key in said} == said
    assert tags.get(PRIORITY_TAG) == (str(task.priority) if task.priority else None)


def test_the_schema_refuses_a_misspelling() -> None:
    job = job_of({"pod_spec_config": {"nodeSelector": {"disk": "ssd"}}})
    kubernetes_validate.validate(job, VERSIONS[0], strict=True)
    job["spec"]["template"]["spec"]["nodeSelecter"] = {"disk": "ssd"}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, VERSIONS[0], strict=True)


def test_word_for_word() -> None:
    placement = Placement(
        image="image:v1",
        cpu="2",
        memory="4Gi",
        gpu="1",
        limit_cpu="4",
        limit_memory="8Gi",
        tolerations=(Toleration("nvidia.com/gpu", "Exists", effect="NoExecute", toleration_seconds=0),),
        node_selector={"karpenter.sh/nodepool": "gpu"},
        volume_mounts=(VolumeMount("cache", "/var/cache/models", "models", True),),
    )
    config = kubernetes_config(
        placement,
        volumes=[Volume("cache", persistent_volume_claim="my-pvc"), Volume("unused", empty_dir=True)],
        annotations={"team": "data"},
        service_account_name="my-sa",
    )
    mount = {"name": "cache", "mountPath": "/var/cache/models", "subPath": "models", "readOnly": True}
    toleration = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 0}
    assert config == {
        "container_config": {
            "image": "image:v1",
            "resources": {
                "requests": {"cpu": "2", "memory": "4Gi"},
                "limits": {"cpu": "4", "memory": "8Gi", "nvidia.com/gpu": "1"},
            },
            "volumeMounts": [mount],
        },
        "pod_spec_config": {
            "serviceAccountName": "my-sa",
            "nodeSelector": {"karpenter.sh/nodepool": "gpu"},
            "tolerations": [toleration],
            "volumes": [{"name": "cache", "persistentVolumeClaim": {"claimName": "my-pvc"}}],
        },
        "pod_template_spec_metadata": {"annotations": {"team": "data"}},
    }
    assert kubernetes_config(Placement()) == {}
    assert kubernetes_config(
        Placement(labels={"a": "own"}, active_deadline=60), labels={"a": "flow", "b": "c"}, image_pull_secrets=["s"]
    ) == {
        "pod_spec_config": {"imagePullSecrets": [{"name": "s"}]},
        "pod_template_spec_metadata": {"labels": {"a": "own", "b": "c"}},
        "job_spec_config": {"activeDeadlineSeconds": 60},
    }


def test_the_tag_stands_on_the_op_and_dagster_k8s_finds_it(workflows: Workflows, instance: DagsterInstance) -> None:
    text = """
        from flowhub import Toleration, Volume, VolumeMount

        @task(cpu="2", gpu="1", image="image:v1", volume_mounts=[VolumeMount(name="cache", mount_path="/c")],
              tolerations=[Toleration(key="gpu", operator="Exists", effect="NoSchedule")], priority=7, pool="gpus")
        def heavy(args):
            return args

        @task
        def light(args):
            return args

        @flow(volumes=[Volume(name="cache", persistent_volume_claim="pvc")])
        def placed(args):
            return light(heavy(args))
    """
    workflows.write("placed.py", text)
    job = workflows.repository().get_job("placed")
    heavy: Any
    heavy, light = job.get_node_named("placed__heavy").definition, job.get_node_named("placed__light").definition
    assert KUBERNETES_TAG not in light.tags
    assert heavy.tags[PRIORITY_TAG] == "7"
    assert heavy.pool == "gpus"
    config = get_user_defined_k8s_config({KUBERNETES_TAG: heavy.tags[KUBERNETES_TAG]})
    context = K8sContainerContext(run_k8s_config=config)
    assert context.run_k8s_config.container_config["image"] == "image:v1"
    assert context.run_k8s_config.container_config["resources"]["limits"] == {"nvidia.com/gpu": "1"}


PRESETS = {"a100": {"node_selector": {"gpu": "a100"}, "tolerations": [{"key": "gpu", "operator": "Exists"}]}}


def asking(gpu: str, **profiles: Any) -> tuple[Pipeline, Task]:
    task = Task("train", (FLOW_INPUT,), SOURCE, "train", placement=Placement(gpu=gpu))
    return Pipeline("flow", (task,), SOURCE, profiles=profiles), task


def test_a_preset_is_that_of_the_deployed_profile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    pipeline, task = asking("a100:2", cluster={"BUCKET": "b", "GPU": PRESETS}, default={"WORKSPACE": "./tmp"})
    monkeypatch.setenv("FLOWHUB_ENV", "cluster")
    config = op_tags(pipeline, task)[KUBERNETES_TAG]
    assert config == {
        "container_config": {"resources": {"limits": {"nvidia.com/gpu": "2"}}},
        "pod_spec_config": {"nodeSelector": {"gpu": "a100"}, "tolerations": [{"key": "gpu", "operator": "Exists"}]},
    }
    kubernetes_validate.validate(job_of(config), VERSIONS[1], strict=True)
    metadata = definition_metadata(pipeline, task)
    assert metadata["placement"].value["node_selector"] == {"gpu": "a100"}
    assert "gpu" not in metadata


@pytest.mark.parametrize("profile", ["default", "elsewhere"])
def test_on_a_laptop_a_preset_is_a_count_and_the_asset_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, profile: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOWHUB_ENV", profile)
    pipeline, task = asking("a100:2", cluster={"GPU": PRESETS}, default={"WORKSPACE": "./tmp"})
    config = op_tags(pipeline, task)[KUBERNETES_TAG]
    assert config == {"container_config": {"resources": {"limits": {"nvidia.com/gpu": "2"}}}}
    told = definition_metadata(pipeline, task)["gpu"]
    assert told == "the profile of this code location has no preset 'a100' (GPU): 2 of nvidia.com/gpu"
    assert graph_metadata(pipeline)["gpu"] == f"train: {told}"


def test_a_graph_whose_presets_are_known_has_nothing_to_say_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWHUB_ENV", "cluster")
    assert "gpu" not in graph_metadata(asking("a100", cluster={"GPU": PRESETS})[0])
    assert "gpu" not in graph_metadata(asking("1")[0])


def test_a_preset_of_pyproject_and_one_that_is_nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    preset = '[tool.flowhub.env.cluster.GPU.a100]\nresource = "nvidia.com/mig-1g.5gb"\n'
    (tmp_path / "pyproject.toml").write_text(preset)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOWHUB_ENV", "cluster")
    limits = {"container_config": {"resources": {"limits": {"nvidia.com/mig-1g.5gb": "1"}}}}
    assert op_tags(*asking("a100"))[KUBERNETES_TAG] == limits
    assert kubernetes_tags(gpu="a100") == {KUBERNETES_TAG: limits}
    with pytest.raises(DefinitionError, match="'h100' of task 'train' names no preset of the profile 'cluster'"):
        op_tags(*asking("h100"))
    with pytest.raises(DefinitionError, match="names no preset") as refused:
        kubernetes_tags(gpu="h100")
    assert f"{__file__}:" in refused.value.where


def test_an_unknown_preset_is_a_red_asset_and_all_other_files_load(
    workflows: Workflows, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
        @task(gpu="a10O")
        def train(args):
            return args

        @flow(env={"default": {"WORKSPACE": "./tmp", "GPU": {"a100": {}}}})
        def wrong(args):
            return train(args)
    """
    monkeypatch.delenv("FLOWHUB_ENV", raising=False)
    workflows.write("wrong.py", text)
    workflows.write("right.py", text.replace("a10O", "a100").replace("def wrong", "def right"))
    jobs = {job.name for job in workflows.repository().get_all_jobs()}
    assert "right" in jobs
    assert "wrong" not in jobs
