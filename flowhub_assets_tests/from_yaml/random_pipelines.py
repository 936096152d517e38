"""Pipelines of all that a pipeline can be, for hypothesis: legal by ir.checks, else whatever."""

from __future__ import annotations

import dataclasses
from typing import Any

from hypothesis import strategies as st

from flowhub_assets.ir.partition_checks import ONE_RUN
from flowhub_assets.ir.pipeline import (
    FLOW_INPUT,
    LOOP_ITEM,
    Asset,
    Edge,
    Loop,
    Node,
    Pipeline,
    Retry,
    Source,
    Task,
)
from flowhub_assets.ir.placement import Placement, Toleration, Volume, VolumeMount
from flowhub_assets.ir.triggers import Dedupe, Dimension, Partitions, Schedule, Trigger
from flowhub_assets.nodes import implied
from flowhub_assets_tests.ir.affinities import affinities

HERE = Source("/pipelines/flow.yaml", 1)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20).filter(lambda t: "{{" not in t and "{%" not in t)
_scalars = st.one_of(
    texts,
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.none(),
    st.sampled_from(["yes", "on", "0123", "1e3", "2026-01-01", "12:30", "~", "null", "=", "<<", "a: b", "# x", "- a"]),
    st.lists(texts, min_size=2, max_size=4).map("\n".join),
)
json_values = st.recursive(
    _scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=6,
)
json_objects = st.dictionaries(texts, json_values, max_size=3)
_words = st.from_regex(r"\A[a-z][a-z0-9]{0,6}\Z")
_seconds = st.one_of(st.integers(1, 10**6), st.floats(0.001, 1e6))
_env = st.dictionaries(_words.map(str.upper).map("X_{}".format), json_values, max_size=2)

_NAMES = [
    "a",
    "b-1",
    "b",
    "c.2",
    "단계",
    "단계-2",
    "x_y",
    "on",
    "true",
    "e1",
    "f",
    "g",
    "h-i-j",
    "k",
    "l",
    "m",
    "n",
    "o",
]
_PLACEMENTS = st.builds(
    Placement,
    image=st.sampled_from([None, "python:3.11-slim"]),
    cpu=st.sampled_from([None, "2", "500m"]),
    memory=st.sampled_from([None, "4Gi"]),
    gpu=st.sampled_from([None, "1", "2", "a100", "a100:2"]),
    limit_cpu=st.sampled_from([None, "4"]),
    limit_memory=st.sampled_from([None, "8Gi"]),
    tolerations=st.lists(
        st.sampled_from(
            [
                Toleration("gpu", "Exists"),
                Toleration("gpu", value="true", effect="NoExecute", toleration_seconds=30),
            ]
        ),
        max_size=2,
    ).map(tuple),
    node_selector=st.sampled_from([{}, {"disk": "ssd", "gpu": "true", "n": "1"}]),
    volume_mounts=st.sampled_from([(), (VolumeMount("data", "/data", "sub", True),), (VolumeMount("data", "/d"),)]),
    ephemeral_storage=st.sampled_from([None, "1Gi"]),
    limit_ephemeral_storage=st.sampled_from([None, "2Gi"]),
    affinity=affinities(),
    labels=st.sampled_from([{}, {"team": "ml", "n": "1"}]),
    annotations=st.dictionaries(_words, texts, max_size=2),
    service_account_name=st.sampled_from([None, "my-sa"]),
    image_pull_secrets=st.sampled_from([(), ("my.registry", "other")]),
    priority_class_name=st.sampled_from([None, "batch-low"]),
    active_deadline=st.sampled_from([None, 1, 3600]),
).flatmap(
    lambda made: st.sampled_from([None, "amd.com/gpu"] if made.gpu else [None]).map(
        lambda resource: dataclasses.replace(made, gpu_resource=resource)
    )
)
_TRIGGERS = st.one_of(
    st.sampled_from(
        [
            Trigger("manual"),
            Trigger("webhook"),
            Trigger("webhook", None, {"path": "기사", "methods": ["PUT"]}),
            Trigger("asset", None, {"assets": ["wines/table", "orders"]}),
            Trigger("run", None, {"pipeline": "ingest", "status": "failure"}),
            Trigger("model-alias", None, {"model": "iris", "alias": "champion"}),
        ]
    ),
    st.builds(
        Schedule, cron=st.sampled_from(["0 9 * * *", "@daily"]), timezone=st.sampled_from(["UTC", "Asia/Seoul"])
    ).map(lambda schedule: Trigger("cron", schedule)),
    st.builds(Schedule, interval=_seconds).map(lambda schedule: Trigger("interval", schedule)),
)


@st.composite
def pipelines(draw: st.DrawFn) -> Pipeline:
    """A pipeline with nodes, functions, loops in loops, edges, ends, and every setting."""
    names = iter(draw(st.permutations(_NAMES)))
    tasks = _level(draw, names, (), depth=0)
    result = implied.ends(tasks)
    if draw(st.booleans()):
        result = tuple(draw(st.lists(st.sampled_from([FLOW_INPUT, *(task.name for task in tasks)]), unique=True)))
    settings = draw(_settings())
    failure = _end(draw, next(names)) if draw(st.booleans()) else None
    final = tuple(_end(draw, next(names)) for _ in range(draw(st.integers(0, 2))))
    pipeline = Pipeline(tasks=tasks, source=HERE, result=result, failure_task=failure, finally_tasks=final, **settings)
    return _with_assets(draw, pipeline)


