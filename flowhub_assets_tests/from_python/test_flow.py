"""The graph that is found is the graph that was meant: every call form, and random shapes."""

from __future__ import annotations

import copy
import threading
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import flowhub
import flowhub_assets
from flowhub import Toleration, Volume, VolumeMount, flow, task
from flowhub_assets.from_python.flow import Flow
from flowhub_assets.ir.pipeline import FLOW_INPUT, Pipeline, Retry, Task
from flowhub_assets.ir.placement import Placement
from flowhub_assets.ir.triggers import Schedule, Trigger

Args = dict[str, Any]


@task
def a(args: Args) -> Args:
    """Loads."""
    return {**args, "a": 1}


@task
def b(args: Args) -> Args:
    return {**args, "b": 2}


@task()
def c(args: Args) -> Args:
    return {**args, "c": 3}


@task
def pair(left: Args, right: Args) -> Args:
    return {"left": left, "right": right}


@task
def many(*parts: Args) -> Args:
    return {"count": len(parts)}


@task
def optional(args: Args, more: Args | None = None, *, verbose: bool = False) -> Args:
    return {"args": args, "more": more, "verbose": verbose}


def _tasks(pipeline: Pipeline) -> dict[str, tuple[tuple[str, ...], bool]]:
    return {one.name: (one.needs, one.merge) for one in pipeline.tasks}


def _only(body: Any) -> Task:
    """The last task of a flow with this body."""
    return flow(body).pipeline.tasks[-1]


def test_public_names_are_the_same_objects() -> None:
    assert set(flowhub.__all__) == set(flowhub_assets.__all__)
    assert flowhub.flow is flowhub_assets.flow
    assert flowhub.Toleration is flowhub_assets.Toleration


def test_readme_diamond() -> None:
    @flow
    def main(args: Any) -> Any:
        _a = a(args)
        _b = b(_a)
        _c = c(_a)
        return pair(_b, _c)

    assert _tasks(main.pipeline) == {
        "a": ((FLOW_INPUT,), True),
        "b": (("a",), True),
        "c": (("a",), True),
        "pair": (("b", "c"), False),
    }
    assert main.pipeline.result == ("pair",)
    assert main.runnable.bodies["a"]({}) == {"a": 1}


def test_three_dots_say_nothing() -> None:
    dots: Any = ...  # as manuals write it: @task(...)

    @task(dots)
    def my_task(args: Args) -> Args:
        return args

    @flow(dots)
    def main(args: Any) -> Any:
        return my_task(args)

    assert isinstance(main, Flow)
    assert _tasks(main.pipeline) == {"my_task": ((FLOW_INPUT,), True)}


@pytest.mark.parametrize(
    ("call", "needs", "merge"),
    [
        (lambda x, y: c(x), ("a",), True),
        (lambda x, y: c(args=x), ("a",), True),
        (lambda x, y: c(x, y), ("a", "b"), True),
        (lambda x, y: c(y, x), ("b", "a"), True),
        (lambda x, y: c(x, y, x), ("b", "a"), True),  # the last one wins in a merge
        (lambda x, y: pair(x, y), ("a", "b"), False),
        (lambda x, y: pair(x, right=y), ("a", "b"), False),
        (lambda x, y: pair(right=y, left=x), ("a", "b"), False),
        (lambda x, y: pair(x, x), ("a", "a"), False),
        (lambda x, y: many(x), ("a",), False),
        (lambda x, y: many(y, x, y), ("b", "a", "b"), False),
        (lambda x, y: optional(x), ("a",), False),
        (lambda x, y: optional(x, y), ("a", "b"), False),
        (lambda x, y: optional(x, more=y), ("a", "b"), False),
    ],
)
def test_call_forms(call: Any, needs: tuple[str, ...], merge: bool) -> None:
    def main(args: Any) -> Any:
        return call(a(args), b(args))

    made = _only(main)
    assert (made.needs, made.merge) == (needs, merge)


