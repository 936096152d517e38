"""The checks on pipelines that no Python flow can write: those of YAML, of the web, of a file from elsewhere."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.errors import DefinitionError
from flowhub_assets.ir import graph_checks, kubernetes_names
from flowhub_assets.ir.checks import CHECKS, problems, require
from flowhub_assets.ir.pipeline import FLOW_INPUT, Task
from flowhub_assets.ir.placement import Placement, Toleration, Volume, VolumeMount
from flowhub_assets.ir.triggers import Schedule
from flowhub_assets_tests.ir.pipelines_as_data import messages, pipeline_of, task_of


def test_a_good_pipeline_has_no_problem() -> None:
    good = pipeline_of(
        task_of("a"), task_of("b", "a"), task_of("음성", "a", "b", FLOW_INPUT), result=("음성", FLOW_INPUT)
    )
    assert problems(good) == []
    require(good)


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ([task_of("a", "b", line=3), task_of("b", "a")], "flow.yaml:3: tasks need each other in a circle: a -> b -> a"),
        ([task_of("a", "a", line=3)], "flow.yaml:3: tasks need each other in a circle: a -> a"),
        (
            [task_of("x"), task_of("c", "b", "x"), task_of("a", "c", line=7), task_of("b", "a")],
            "in a circle: c -> a -> b -> c",
        ),
        ([task_of("a"), task_of("b", "aa", line=4)], "flow.yaml:4: task 'b' needs 'aa', which is not a task"),
        ([task_of("b", "a", line=2), task_of("a")], "flow.yaml:2: task 'b' stands before 'a', which it needs"),
        ([task_of("a"), task_of("a", line=5)], "flow.yaml:5: two tasks are named 'a'"),
        ([task_of("a b")], "'a b' cannot be the name of a task"),
        ([task_of("../a")], "'../a' cannot be the name of a task"),
        ([task_of("")], "the name of a task is empty"),
    ],
)
def test_graphs(tasks: list[Task], message: str) -> None:
    assert any(message in found for found in messages(pipeline_of(*tasks)))


def test_a_circle_is_told_once_and_nothing_follows_from_it() -> None:
    assert len(messages(pipeline_of(task_of("a", "c"), task_of("b", "a"), task_of("c", "b")))) == 1


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=14))
def test_circles_are_found_where_they_are(pairs: list[tuple[int, int]]) -> None:
    needs = {str(n): tuple(str(upstream) for task, upstream in pairs if task == n) for n in range(8)}
    found = graph_checks.find_cycle(needs)
    ready: set[str] = set()  # Kahn: what can run, runs; what is left lies on or behind a circle
    while more := {name for name in needs if name not in ready and ready.issuperset(needs[name])}:
        ready |= more
    assert bool(found) == (len(ready) < len(needs))
    if found:
        assert found[0] == found[-1]
        assert all(upstream in needs[task] for upstream, task in pairwise(found))
        assert len(set(found)) == len(found) - 1


def test_deep_graphs_need_no_deep_stack() -> None:
    chain = [task_of("t0"), *(task_of(f"t{n}", f"t{n - 1}") for n in range(1, 5000))]
    assert problems(pipeline_of(*chain)) == []


def test_results_and_failure_tasks() -> None:
    pipeline = pipeline_of(task_of("a"), result=("b",), failure_task=task_of("handler", "a"))
    told = messages(pipeline)
    assert "flow.yaml:1: the result names 'b', which is not a task" in told
    assert "flow.yaml:1: the failure task 'handler' needs a" in told


@pytest.mark.parametrize(
    ("mounts", "message"),
    [
        ([VolumeMount("data", "data")], "mounts 'data' at 'data'"),
        ([VolumeMount("data", "/a/../b")], "at '/a/../b'"),
        ([VolumeMount("data", "/a:b")], "at '/a:b'"),
        ([VolumeMount("data", "/a"), VolumeMount("more", "/a/")], "mounts 'data' and 'more' both at '/a/'"),
        ([VolumeMount("data", "/a", sub_path="/x")], "the sub_path '/x'"),
        ([VolumeMount("data", "/a", sub_path="../x")], "the sub_path '../x'"),
        ([VolumeMount("dta", "/a")], "the volume 'dta', which the flow does not have"),
    ],
)
def test_mounts(mounts: list[VolumeMount], message: str) -> None:
    volumes = (Volume("data", secret="s"), Volume("more", host_path="/x"))
    task = task_of("a", placement=Placement(volume_mounts=tuple(mounts)))
    assert [message in found for found in messages(pipeline_of(task, volumes=volumes))] == [True]


def test_the_failure_task_is_checked_as_well() -> None:
    handler = task_of("handler", placement=Placement(cpu="2x"))
    (message,) = messages(pipeline_of(task_of("a"), failure_task=handler))
    assert "cpu '2x' of task 'handler'" in message


@pytest.mark.parametrize(
    "toleration",
    [
        Toleration("nvidia.com/gpu", "Exists", effect="NoSchedule"),
        Toleration(operator="Exists"),
        Toleration("k", value="v"),
        Toleration("k", value="v", effect="NoExecute", toleration_seconds=0),
    ],
)
def test_good_tolerations(toleration: Toleration) -> None:
    assert problems(pipeline_of(task_of("a", placement=Placement(tolerations=(toleration,))))) == []


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (Schedule(), "either a cron expression or an interval"),
        (Schedule(cron="@daily", interval=60), "either a cron expression or an interval"),
        (Schedule(interval=float("inf")), "every inf seconds"),
        (Schedule(interval=float("nan")), "every nan seconds"),
        (Schedule(cron="@daily", timezone="../etc"), "timezone '../etc' is not known"),
        (Schedule(cron="@daily", timezone="Asia/Soul"), "timezone 'Asia/Soul' is not known"),
    ],
)
def test_schedules(schedule: Schedule, message: str) -> None:
    assert [message in found for found in messages(pipeline_of(task_of("a"), schedule=schedule))] == [True]


def test_without_a_zone_database_the_shape_of_a_zone_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    import zoneinfo

    monkeypatch.setattr(zoneinfo, "available_timezones", set)
    for zone, legal in (("Asia/Seoul", True), ("America/Argentina/Buenos_Aires", True), ("../x", False)):
        schedule = Schedule(cron="@daily", timezone=zone)
        assert (problems(pipeline_of(task_of("a"), schedule=schedule)) == []) is legal


def test_owners_agree_with_dagster() -> None:
    from dagster._core.definitions.utils import is_valid_owner

    owners = ("me@example.com", "team:ml", "team:", "me", "me@example", "a b@example.com", "Team:ml", "team:음성")
    told = messages(pipeline_of(task_of("a"), owners=owners))
    refused = [owner for owner in owners if any(f"owner {owner!r}" in message for message in told)]
    assert refused == [owner for owner in owners if not is_valid_owner(owner)]


@pytest.mark.parametrize(
    ("repo", "safe"),
    [
        ("https://example.com/x.git", True),
        ("git@example.com:team/x.git", True),
        ("ssh://git@example.com/x.git", True),
        ("https://token@example.com/x.git", False),
        ("https://me:pw@example.com/x.git", False),
        ("ssh://git:pw@example.com/x.git", False),
    ],
)
def test_repositories(repo: str, safe: bool) -> None:
    told = messages(pipeline_of(task_of("a"), repo=repo))
    assert (told == []) is safe
    assert not any("pw" in message or "token" in message for message in told)


@pytest.mark.parametrize("image", ["python:3.11-slim", "registry.example.com:5000/team/x:v1", "x@sha256:" + "a" * 64])
def test_good_images(image: str) -> None:
    assert kubernetes_names.image(image) == ""


@pytest.mark.parametrize("image", ["", "Python", "x:", "x y", "-x", "x@sha256:1", "http://x/y", "x:tag:tag"])
def test_bad_images(image: str) -> None:
    assert kubernetes_names.image(image)


def test_all_problems_come_in_the_order_of_the_checks() -> None:
    bad = pipeline_of(task_of("a", "x", placement=Placement(cpu="2x")), namespace="A_B")
    found = [
        next(index for index, check in enumerate(CHECKS) if problem in list(check(bad))) for problem in problems(bad)
    ]
    assert len(found) == 3
    assert found == sorted(found)
    with pytest.raises(DefinitionError, match="has 3 mistakes"):
        require(bad)
    with pytest.raises(DefinitionError, match=r"^flow\.yaml:1: namespace 'A_B' is not a legal name\n  Kub"):
        require(replace(bad, tasks=(task_of("a"),)))


def test_each_check_says_what_must_hold() -> None:
    for check in CHECKS:
        assert check.__doc__
        assert "\n" not in check.__doc__.strip()