def normal(pipeline: Pipeline) -> Pipeline:
    """The pipeline without the places where it is written; a function's file stays."""
    return dataclasses.replace(
        pipeline,
        source=HERE,
        tasks=tuple(map(_normal, pipeline.tasks)),
        failure_task=_normal(pipeline.failure_task) if pipeline.failure_task else None,
        finally_tasks=tuple(map(_normal, pipeline.finally_tasks)),
    )


def _normal(task: Task) -> Task:
    source = HERE if task.node else Source(task.source.file, 1)
    loop = dataclasses.replace(task.loop, tasks=tuple(map(_normal, task.loop.tasks))) if task.loop else None
    return dataclasses.replace(task, source=source, loop=loop)


def _level(draw: st.DrawFn, names: Any, outer: tuple[str, ...], depth: int) -> tuple[Task, ...]:
    tasks: list[Task] = []
    for _ in range(draw(st.integers(1, 3 if depth == 0 else 2))):
        kind = draw(st.sampled_from(["node", "node", "function", *(["loop"] if depth < 2 else [])]))
        before = {task.name: task for task in tasks}
        tasks.append(_task(draw, names, kind, before, outer, depth))
    return tuple(tasks)


def _task(draw: st.DrawFn, names: Any, kind: str, before: dict[str, Task], outer: tuple[str, ...], depth: int) -> Task:
    name, visible = next(names), (*before, *outer)
    inner = _level(draw, names, visible, depth + 1) if kind == "loop" else ()
    used = draw(st.lists(st.sampled_from(visible), unique=True, max_size=2)) if visible else []
    after = [
        Edge(source, draw(st.sampled_from([None, *before[source].ports])))
        for source in (draw(st.lists(st.sampled_from(list(before)), unique=True)) if before else [])
    ]
    needs = implied.needs(used if kind != "function" else (), inner, depth > 0)
    if kind == "function" or draw(st.booleans()):
        more = draw(st.lists(st.sampled_from([FLOW_INPUT, *visible, *([LOOP_ITEM] if depth else [])]), unique=True))
        needs = tuple(dict.fromkeys((*more, *(used if kind != "function" else ()), *_outside(inner))))
    task = Task(name, needs, HERE, after=tuple(after), **draw(_task_settings()))
    if kind == "function":
        function, merge, run_on = draw(_words), draw(st.booleans()), draw(_RUN_ON)
        source = Source("/pipelines/sub/workflow.py", 3)
        return dataclasses.replace(task, source=source, function=function, merge=merge, run_on=run_on)
    config = {**draw(json_objects), **{f"use {one}": f"{{{{{one}.output}}}}" for one in used}}
    if kind == "loop":
        items = draw(st.sampled_from(["{{params}}", [1, "a"]]))
        node = Node(draw(st.sampled_from(["loop", "test-open"])), {"items": items, **_loop_config(used)})
        loop = implied.loop(node.config, {}, inner)
        if node.type != "loop" or draw(st.booleans()):
            loop = Loop(
                over=draw(_words),
                tasks=inner,
                result=draw(st.sampled_from([one.name for one in inner])),
                into=draw(_words),
                max_concurrent=draw(st.integers(0, 9)),
                most=draw(st.integers(1, 99)),
            )
        return dataclasses.replace(task, node=node, loop=loop, run_on="engine", merge=False)
    kind_name = draw(st.sampled_from(["test-open", "test-gpu", "test-decides"]))
    if kind_name == "test-decides":
        config = {"cases": [*dict.fromkeys(["x", "true", *used])]}
        node = Node(kind_name, config)
        ports = tuple(config["cases"]) if draw(st.booleans()) else ("p", "q")
        task = dataclasses.replace(task, ports=ports, needs=implied.needs((), (), depth > 0))
    else:
        node = Node(kind_name, config, draw(json_objects))
    placed = draw(st.one_of(st.just(implied.placement("gpu")), _PLACEMENTS))
    run_on = draw(st.sampled_from(["engine", "cpu", "gpu"]))
    return dataclasses.replace(
        task, node=node, run_on=run_on, merge=draw(st.sampled_from([False, False, True])), placement=placed
    )


def _loop_config(used: list[str]) -> dict[str, Any]:
    """A loop's config takes its own keys only; what it uses stands in its list."""
    return {"items": "{{[" + ", ".join(f"{one}.output" for one in used) + "]}}"} if used else {}


def _outside(inner: tuple[Task, ...]) -> list[str]:
    return [name for name in implied.needs((), inner, False) if name != FLOW_INPUT]


_RUN_ON = st.sampled_from([None, "engine", "cpu", "gpu"])