@pytest.mark.parametrize(
    ("returned", "result"),
    [
        (lambda x, y, z: z, ("c",)),
        (lambda x, y, z: (x, y), ("a", "b")),
        (lambda x, y, z: [y, x, y], ("a", "b")[::1]),
        (lambda x, y, z: None, ("b", "c")),  # c takes a; nobody takes b and c
    ],
)
def test_results(returned: Any, result: tuple[str, ...]) -> None:
    @flow
    def main(args: Any) -> Any:
        x, y = a(args), b(args)
        return returned(x, y, c(x))

    assert main.pipeline.result == result


def test_everything_said_reaches_the_pipeline() -> None:
    def handler(args: Args) -> Args:
        """Tells the team."""
        return args

    @task(
        name="heavy",
        image="python:3.11-slim",
        cpu=2,
        request_memory="4Gi",
        limit_gpu=1.0,
        limit_cpu=2.5,
        tolerations=[
            Toleration(key="nvidia.com/gpu", operator="Exists", effect="NoSchedule"),
            {"key": "k", "value": "v", "effect": "NoExecute", "tolerationSeconds": 60},
        ],
        node_selector={"karpenter.sh/nodepool": "gpu"},
        volume_mounts=[{"name": "cache", "mountPath": "/c", "readOnly": True}, VolumeMount("cfg", "/etc/x")],
        ephemeral_storage="1Gi",
        limit_ephemeral_storage=2_000_000_000,
        gpu_resource="amd.com/gpu",
        affinity={"nodeAffinity": {}},
        labels={"team": "ml"},
        annotations={"note": "x"},
        service_account_name="own",
        image_pull_secrets=["registry"],
        priority_class_name="low",
        active_deadline=timedelta(hours=1),
        retries=2,
        retry_delay=timedelta(seconds=30),
        timeout=600,
        pool="gpu",
        priority=5,
        env={"SIZE": (1, 2)},
    )
    def work(args: Args) -> Args:
        return args

    @flow(
        name="my-workflow",
        namespace="airflow",
        env={"default": {"WORKSPACE": "./tmp"}, "airflow": {"BUCKET": "b"}},
        params={"data": {}},
        tags=["x"],
        owners=["me@example.com", "team:ml"],
        volumes=[
            Volume("cache", empty_dir=True),
            {"name": "cfg", "configMap": {"name": "settings"}},
            {"name": "claim", "persistentVolumeClaim": {"claimName": "my-pvc"}},
            {"name": "scratch", "emptyDir": {}},
            {"name": "own", "host_path": "/data"},
        ],
        labels={"example.com/l": "m"},
        annotations={"example.com/a": "b"},
        service_account_name="my-sa",
        image_pull_secrets=["my-registry"],
        on_failure=handler,
        airflow_sidecar_image="my-sidecar:latest",
        repo="https://example.com/x.git",
        path="pipelines/x",
        schedule="0 6 * * mon-fri",
        timezone="Asia/Seoul",
        concurrency=2,
        priority=7,
        queue="nightly",
    )
    def main(args: Any) -> Any:
        """Says what it does.

        At length.
        """
        return work(args)

    made = main.pipeline
    heavy = made.task("heavy")
    assert heavy.placement == Placement(
        image="python:3.11-slim",
        cpu="2",
        memory="4Gi",
        gpu="1",
        limit_cpu="2.5",
        tolerations=(
            Toleration("nvidia.com/gpu", "Exists", effect="NoSchedule"),
            Toleration("k", "Equal", "v", "NoExecute", 60),
        ),
        node_selector={"karpenter.sh/nodepool": "gpu"},
        volume_mounts=(VolumeMount("cache", "/c", read_only=True), VolumeMount("cfg", "/etc/x")),
        ephemeral_storage="1Gi",
        limit_ephemeral_storage="2000000000",
        gpu_resource="amd.com/gpu",
        affinity={"nodeAffinity": {}},
        labels={"team": "ml"},
        annotations={"note": "x"},
        service_account_name="own",
        image_pull_secrets=("registry",),
        priority_class_name="low",
        active_deadline=3600,
    )
    assert (made.labels, made.annotations) == ({"example.com/l": "m"}, {"example.com/a": "b"})
    assert (made.service_account_name, made.image_pull_secrets) == ("my-sa", ("my-registry",))
    assert (heavy.retry, heavy.timeout, heavy.pool, heavy.priority) == (Retry(2, 30.0), 600.0, "gpu", 5)
    assert heavy.env == {"SIZE": [1, 2]}
    assert heavy.function.endswith("<locals>.work")
    assert heavy.source.file == __file__
    assert made.volumes == (
        Volume("cache", empty_dir=True),
        Volume("cfg", config_map="settings"),
        Volume("claim", persistent_volume_claim="my-pvc"),
        Volume("scratch", empty_dir=True),
        Volume("own", host_path="/data"),
    )
    assert made.schedule == Schedule(cron="0 6 * * mon-fri", timezone="Asia/Seoul")
    assert (made.concurrency, made.priority, made.queue) == (2, 7, "nightly")
    assert made.description == "Says what it does.\n\nAt length."
    assert made.failure_task is not None
    assert (made.failure_task.name, made.failure_task.needs) == ("handler", (FLOW_INPUT,))
    assert main.runnable.bodies["handler"] is handler
    assert (made.owners, made.tags, made.repo, made.path) == (
        ("me@example.com", "team:ml"),
        ("x",),
        "https://example.com/x.git",
        "pipelines/x",
    )


