"""Kinds of GPU by name, and what a profile says of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowhub_assets.errors import DefinitionError
from flowhub_assets.ir.gpu_presets import (
    gpu_fault,
    preset_and_count,
    preset_faults,
    resource_fault,
    unresolved,
    with_gpu_presets,
)
from flowhub_assets.ir.placement import Placement, Toleration
from flowhub_assets.ir.task_tree import all_tasks
from flowhub_assets_tests.ir.pipelines_as_data import item_task, loop_of, messages, pipeline_of, task_of

PRESETS = {
    "a100": {
        "node_selector": {"gpu": "a100", "zone": "b"},
        "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}],
    },
    "mig": {"resource": "nvidia.com/mig-1g.5gb"},
}
CLUSTER = {"BUCKET": "b", "GPU": PRESETS}
TAINT = Toleration("gpu", "Exists", effect="NoExecute", toleration_seconds=60)


@pytest.mark.parametrize(
    "text", ["1.5", "-1", "1k", "", "½", "²", "１", "a100:0", "a100:x", "a100:", ":2", "a b", "4x"]
)
def test_what_is_no_gpu(text: str) -> None:
    assert gpu_fault(text) is not None


@pytest.mark.parametrize(
    ("text", "preset", "count"),
    [
        ("0", None, "0"),
        ("8", None, "8"),
        ("a100", "a100", "1"),
        ("a100:2", "a100", "2"),
        ("rtx-4090:16", "rtx-4090", "16"),
        ("mig-1g.5gb", "mig-1g.5gb", "1"),
    ],
)
def test_a_count_or_a_preset(text: str, preset: str | None, count: str) -> None:
    assert gpu_fault(text) is None
    assert preset_and_count(text) == (preset, count)


@settings(deadline=None)
@given(st.text(max_size=12))
def test_any_text_gets_an_answer(text: str) -> None:
    fault = gpu_fault(text)
    assert fault is None or all(fault)
    if fault is None:
        assert int(preset_and_count(text)[1]) >= 0


def test_a_preset_becomes_what_the_profile_says_and_the_tasks_own_words_win() -> None:
    own = Placement(
        gpu="a100:2", node_selector={"zone": "a"}, tolerations=(Toleration("own", "Exists"), TAINT), cpu="2"
    )
    inner = item_task("each", placement=Placement(gpu="mig"))
    named = Placement(gpu="mig", gpu_resource="amd.com/gpu")
    pipeline = pipeline_of(
        task_of("a", placement=own),
        loop_of("loop", inner),
        task_of("plain", placement=Placement(gpu="3")),
        failure_task=task_of("handler", placement=Placement(gpu="a100")),
        finally_tasks=(task_of("end", placement=named),),
    )
    made = with_gpu_presets(pipeline, "cluster", CLUSTER)
    placements = {task.name: task.placement for task in all_tasks(made)}
    assert placements["a"] == Placement(
        gpu="2",
        node_selector={"gpu": "a100", "zone": "a"},
        tolerations=(Toleration("own", "Exists"), TAINT),
        cpu="2",
    )
    assert placements["each"] == Placement(gpu="1", gpu_resource="nvidia.com/mig-1g.5gb")
    assert placements["plain"] == Placement(gpu="3")
    assert placements["handler"] == Placement(gpu="1", node_selector={"gpu": "a100", "zone": "b"}, tolerations=(TAINT,))
    assert placements["end"] == Placement(gpu="1", gpu_resource="amd.com/gpu")
    assert unresolved(all_tasks(made)) == []
    assert [task.name for task in unresolved(all_tasks(pipeline))] == ["a", "each", "handler", "end"]


@pytest.mark.parametrize("profile", [{}, {"WORKSPACE": "./tmp"}, {"GPU": None}])
def test_where_the_profile_has_no_presets_the_name_stays(profile: dict[str, Any]) -> None:
    pipeline = pipeline_of(task_of("a", placement=Placement(gpu="a100")))
    assert with_gpu_presets(pipeline, "default", profile) == pipeline


def test_a_preset_that_the_profile_has_not() -> None:
    pipeline = pipeline_of(task_of("a", line=7, placement=Placement(gpu="a10O:2")))
    with pytest.raises(DefinitionError) as refused:
        with_gpu_presets(pipeline, "cluster", CLUSTER)
    error = refused.value
    assert error.what == "gpu 'a10O:2' of task 'a' names no preset of the profile 'cluster'"
    assert error.where == "flow.yaml:7"
    assert error.remedy == "did you mean 'a100'? its presets are: a100 and mig; add 'a10O' under GPU there"


def test_presets_of_no_check_are_checked_when_they_are_used() -> None:
    pipeline = pipeline_of(task_of("a", line=7, placement=Placement(gpu="a100")))
    for presets, told in (([], "is a list"), ({"a100": {"selector": {}}}, "has the preset 'a100', which has the")):
        with pytest.raises(DefinitionError, match="GPU of the profile 'cluster'") as refused:
            with_gpu_presets(pipeline, "cluster", {"GPU": presets})
        assert told in refused.value.what


FAULTS: list[tuple[Any, str, str]] = [
    ([], "is a list, not presets by name", "write 'GPU': {'a100'"),
    ({"4090": {}}, "has a preset with the name '4090'", "a letter first"),
    ({"a b": {}}, "has a preset with the name 'a b'", "at most 63"),
    ({1: {}}, "has a preset with the name 1", "at most 63"),
    ({"a": "x"}, "has the preset 'a', which is a str", "node_selector"),
    ({"a": {"node_selecter": {}}}, "has the key 'node_selecter'", "did you mean 'node_selector'?"),
    ({"a": {"zzz": {}}}, "has the key 'zzz'", "it takes resource, node_selector and tolerations"),
    ({"a": {"resource": "gpu"}}, "names the resource 'gpu'", "'nvidia.com/gpu'"),
    ({"a": {"resource": 1}}, "names the resource 1", "'nvidia.com/gpu'"),
    ({"a": {"node_selector": []}}, "has a node_selector that is a list", "{'label': 'value'}"),
    ({"a": {"node_selector": {"k": 1}}}, "has a node_selector that has 'k': 1, not a string", "write '1'"),
    ({"a": {"tolerations": {}}}, "has tolerations that are a dict", "[{'key'"),
    ({"a": {"tolerations": ["x"]}}, "has a toleration that is a str", "{'key'"),
    ({"a": {"tolerations": [{"keys": "x"}]}}, "has a toleration that has the key 'keys'", "did you mean 'key'?"),
    ({"a": {"tolerations": [{"key": 1}]}}, "has a toleration that has key 1", "a text"),
    ({"a": {"tolerations": [{"key": "k", "toleration_seconds": True}]}}, "has toleration_seconds True", "whole number"),
    ({"a": {"tolerations": [{"key": "k", "operator": "exist"}]}}, "has the operator 'exist'", "did you mean 'Exists'?"),
]


@pytest.mark.parametrize(("presets", "told", "remedy"), FAULTS)
def test_wrong_presets(presets: Any, told: str, remedy: str) -> None:
    ((what, hint),) = preset_faults(presets)
    assert told in what
    assert remedy in hint
    profiles = {"cluster": {"GPU": presets}, "default": {"WORKSPACE": "./tmp"}}
    found = messages(pipeline_of(task_of("a"), profiles=profiles))
    assert f"flow.yaml:1: GPU of the profile 'cluster' {what}" in found


def test_a_yaml_file_writes_its_own_words() -> None:
    tolerations = [{"key": "gpu", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}]
    presets = {"a100": {"nodeSelector": {"gpu": "a100"}, "tolerations": tolerations}}
    assert list(preset_faults(presets)) == []
    made = with_gpu_presets(pipeline_of(task_of("a", placement=Placement(gpu="a100"))), "c", {"GPU": presets})
    assert made.tasks[0].placement == Placement(gpu="1", node_selector={"gpu": "a100"}, tolerations=(TAINT,))


def test_a_preset_that_is_none_asks_for_no_gpu() -> None:
    asked = Placement(gpu="nice", cpu="2", gpu_resource="amd.com/gpu")
    made = with_gpu_presets(pipeline_of(task_of("a", placement=asked)), "cluster", {"GPU": {"nice": None}})
    assert made.tasks[0].placement == Placement(cpu="2")
    assert list(preset_faults({"nice": None})) == []


def test_good_presets() -> None:
    assert list(preset_faults(PRESETS)) == []
    assert list(preset_faults({"a": {}})) == []
    assert messages(pipeline_of(task_of("a"), profiles={"cluster": CLUSTER})) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["a100", "resource", "node_selector", "tolerations", "key", "operator", "effect", "value"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(JSON)
def test_whatever_a_profile_holds_is_told_or_can_be_used(presets: Any) -> None:
    if not list(preset_faults(presets)):
        pipeline = pipeline_of(*(task_of(name, placement=Placement(gpu=name)) for name in presets), task_of("last"))
        made = with_gpu_presets(pipeline, "cluster", {"GPU": presets})
        assert messages(made) == []
        assert unresolved(made.tasks) == []


@pytest.mark.parametrize("resource", ["nvidia.com/gpu", "amd.com/gpu", "nvidia.com/mig-1g.5gb"])
def test_resources(resource: str) -> None:
    assert resource_fault(resource) == ""
    pipeline = pipeline_of(task_of("a", placement=Placement(gpu="1", gpu_resource=resource)))
    assert messages(pipeline) == []


def test_a_resource_of_a_task_is_checked_and_needs_a_count() -> None:
    named = pipeline_of(task_of("a", placement=Placement(gpu="1", gpu_resource="gpu")))
    assert messages(named) == ["flow.yaml:1: gpu_resource 'gpu' of task 'a' is not the name of a resource"]
    alone = pipeline_of(task_of("a", placement=Placement(gpu_resource="amd.com/gpu")))
    assert messages(alone) == ["flow.yaml:1: gpu_resource 'amd.com/gpu' of task 'a' is given without gpu"]