def _task_settings() -> st.SearchStrategy[dict[str, Any]]:
    retries = st.builds(
        Retry,
        st.integers(0, 5),
        st.one_of(st.integers(0, 99), st.floats(0, 99)),
        st.sampled_from(["constant", "linear", "exponential"]),
        st.lists(st.sampled_from(["TimeoutError", "OSError"]), unique=True).map(tuple),
    )
    return st.fixed_dictionaries(
        {},
        optional={
            "description": texts,
            "retry": retries,
            "timeout": _seconds,
            "pool": _words,
            "priority": st.integers(-9, 9),
            "env": _env,
            "when": st.sampled_from(["true", "1 < 2"]),
            "continue_on_error": st.booleans(),
            "kinds": st.sampled_from([(), ("s3",), ("xgboost", "csv")]),
        },
    )


def _end(draw: st.DrawFn, name: str) -> Task:
    node = Node("test-open", draw(json_objects), {"told": "{{failure.error}}"})
    return Task(name, (FLOW_INPUT,), HERE, merge=False, node=node, run_on="engine", **draw(_task_settings()))


def _with_assets(draw: st.DrawFn, pipeline: Pipeline) -> Pipeline:
    keys = [("reports", "daily"), ("a",), ("b-c", "d.e", "f")]
    tasks = list(pipeline.tasks)
    required = any(name not in pipeline.params for name in pipeline.param_schemas)
    for number, key in enumerate(keys[: len(tasks)]):
        if draw(st.booleans()):
            automation = draw(st.sampled_from([None] if required else [None, "on_missing", "@daily"]))
            deps = draw(st.sampled_from([(), ("wines/table",)]))
            asset = Asset(key, draw(st.sampled_from([None, "1 < 2"])), automation, deps)
            tasks[number] = dataclasses.replace(tasks[number], asset=asset)
    told: dict[str, Any] = {}
    if any(task.asset is not None for task in tasks) and draw(st.booleans()):
        told = {"deps": ("orders",), "automation": None if required else "eager"}
    if pipeline.partitions is not None and pipeline.partitions.dimensions:
        told["triggers"] = tuple(one for one in pipeline.triggers if one.type not in ONE_RUN)
    return dataclasses.replace(pipeline, tasks=tuple(tasks), **told)


def _settings() -> st.SearchStrategy[dict[str, Any]]:
    schemas = st.sampled_from([{}, {"type": "integer", "minimum": 1}, {"enum": [1, 2, 3]}, {"default": 3}])
    volume = Volume("data", persistent_volume_claim="claim")
    required = {"name": st.sampled_from(["flow", "기사-생성", "a.b"]), "volumes": st.just((volume,))}
    optional: dict[str, st.SearchStrategy[Any]] = {
        "function": _words,
        "description": texts,
        "namespace": _words,
        "profiles": st.dictionaries(_words, _env, max_size=2),
        "params": st.dictionaries(_words, st.integers(1, 3), max_size=2),
        "param_schemas": st.dictionaries(_words, schemas, max_size=2),
        "tags": st.lists(_words, unique=True, max_size=2).map(tuple),
        "owners": st.sampled_from([(), ("team:data",), ("a@example.com", "team:b")]),
        "labels": st.dictionaries(_words, _words, max_size=2),
        "annotations": st.dictionaries(_words, texts, max_size=2),
        "service_account_name": _words,
        "image_pull_secrets": st.lists(_words, max_size=2).map(tuple),
        "airflow_sidecar_image": st.just("image:tag"),
        "repo": st.just("https://example.com/a.git"),
        "path": st.just("pipelines/a"),
        "partitions": st.sampled_from(
            [
                Partitions("daily", "2026-01-01"),
                Partitions("weekly", "2024-02-29", "Asia/Seoul"),
                Partitions(dimensions=(Dimension("model", ("scikit-learn", "작은 것", "3")),)),
                Partitions(dimensions=(Dimension("model", ("xgboost",)), Dimension("data_set", ("iris", "true")))),
            ]
        ),
        "deadline": st.sampled_from([90, 0.5]),
        "freshness": st.sampled_from([86_400, 1.5]),
        "dedupe": st.sampled_from([Dedupe("{{$today}}", 3_600), Dedupe("같은 것", 0.5)]),
        "schedule": st.sampled_from([Schedule("@daily"), Schedule(interval=60.5, timezone="Asia/Seoul")]),
        "variables": json_objects,
        "triggers": st.lists(_TRIGGERS, max_size=2, unique_by=lambda one: one.type).map(tuple),
        "concurrency": st.integers(1, 10),
        "priority": st.integers(-9, 9),
        "queue": _words,
        "fuse": st.booleans(),
    }
    more_volumes = st.sampled_from(
        [
            (volume,),
            (volume, Volume("tmp", empty_dir=True)),
            (volume, Volume("t", empty_dir="1Gi"), Volume("h", host_path="/x")),
            (volume, Volume("c", config_map="c"), Volume("s", secret="s")),
        ]
    )
    return st.fixed_dictionaries({**required, "volumes": more_volumes}, optional=optional)
