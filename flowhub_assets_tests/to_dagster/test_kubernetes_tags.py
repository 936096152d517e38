"""The public helper that gives a plain asset or op its Kubernetes tags."""

from __future__ import annotations

import inspect
from dataclasses import replace

import pytest

from flowhub_assets import Toleration, Volume, VolumeMount, kubernetes_tags, task
from flowhub_assets.errors import DefinitionError
from flowhub_assets.executor.placement import PLACEMENT_TAG
from flowhub_assets.ir.pipeline import Pipeline, Source
from flowhub_assets.ir.placement import Placement
from flowhub_assets.to_dagster.tags import op_tags

SOURCE = Source("flow.py", 1)


def test_the_same_words_give_the_same_tags_as_a_task() -> None:
    words = {
        "image": "python:3.11-slim",
        "cpu": 2,
        "memory": "4Gi",
        "gpu": "1",
        "limit_cpu": 4,
        "tolerations": [Toleration(key="nvidia.com/gpu", operator="Exists", effect="NoSchedule")],
        "node_selector": {"pool": "gpu"},
        "volume_mounts": [VolumeMount(name="cache", mount_path="/cache")],
        "ephemeral_storage": "1Gi",
        "limit_ephemeral_storage": "2Gi",
        "gpu_resource": "amd.com/gpu",
        "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "zone"}]}},
        "labels": {"team": "ml"},
        "annotations": {"note": "x"},
        "service_account_name": "own",
        "image_pull_secrets": ["registry"],
        "priority_class_name": "low",
        "active_deadline": 60,
    }
    volumes = (Volume(name="cache", persistent_volume_claim="cache"), Volume(name="other", empty_dir=True))

    @task(**words)  # type: ignore[call-overload]
    def work(args):  # type: ignore[no-untyped-def]
        return args

    made = replace(work.as_task((), True), source=SOURCE)
    pipeline = Pipeline("flow", (made,), SOURCE, volumes=volumes)
    of_task = {name: value for name, value in op_tags(pipeline, made).items() if name != PLACEMENT_TAG}
    assert kubernetes_tags(**words, volumes=volumes) == of_task  # type: ignore[arg-type]


def test_it_has_every_word_of_a_placement() -> None:
    assert set(inspect.signature(kubernetes_tags).parameters) - {"volumes"} == set(Placement.__dataclass_fields__)


def test_asking_for_nothing_gives_no_tags() -> None:
    assert kubernetes_tags() == {}


def test_a_wrong_amount_is_refused_at_the_line_of_the_call() -> None:
    with pytest.raises(DefinitionError) as caught:
        kubernetes_tags(memory="4GB")
    assert "memory '4GB'" in str(caught.value)
    assert "Write '4Gi'" in str(caught.value)
    assert f"{__file__}:" in caught.value.where


@pytest.mark.parametrize("cpu", [True, float("nan"), "2x"])
def test_what_is_no_amount_is_refused(cpu: float | str) -> None:
    with pytest.raises(DefinitionError, match="is not a quantity"):
        kubernetes_tags(cpu=cpu)


def test_a_whole_float_is_a_whole_number_as_in_task() -> None:
    assert kubernetes_tags(gpu=1.0) == kubernetes_tags(gpu="1")  # type: ignore[arg-type]


def test_a_mount_needs_its_volume() -> None:
    with pytest.raises(DefinitionError, match="cache"):
        kubernetes_tags(volume_mounts=[VolumeMount(name="cache", mount_path="/cache")])
