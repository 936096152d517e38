"""PIPELINE: schedules, params, the words of the DAG and its tasks, and the pods that its tasks run in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import kubernetes_validate
import pytest

from flowhub_assets.ir.pipeline import Asset, Node, Pipeline, Retry
from flowhub_assets.ir.placement import Placement, Toleration, Volume, VolumeMount
from flowhub_assets.ir.triggers import Dedupe, Dimension, Partitions, Schedule, Trigger
from flowhub_assets.pods.pod_manifest import Clone, PodSettings
from flowhub_assets.to_airflow.dag_data import asset_uri, dag_data
from flowhub_assets.to_airflow.unsupported import refused, unsupported
from flowhub_assets_tests.ir.pipelines_as_data import item_task, loop_of, pipeline_of, task_of

AT_NINE = {"cron": "0 9 * * *", "timezone": "Asia/Seoul"}
CELLS = Partitions(dimensions=(Dimension("model", ("small", "large")), Dimension("data_set", ("iris",))))
SETTINGS = PodSettings(["flow-code"], "python:3.11-slim", "ours:1", bucket="b")
GPU = Placement(
    image="registry/gpu:1",
    cpu="2",
    memory="4Gi",
    gpu="1",
    limit_memory="8Gi",
    tolerations=(Toleration("nvidia.com/gpu", "Exists", effect="NoSchedule"),),
    node_selector={"pool": "gpu"},
    volume_mounts=(VolumeMount("cache", "/models"),),
)


def data_of(pipeline: Pipeline, settings: PodSettings = SETTINGS, **words: Any) -> dict[str, Any]:
    """PIPELINE, each of whose pods Kubernetes takes."""
    data = dag_data(pipeline, settings, **words)
    for manifest in data["pods"].values():
        named = {**manifest, "metadata": {**manifest["metadata"], "name": "pod"}}
        kubernetes_validate.validate(named, "1.30", strict=True)
    return data


@pytest.mark.parametrize(
    ("words", "schedule"),
    [
        ({}, {}),
        (
            {"schedule": Schedule(cron="0 9 * * *", timezone="Asia/Seoul")},
            {"cron": "0 9 * * *", "timezone": "Asia/Seoul"},
        ),
        ({"schedule": Schedule(cron="@daily")}, {"cron": "@daily", "timezone": "UTC"}),
        ({"triggers": (Trigger("interval", Schedule(interval=300)),)}, {"every": 300}),
        ({"triggers": (Trigger("manual"), Trigger("webhook"))}, {}),
        ({"triggers": (Trigger("asset", None, {"assets": ["wines/table"]}),)}, {"assets": ["flowhub://wines/table"]}),
        ({"triggers": (Trigger("asset", None, {"assets": ["a", "b"]}),)}, {"assets": ["flowhub://a", "flowhub://b"]}),
        (
            {"triggers": tuple(Trigger("asset", None, {"assets": [key]}) for key in ("a", "b"))},
            {"assets": ["flowhub://a"]},
        ),
        ({"triggers": (Trigger("object-arrival", None, {"prefix": "in/"}),)}, {"cron": "@continuous"}),
    ],
)
def test_what_starts_the_dag(words: dict[str, Any], schedule: dict[str, Any]) -> None:
    assert data_of(pipeline_of(task_of("a"), **words))["schedule"] == schedule


def test_pods_are_waited_for_whatever_a_cluster_has_for_its_default() -> None:
    assert data_of(pipeline_of(task_of("a")))["pod"]["deferrable"] is False


def test_without_a_bucket_no_run_follows_the_other_for_ever() -> None:
    pipeline = pipeline_of(task_of("a"), triggers=(Trigger("object-arrival"),))
    data = data_of(pipeline, replace(SETTINGS, bucket=None))
    assert (data["schedule"], list(data["tasks"])) == ({}, ["a"])
    assert "max_active_runs" not in data["dag"]


def test_a_run_that_was_scheduled_waits_for_no_object() -> None:
    triggers = (Trigger("object-arrival"), Trigger("cron", Schedule(cron="@daily")))
    data = data_of(pipeline_of(task_of("a"), concurrency=3, triggers=triggers))
    assert (data["schedule"]["cron"], list(data["tasks"])) == ("@daily", ["a"])
    assert data["dag"]["max_active_runs"] == 3


def test_a_loops_asset_is_made_when_the_loop_is_over() -> None:
    tasks = data_of(pipeline_of(loop_of("each", item_task("work"), needs=("$args",))))["tasks"]
    assert not [name for name in tasks if "outlets" in tasks[name]]
    looping = replace(loop_of("each", item_task("work")), asset=Asset(("wines",)))
    tasks = data_of(pipeline_of(looping))["tasks"]
    assert {name: one["outlets"] for name, one in tasks.items() if "outlets" in one} == {"each": ["flowhub://wines"]}


def test_a_loops_timeout_is_that_of_its_list_and_its_pools_are_those_of_its_tasks() -> None:
    looping = replace(loop_of("each", item_task("a"), item_task("b", "a", pool="gpu")), timeout=5.0)
    tasks = data_of(pipeline_of(looping), seconds_to_start=100)["tasks"]
    assert tasks["each.list"]["seconds"] == {"execution_timeout": 105.0}
    assert "seconds" not in tasks["each.each"]
    assert tasks["each.each"]["words"]["pool"] == "gpu"
    assert "words" not in tasks["each.list"]


def test_tasks_that_share_a_pod_mind_their_timeouts_in_there() -> None:
    light: dict[str, Any] = {"function": "", "run_on": "engine", "node": Node("log"), "timeout": 5.0}
    pipeline = pipeline_of(task_of("a", **light), task_of("b", "a", **{**light, "priority": 2}))
    (entry,) = data_of(pipeline, group_light=True)["tasks"].values()
    assert "seconds" not in entry
    assert entry["words"]["priority_weight"] == 3


def test_priorities_are_compared_as_they_are() -> None:
    plain = data_of(pipeline_of(task_of("a"), task_of("b", "a")))
    assert "weight_rule" not in plain["dag"]["default_args"]
    data = data_of(pipeline_of(task_of("a", priority=1), task_of("b"), task_of("c", "b", priority=-2)))
    assert data["dag"]["default_args"]["weight_rule"] == "absolute"
    weights = {name: one.get("words", {}).get("priority_weight", 1) for name, one in data["tasks"].items()}
    assert weights == {"a": 2, "b": 1, "c": -1}


def test_an_arrival_is_waited_for_before_the_first_task() -> None:
    trigger = Trigger("object-arrival", None, {"prefix": "in/", "pattern": "*.csv"})
    data = data_of(pipeline_of(task_of("a"), task_of("b", "a"), triggers=(trigger,)))
    arrival = data["tasks"]["flowhub.arrival"]
    assert (arrival["arguments"]["bucket_name"], arrival["arguments"]["bucket_key"]) == ("b", "in/*.csv")
    assert arrival["arguments"]["deferrable"] is True
    assert [entry["upstream"] for entry in data["tasks"].values()] == [[], ["flowhub.arrival"], ["a"]]
    assert data["dag"]["max_active_runs"] == 1


def test_params_keep_their_schemas_and_defaults() -> None:
    schemas = {"city": {"type": "string", "enum": ["Seoul"], "default": "Seoul"}, "n": {"type": "integer"}}
    pipeline = pipeline_of(task_of("a"), params={"city": "Seoul", "data": {}}, param_schemas=schemas)
    assert data_of(pipeline)["params"] == {
        "city": {"default": "Seoul", "type": "string", "enum": ["Seoul"]},
        "data": {"default": {}},
        "n": {"type": "integer"},
    }


def test_the_words_of_the_dag() -> None:
    more = {"description": "First.\nMore.", "tags": ("x",), "owners": ("a", "b"), "concurrency": 2}
    words = data_of(replace(pipeline_of(task_of("a"), **more), name="my_flow"))["dag"]
    assert words == {
        "dag_id": "my-flow",
        "dag_display_name": "my_flow",
        "description": "First.",
        "doc_md": "First.\nMore.",
        "tags": ["x"],
        "max_active_runs": 2,
        "default_args": {"owner": "a, b", "retries": 0},
    }


def test_the_words_of_a_task() -> None:
    task = task_of(
        "작업",
        retry=Retry(2, 30.0, "exponential"),
        timeout=60.0,
        pool="gpu",
        priority=3,
        description="Works.",
        asset=Asset(("wines", "표")),
        continue_on_error=True,
    )
    pipeline = pipeline_of(task, airflow_sidecar_image="sidecar:1")
    (entry,) = data_of(pipeline, seconds_to_start=100)["tasks"].values()
    assert entry["words"] == {
        "task_display_name": "작업",
        "doc_md": "Works.",
        "priority_weight": 4,
        "pool": "gpu",
        "retries": 2,
        "retry_exponential_backoff": True,
    }
    assert entry["seconds"] == {"retry_delay": 30.0, "execution_timeout": 160.0}
    assert entry["outlets"] == ["flowhub://wines/%ED%91%9C"]
    assert entry["step"]["tolerates"] is True
    assert entry["step"]["sidecar_image"] == "sidecar:1"


def test_a_tasks_pod_has_all_that_it_asks_for_and_the_code_beside_it() -> None:
    pipeline = pipeline_of(
        task_of("a", placement=GPU),
        volumes=(Volume("cache", persistent_volume_claim="my-pvc"), Volume("other", host_path="/x")),
        annotations={"key": "value"},
        service_account_name="my-sa",
    )
    settings = replace(SETTINGS, config_maps=["flow-code", "flow-code-2"], namespace="team", secrets=[("K", "s", "k")])
    (manifest,) = data_of(pipeline, settings)["pods"].values()
    assert manifest["metadata"]["namespace"] == "team"
    assert manifest["metadata"]["annotations"] == {"key": "value"}
    spec = manifest["spec"]
    (container,) = spec["containers"]
    assert container["image"] == "registry/gpu:1"
    assert container["command"] == ["python", "/opt/flowhub/boot.py"]
    assert container["env"] == [{"name": "K", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]
    assert container["resources"] == {
        "requests": {"cpu": "2", "memory": "4Gi"},
        "limits": {"memory": "8Gi", "nvidia.com/gpu": "1"},
    }
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/opt/flowhub", "/models"]
    assert [volume["name"] for volume in spec["volumes"]] == ["flowhub-code", "cache"]
    sources = spec["volumes"][0]["projected"]["sources"]
    assert [source["configMap"]["name"] for source in sources] == ["flow-code", "flow-code-2"]
    assert spec["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert (spec["nodeSelector"], spec["serviceAccountName"]) == ({"pool": "gpu"}, "my-sa")


def test_a_pod_says_what_the_task_says_beside_what_the_pipeline_says() -> None:
    placement = Placement(
        image="image:v1",
        ephemeral_storage="1Gi",
        affinity={"nodeAffinity": {}},
        labels={"team": "ml"},
        annotations={"note": "own"},
        service_account_name="own",
        image_pull_secrets=("first",),
        priority_class_name="low",
        active_deadline=3600,
    )
    pipeline = pipeline_of(
        task_of("a", placement=placement),
        labels={"team": "data", "x": "y"},
        annotations={"note": "flow"},
        service_account_name="flows",
        image_pull_secrets=("second",),
    )
    (manifest,) = data_of(pipeline)["pods"].values()
    assert manifest["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "flowhub-assets", "team": "ml", "x": "y"}
    assert manifest["metadata"]["annotations"] == {"note": "own"}
    spec = manifest["spec"]
    assert (spec["serviceAccountName"], spec["priorityClassName"]) == ("own", "low")
    assert (spec["activeDeadlineSeconds"], spec["affinity"]) == (3600, {"nodeAffinity": {}})
    assert spec["imagePullSecrets"] == [{"name": "first"}, {"name": "second"}]
    assert spec["containers"][0]["resources"] == {"requests": {"ephemeral-storage": "1Gi"}}


def test_functions_run_in_python_and_nodes_in_our_image() -> None:
    node = task_of("n", function="", node=Node("log"), run_on="engine")
    pipeline = pipeline_of(task_of("f"), node, loop_of("l", item_task("in", function="", node=Node("log"))))
    data = data_of(pipeline)
    images = {
        name: data["pods"][entry["pod"]]["spec"]["containers"][0]["image"]
        for name, entry in data["tasks"].items()
        if "pod" in entry
    }
    assert images == {"f": "python:3.11-slim", "n": "ours:1", "l.list": "ours:1", "l.each": "ours:1"}
    assert len(data["pods"]) == 2


def test_an_iteration_asks_for_what_the_most_demanding_of_its_tasks_does() -> None:
    pipeline = pipeline_of(
        loop_of("l", item_task("small"), item_task("large", "small", placement=GPU)),
        volumes=(Volume("cache", empty_dir=True),),
    )
    data = data_of(pipeline)
    (container,) = data["pods"][data["tasks"]["l.each"]["pod"]]["spec"]["containers"]
    assert container["image"] == "registry/gpu:1"


@pytest.mark.parametrize(("is_commit", "pinned"), [(False, "--branch=v1"), (True, "--revision=v1")])
def test_code_of_a_repository_is_cloned_by_git_alone(is_commit: bool, pinned: str) -> None:
    settings = replace(SETTINGS, clone=Clone("https://host/flows.git", "v1", is_commit, "git:2", "team/flows"))
    (manifest,) = data_of(pipeline_of(task_of("a")), settings)["pods"].values()
    (init,) = manifest["spec"]["initContainers"]
    assert (init["command"], init["image"]) == (["git"], "git:2")
    assert init["args"][-4:] == [pinned, "--", "https://host/flows.git", "/opt/flowhub-clone/code"]
    (container,) = manifest["spec"]["containers"]
    assert container["args"][-2:] == ["--code", "/opt/flowhub-clone/code/team/flows"]


def test_pods_that_are_alike_stand_once() -> None:
    data = data_of(pipeline_of(*[task_of(f"t{number}") for number in range(50)]))
    assert list(data["pods"]) == ["python-1"]


@pytest.mark.parametrize(
    ("pipeline", "what"),
    [
        (
            pipeline_of(task_of("a"), param_schemas={"n": {"type": "integer"}}, schedule=Schedule(cron="@daily")),
            "the params 'n' have no default",
        ),
        (pipeline_of(task_of("a"), volumes=(Volume("xcom", empty_dir=True),)), "a volume is called 'xcom'"),
        (
            pipeline_of(task_of("a", placement=Placement(volume_mounts=(VolumeMount("v", "/opt/"),)))),
            "task 'a' mounts a volume at '/opt/'",
        ),
        (
            pipeline_of(loop_of("l", item_task("i", placement=Placement(gpu="a100:2")))),
            "gpu 'a100:2' of task 'i' names a preset, and the profile has none",
        ),
    ],
)
def test_what_could_never_run_is_refused(pipeline: Pipeline, what: str) -> None:
    (problem,) = refused(pipeline)
    assert what in problem.what
    assert problem.remedy


@pytest.mark.parametrize(
    ("pipeline", "what"),
    [
        (
            pipeline_of(task_of("a"), triggers=(Trigger("webhook", None, {"path": "x"}),)),
            "the webhook 'x' is not served",
        ),
        (pipeline_of(task_of("a"), triggers=(Trigger("object-arrival"),)), "does not tell which object"),
        (
            pipeline_of(task_of("a"), triggers=(Trigger("run", None, {"pipeline": "ingest"}),)),
            "the trigger by runs of 'ingest' that end with success is not exported",
        ),
        (
            pipeline_of(
                task_of("a"), triggers=tuple(Trigger("cron", Schedule(cron=cron)) for cron in ("@daily", "@hourly"))
            ),
            "a second schedule, @hourly, is not exported",
        ),
        (
            pipeline_of(
                task_of("a"), triggers=tuple(Trigger("asset", None, {"assets": [asset]}) for asset in ("x", "y"))
            ),
            "a second trigger, by the assets y, is not exported",
        ),
        (pipeline_of(task_of("a"), automation="on_missing"), "automation and deps are not exported"),
        (pipeline_of(task_of("a"), deps=("wines/table",)), "automation and deps are not exported"),
        (pipeline_of(task_of("a"), queue="nightly"), "queue 'nightly' of the pipeline is not exported"),
        (pipeline_of(task_of("a"), priority=3), "priority 3 of the pipeline is not exported"),
        (
            pipeline_of(task_of("a"), partitions=Partitions("daily", "2026-01-01")),
            "partitions (daily) are not exported",
        ),
        (
            pipeline_of(task_of("a"), partitions=CELLS, schedule=Schedule("@daily")),
            "what starts by itself is about iris|small alone",
        ),
        (
            pipeline_of(task_of("a"), partitions=CELLS, params={"partition": 3}),
            "the DAG's param partition, which would name one, is the pipeline's own",
        ),
        (pipeline_of(task_of("a"), deadline=60), "deadline of the pipeline is not exported"),
        (pipeline_of(task_of("a"), freshness=60), "freshness of the pipeline is not exported"),
        (pipeline_of(task_of("a"), dedupe=Dedupe("x", 60)), "dedupe of the pipeline is not exported"),
        (pipeline_of(task_of("a", retry=Retry(2, 5, "linear"))), "waits longer before each retry, linearly"),
        (pipeline_of(task_of("a", asset=Asset(("x",), "output.n > 0"))), "the check of the asset 'x' is not exported"),
        (pipeline_of(loop_of("l", item_task("i"), most=5_000)), "loops over up to 5,000 items"),
    ],
)
def test_what_airflow_has_no_word_for_is_told(pipeline: Pipeline, what: str) -> None:
    (problem,) = unsupported(pipeline, SETTINGS)
    assert what in problem.what
    assert problem.effect
    assert problem.remedy
    assert problem.where.file == "flow.yaml"


def test_a_param_of_the_dag_names_the_cell_the_first_if_none_is_chosen() -> None:
    pipeline = pipeline_of(task_of("a"), partitions=CELLS, params={"trees": 3})
    assert list(unsupported(pipeline, SETTINGS)) == []
    assert dag_data(pipeline, SETTINGS)["params"] == {
        "partition": {
            "default": "iris|small",
            "type": "string",
            "enum": ["iris|small", "iris|large"],
            "description": "What the run is about: data_set, model",
        },
        "trees": {"default": 3},
    }


def test_the_profile_is_told_what_it_lacks() -> None:
    node = task_of("n", function="", node=Node("log"))
    lacking = replace(SETTINGS, bucket=None, node_image_is_assumed=True)
    told = [problem.what for problem in unsupported(pipeline_of(node, task_of("f")), lacking)]
    assert told == [
        "the profile has no BUCKET",
        "node 'n' needs an image with flowhub_assets, and the profile names none",
    ]


def test_the_uri_of_an_asset_is_ascii() -> None:
    assert asset_uri(["a b", "c/d"]) == "flowhub://a%20b/c%2Fd"