def test_an_interval_is_kept_in_seconds() -> None:
    @flow(schedule=timedelta(minutes=90))
    def main(args: Any) -> Any:
        return a(args)

    assert main.pipeline.schedule == Schedule(interval=5400.0)


def test_a_profile_that_changes_later_changes_no_flow() -> None:
    env = {"default": {"LIST": [1]}}

    @flow(env=env)
    def main(args: Any) -> Any:
        return a(args)

    env["default"]["LIST"].append(2)
    assert main.pipeline.profiles == {"default": {"LIST": [1]}}


def test_the_body_is_called_once_by_many_threads_and_no_task_runs() -> None:
    calls = []

    @task
    def never(args: Args) -> Args:
        raise AssertionError("the task ran")

    @flow
    def main(args: Any) -> Any:
        calls.append(args)
        return never(args)

    assert calls == []
    threads = [threading.Thread(target=lambda: main.pipeline) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert len(calls) == 1
    assert main.pipeline is main.pipeline


def test_a_body_with_a_mistake_tells_it_each_time() -> None:
    @flow
    def main(args: Any) -> Any:
        return a(args)["x"]

    for _ in range(2):
        with pytest.raises(flowhub_assets.FlowhubError, match=r"indexed with \['x'\]"):
            _ = main.pipeline
    assert a({}) == {"a": 1}, "tracing has ended"


def test_one_function_twice_under_two_names() -> None:
    again = a.named("again")

    @flow
    def main(args: Any) -> Any:
        return again(a(args))

    assert _tasks(main.pipeline) == {"a": ((FLOW_INPUT,), True), "again": (("a",), True)}
    assert main.runnable.bodies["again"] is a.function
    assert (a.name, again.name) == ("a", "again")


def test_a_flow_in_a_flow() -> None:
    @flow
    def inner(args: Any) -> Any:
        _b = b(args)
        c(args)

    @flow
    def outer(args: Any) -> Any:
        return many.named("end")(a(inner(a.named("start")(args), args)))

    assert _tasks(outer.pipeline) == {
        "start": ((FLOW_INPUT,), True),
        "b": (("start", FLOW_INPUT), True),
        "c": (("start", FLOW_INPUT), True),
        "a": (("b", "c"), True),
        "end": (("a",), False),
    }
    assert _tasks(inner.pipeline) == {"b": ((FLOW_INPUT,), True), "c": ((FLOW_INPUT,), True)}


def test_calls_with_plain_dicts_run_the_functions() -> None:
    assert a({"x": 1}) == {"x": 1, "a": 1}
    assert b({"x": 1}, {"x": 2}) == {"x": 2, "b": 2}
    assert pair({}, right={"x": 1}) == {"left": {}, "right": {"x": 1}}
    assert optional({}, verbose=True)["verbose"] is True
    assert (a.__name__, a.__doc__) == ("a", "Loads.")

    @flow
    def main(args: Any) -> Any:
        return b(a(args))

    assert main({}) == {"a": 1, "b": 2}


def test_a_decorated_function_keeps_its_own_line_and_parameters() -> None:
    import functools

    def noisy(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return {**function(*args, **kwargs), "noise": True}

        return wrapper

    @task
    @noisy
    def quiet(args: Args) -> Args:
        return args

    @flow
    def main(args: Any) -> Any:
        return quiet(args, a(args))

    made = main.pipeline.task("quiet")
    assert made.merge
    assert made.function.endswith("quiet")
    assert main.runnable.bodies["quiet"]({}) == {"noise": True}


def test_a_traced_value_can_be_looked_at_and_copied() -> None:
    seen = []

    @flow
    def main(args: Any) -> Any:
        seen.append(repr(args))
        seen.append(repr(a(args)))
        assert copy.copy(args) is args
        assert copy.deepcopy([args])[0] is args
        assert not hasattr(args, "__len_of_nothing__")
        return b(copy.deepcopy(args))

    assert main.pipeline.result == ("b",)
    assert seen == [
        "<the flow's input, known when the flow runs>",
        "<the output of task 'a', known when the flow runs>",
    ]


def test_helper_functions_may_call_tasks() -> None:
    def halves(value: Any) -> tuple[Any, Any]:
        return b(value), c(value)

    @flow
    def main(args: Any) -> Any:
        return pair(*halves(a(args)))

    assert main.pipeline.task("pair").needs == ("b", "c")


@st.composite
def _shapes(draw: st.DrawFn) -> list[tuple[list[int], bool]]:
    """For each task the earlier ones it takes (-1 is the flow's input), and whether it takes them merged."""
    count = draw(st.integers(1, 12))
    shape = []
    for number in range(count):
        needs = draw(st.lists(st.integers(-1, number - 1), min_size=1, max_size=4, unique=True))
        shape.append((needs, draw(st.booleans())))
    return shape


@given(_shapes())
def test_the_graph_found_is_the_graph_meant(shape: list[tuple[list[int], bool]]) -> None:
    @flow
    def main(args: Any) -> Any:
        values: list[Any] = []
        for number, (needs, merge) in enumerate(shape):
            function = (a if merge else many).named(f"t{number}")
            values.append(function(*(args if need < 0 else values[need] for need in needs)))

    def name(need: int) -> str:
        return FLOW_INPUT if need < 0 else f"t{need}"

    expected = {f"t{number}": (tuple(map(name, needs)), merge) for number, (needs, merge) in enumerate(shape)}
    assert _tasks(main.pipeline) == expected
    taken = {need for needs, _ in shape for need in needs}
    assert main.pipeline.result == tuple(f"t{number}" for number in range(len(shape)) if number not in taken)


def test_wide_and_deep_graphs() -> None:
    @flow
    def deep(args: Any) -> Any:
        value = args
        for number in range(1000):
            value = a.named(f"t{number}")(value)
        return value

    assert len(deep.pipeline.tasks) == 1000
    assert isinstance(deep, Flow)


def test_a_webhook_is_a_trigger() -> None:
    def triggers(webhook: Any) -> tuple[Trigger, ...]:
        @flow(webhook=webhook)
        def hooked(args: Any) -> Any:
            return a(args)

        return hooked.pipeline.triggers

    signed = {"signature": "github", "keys": ["SHOP_KEY"]}
    assert triggers(True) == (Trigger("webhook"),)
    assert triggers(signed) == (Trigger("webhook", None, signed),)
    assert triggers(None) == triggers(False) == ()


def test_which_errors_are_tried_again_and_when() -> None:
    class OutOfTea(Exception):
        """One of the user's own."""

    @task(retries=3, retry_delay=2, retry_backoff="exponential", retry_on=(ConnectionError, "TimeoutError", OutOfTea))
    def fetch(args: Args) -> Args:
        return args

    retry = _only(_calls(fetch)).retry
    assert retry == Retry(3, 2.0, "exponential", ("ConnectionError", "TimeoutError", "OutOfTea"))


def _calls(function: Any) -> Any:
    def main(args: Any) -> Any:
        return function(args)

    return main
