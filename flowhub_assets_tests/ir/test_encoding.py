"""A pipeline as JSON and back: nothing lost, nothing that is not known taken."""

from __future__ import annotations

import contextlib
import json
import math
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from flowhub_assets.errors import InputError
from flowhub_assets.ir.encoding import VERSION, from_dict, plain, to_dict
from flowhub_assets.ir.pipeline import Asset, Check, Edge, Loop, Node, Pipeline, Retry, Source, Task
from flowhub_assets.ir.placement import Placement, Toleration, Volume, VolumeMount
from flowhub_assets.ir.triggers import Dedupe, Dimension, Partitions, Schedule, Trigger

TEXT = st.text(max_size=6)
WORD = st.text(min_size=1, max_size=6)
OPTIONAL = st.none() | TEXT
FLOAT = st.floats(0, 1e9, allow_nan=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
OBJECT = st.dictionaries(TEXT, JSON, max_size=3)
# Files as they are in memory: absolute and normal.
FILE = st.lists(
    st.from_regex(r"[\w가-힣-][\w가-힣. -]{0,5}", fullmatch=True).filter(lambda part: part.strip(".")),
    min_size=1,
    max_size=3,
)
SOURCES = st.builds(lambda parts, line: Source("/" + "/".join(parts), line), FILE, st.integers(1, 10**6))


def tuples(item: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(item, max_size=2).map(tuple)


PLACEMENTS = st.builds(
    Placement,
    OPTIONAL,
    OPTIONAL,
    OPTIONAL,
    OPTIONAL,
    OPTIONAL,
    OPTIONAL,
    tuples(st.builds(Toleration, OPTIONAL, TEXT, OPTIONAL, OPTIONAL, st.none() | st.integers(0, 99))),
    st.dictionaries(TEXT, TEXT, max_size=2),
    tuples(st.builds(VolumeMount, TEXT, TEXT, OPTIONAL, st.booleans())),
    ephemeral_storage=OPTIONAL,
    limit_ephemeral_storage=OPTIONAL,
    gpu_resource=OPTIONAL,
    affinity=OBJECT,
    labels=st.dictionaries(TEXT, TEXT, max_size=2),
    annotations=st.dictionaries(TEXT, TEXT, max_size=2),
    service_account_name=OPTIONAL,
    image_pull_secrets=tuples(TEXT),
    priority_class_name=OPTIONAL,
    active_deadline=st.none() | st.integers(1, 10**6),
)
VOLUMES = st.builds(Volume, TEXT, OPTIONAL, OPTIONAL, OPTIONAL, OPTIONAL, st.none() | st.booleans() | TEXT)
SCHEDULES = st.builds(Schedule, OPTIONAL, st.none() | FLOAT, TEXT)


def tasks(loops: st.SearchStrategy[Loop | None]) -> st.SearchStrategy[Task]:
    """Tasks with any value in each of their fields."""
    return st.builds(
        Task,
        WORD,
        tuples(TEXT),
        SOURCES,
        TEXT,
        merge=st.booleans(),
        description=TEXT,
        placement=PLACEMENTS,
        retry=st.builds(Retry, st.integers(0, 5), FLOAT, TEXT, tuples(TEXT)),
        timeout=st.none() | FLOAT,
        pool=OPTIONAL,
        priority=st.integers(-9, 9),
        env=OBJECT,
        node=st.none() | st.builds(Node, TEXT, OBJECT, OBJECT),
        run_on=OPTIONAL,
        after=tuples(st.builds(Edge, TEXT, OPTIONAL)),
        ports=tuples(TEXT),
        when=OPTIONAL,
        continue_on_error=st.booleans(),
        loop=loops,
        asset=st.none() | st.builds(Asset, tuples(TEXT), OPTIONAL, OPTIONAL, tuples(TEXT)),
        checks=tuples(st.builds(Check, TEXT, TEXT)),
        kinds=tuples(TEXT),
        deps=tuples(TEXT),
    )


def loops(inner: st.SearchStrategy[Task]) -> st.SearchStrategy[Loop]:
    return st.builds(Loop, TEXT, tuples(inner), TEXT, TEXT, st.integers(0, 9), st.integers(1, 9))


FLAT = tasks(st.none())
# One loop in another shows that nesting is decoded; more only makes the examples slow.
TASKS = FLAT | tasks(loops(FLAT | tasks(loops(FLAT))))
PIPELINES = st.builds(
    Pipeline,
    WORD,
    tuples(TASKS),
    SOURCES,
    function=TEXT,
    result=tuples(TEXT),
    description=TEXT,
    namespace=OPTIONAL,
    profiles=st.dictionaries(TEXT, OBJECT, max_size=2),
    params=OBJECT,
    tags=tuples(TEXT),
    owners=tuples(TEXT),
    volumes=tuples(VOLUMES),
    annotations=st.dictionaries(TEXT, TEXT, max_size=2),
    service_account_name=OPTIONAL,
    airflow_sidecar_image=OPTIONAL,
    repo=OPTIONAL,
    path=OPTIONAL,
    schedule=st.none() | SCHEDULES,
    failure_task=st.none() | TASKS,
    finally_tasks=tuples(TASKS),
    variables=OBJECT,
    param_schemas=st.dictionaries(TEXT, OBJECT, max_size=2),
    triggers=tuples(st.builds(Trigger, TEXT, st.none() | SCHEDULES, OBJECT)),
    concurrency=st.none() | st.integers(1, 10),
    priority=st.integers(-9, 9),
    queue=OPTIONAL,
    fuse=st.booleans(),
    labels=st.dictionaries(TEXT, TEXT, max_size=2),
    image_pull_secrets=tuples(TEXT),
    partitions=st.none() | st.builds(Partitions, TEXT, TEXT, TEXT, tuples(st.builds(Dimension, TEXT, tuples(TEXT)))),
    deadline=st.none() | FLOAT,
    freshness=st.none() | FLOAT,
    dedupe=st.none() | st.builds(Dedupe, TEXT, FLOAT),
    automation=OPTIONAL,
    deps=tuples(TEXT),
    imports=tuples(TEXT),
)
KINDS = (
    *(Pipeline, Task, Placement, Retry, Node, Edge, Loop, Asset),
    *(Trigger, Schedule, Partitions, Dimension, Dedupe),
)
SMALL = Pipeline(
    "flow", (Task("one", ("$args",), Source("/flows/workflow.py", 3), "one"),), Source("/flows/workflow.py", 7)
)


@given(PIPELINES)
def test_there_and_back(pipeline: Pipeline) -> None:
    folder = pipeline.source.file.rpartition("/")[0] or "/"
    text = json.dumps(to_dict(pipeline), ensure_ascii=False, allow_nan=False)
    assert from_dict(json.loads(text), folder) == pipeline


@settings(max_examples=30)
@given(PIPELINES)
def test_the_same_pipeline_gives_the_same_text_in_any_folder(pipeline: Pipeline) -> None:
    def moved(source: Source) -> Source:
        return Source("/elsewhere" + source.file, source.line)

    def moved_task(task: Task) -> Task:
        loop = task.loop and replace(task.loop, tasks=tuple(map(moved_task, task.loop.tasks)))
        return replace(task, source=moved(task.source), loop=loop)

    other = replace(
        pipeline,
        source=moved(pipeline.source),
        tasks=tuple(map(moved_task, pipeline.tasks)),
        failure_task=pipeline.failure_task and moved_task(pipeline.failure_task),
        finally_tasks=tuple(map(moved_task, pipeline.finally_tasks)),
    )
    assert json.dumps(to_dict(other)) == json.dumps(to_dict(pipeline))


def test_every_field_is_made_up_above() -> None:
    """A field that nobody makes up would be lost without a test that fails."""
    seen: dict[type[Any], set[str]] = {}

    def is_seen(pipeline: Pipeline) -> bool:
        ahead: list[Any] = [pipeline]
        while ahead:
            value = ahead.pop()
            if isinstance(value, tuple):
                ahead += value
            elif is_dataclass(value) and not isinstance(value, type):
                document = plain(value)
                seen.setdefault(type(value), set()).update(document)
                ahead += [getattr(value, field.name) for field in fields(value)]
        return not missing()

    def missing() -> dict[type[Any], set[str]]:
        left = {kind: {field.name for field in fields(kind)} - seen.get(kind, set()) for kind in KINDS}
        return {kind: names for kind, names in left.items() if names}

    with contextlib.suppress(NoSuchExample):
        find(PIPELINES, is_seen, settings=settings(max_examples=300, database=None, phases=[Phase.generate]))
    assert missing() == {}


def test_only_what_differs_from_the_default_is_written() -> None:
    assert to_dict(SMALL) == {
        "version": VERSION,
        "pipeline": {
            "name": "flow",
            "tasks": [{"name": "one", "needs": ["$args"], "source": "workflow.py:3", "function": "one"}],
            "source": "workflow.py:7",
        },
    }
    assert plain(Placement(cpu="1")) == {"cpu": "1"}
    assert plain(Placement()) == {}


def test_a_document_written_before_there_were_more_words_is_read() -> None:
    task = {
        "name": "heavy",
        "needs": ["$args"],
        "source": "workflow.py:3",
        "function": "heavy",
        "placement": {
            "image": "image:v1",
            "cpu": "2",
            "gpu": "1",
            "limit_memory": "8Gi",
            "tolerations": [{"key": "gpu", "operator": "Exists"}],
            "node_selector": {"pool": "gpu"},
            "volume_mounts": [{"name": "cache", "mount_path": "/c"}],
        },
    }
    pipeline = {"name": "flow", "tasks": [task], "source": "workflow.py:7", "annotations": {"a": "b"}}
    read = from_dict({"version": 1, "pipeline": pipeline}, "/flows")
    assert read.tasks[0].placement == Placement(
        image="image:v1",
        cpu="2",
        gpu="1",
        limit_memory="8Gi",
        tolerations=(Toleration("gpu", "Exists"),),
        node_selector={"pool": "gpu"},
        volume_mounts=(VolumeMount("cache", "/c"),),
    )
    assert (read.labels, read.image_pull_secrets) == ({}, ())


@pytest.mark.parametrize("version", [None, 0, VERSION + 1, str(VERSION), True, 1.0])
def test_another_version_is_refused(version: object) -> None:
    document = {**to_dict(SMALL), "version": version}
    with pytest.raises(InputError) as refused:
        from_dict(document)
    assert repr(version) in refused.value.what
    assert str(VERSION) in refused.value.effect
    assert refused.value.remedy


def without(document: dict[str, Any], *path: Any) -> dict[str, Any]:
    """A copy of the document without the entry at ``path``."""
    copy: dict[str, Any] = json.loads(json.dumps(document))
    inner: Any = copy
    for part in path[:-1]:
        inner = inner[part]
    del inner[path[-1]]
    return copy


def with_entry(document: dict[str, Any], value: Any, *path: Any) -> dict[str, Any]:
    """A copy of the document with ``value`` at ``path``."""
    copy: dict[str, Any] = json.loads(json.dumps(document))
    inner: Any = copy
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    return copy


DOCUMENT = to_dict(SMALL)
TASK = ("pipeline", "tasks", 0)


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (with_entry(DOCUMENT, 1, "pipeline", "nam"), "Pipeline has no field 'nam'"),
        (with_entry(DOCUMENT, 1, *TASK, "imge"), "Task has no field 'imge'"),
        (with_entry(DOCUMENT, {"cpus": "1"}, *TASK, "placement"), "Placement has no field 'cpus'"),
        (with_entry(DOCUMENT, {"affinity": "x"}, *TASK, "placement"), "'affinity' of a Placement must be an object"),
        (with_entry(DOCUMENT, {"active_deadline": 1.5}, *TASK, "placement"), "must be a whole number or null, not 1.5"),
        (with_entry(DOCUMENT, {"image_pull_secrets": [1]}, *TASK, "placement"), "must hold strings, not 1"),
        (with_entry(DOCUMENT, [{"name": "v", "path": "/x"}], "pipeline", "volumes"), "Volume has no field 'path'"),
        (with_entry(DOCUMENT, 1, "extra"), "document has no field 'extra'"),
        (without(DOCUMENT, "pipeline", "name"), "Pipeline has no 'name'"),
        (without(DOCUMENT, *TASK, "needs"), "Task has no 'needs'"),
        (without(DOCUMENT, "pipeline"), "a Pipeline must be an object, not None"),
        (with_entry(DOCUMENT, [], "pipeline"), "a Pipeline must be an object, not a list"),
        (with_entry(DOCUMENT, "one", "pipeline", "tasks"), "'tasks' of a Pipeline must be a list, not 'one'"),
        (with_entry(DOCUMENT, 3, "pipeline", "tags"), "'tags' of a Pipeline must be a list, not 3"),
        (with_entry(DOCUMENT, "here", *TASK, "source"), "'source' of a Task must be file:line, not 'here'"),
        (with_entry(DOCUMENT, None, *TASK, "source"), "'source' of a Task must be file:line, not None"),
        (with_entry(DOCUMENT, ":3", *TASK, "source"), "must be file:line, not ':3'"),
        (with_entry(DOCUMENT, 3, "pipeline", "name"), "'name' of a Pipeline must be a string, not 3"),
        (with_entry(DOCUMENT, True, *TASK, "priority"), "'priority' of a Task must be a whole number, not True"),
        (with_entry(DOCUMENT, 1, *TASK, "merge"), "'merge' of a Task must be true or false, not 1"),
        (with_entry(DOCUMENT, "5", *TASK, "timeout"), "'timeout' of a Task must be a number or null, not '5'"),
        (with_entry(DOCUMENT, [], *TASK, "env"), "'env' of a Task must be an object, not a list"),
        (with_entry(DOCUMENT, [1], *TASK, "needs"), "'needs' of a Task must hold strings, not 1"),
        (with_entry(DOCUMENT, None, *TASK), "a Task must be an object, not None"),
        (with_entry(DOCUMENT, None, *TASK, "placement"), "a Placement must be an object, not None"),
        (with_entry(DOCUMENT, [{"port": "true"}], *TASK, "after"), "an Edge has no 'task'"),
        (with_entry(DOCUMENT, ["a"], *TASK, "after"), "an Edge must be an object, not 'a'"),
        (with_entry(DOCUMENT, {"over": "x"}, *TASK, "loop"), "a Loop has no 'tasks'"),
        (with_entry(DOCUMENT, [{"type": "cron", "schedule": "x"}], "pipeline", "triggers"), "a Schedule must be an"),
        (with_entry(DOCUMENT, {"type": 1}, *TASK, "node"), "'type' of a Node must be a string, not 1"),
    ],
)
def test_a_wrong_document_is_refused(document: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError) as refused:
        from_dict(document)
    assert told in refused.value.what


@pytest.mark.parametrize(
    "wrong",
    [
        with_entry(DOCUMENT, [{"SECRET_KEY": "pa55word"}], "pipeline", "profiles"),
        with_entry(DOCUMENT, [["SECRET_KEY", "pa55word"]], *TASK, "env"),
        with_entry(DOCUMENT, "SECRET_KEY=pa55word", *TASK, "env"),
        with_entry(DOCUMENT, {"SECRET_KEY": "pa55word"}, "pipeline", "tasks"),
        with_entry(DOCUMENT, {"SECRET_KEY": "pa55word"}, "version"),
        [DOCUMENT, "pa55word"],
    ],
)
def test_a_refused_document_does_not_tell_its_credentials(wrong: Any) -> None:
    with pytest.raises(InputError) as refused:
        from_dict(wrong)
    assert "pa55word" not in str(refused.value)


def test_a_long_text_is_cut_in_a_message() -> None:
    with pytest.raises(InputError) as refused:
        from_dict(with_entry(DOCUMENT, "x" * 100_000, "pipeline", "tasks"))
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("document", [None, [], "text", 3])
def test_what_is_no_document_is_refused(document: Any) -> None:
    with pytest.raises(InputError):
        from_dict(document)


@given(JSON)
def test_no_document_gets_past_as_another_kind_of_error(document: Any) -> None:
    for whole in (document, {"version": VERSION, "pipeline": document}, with_entry(DOCUMENT, document, *TASK)):
        try:
            from_dict(whole)
        except InputError:
            continue
        raise AssertionError(f"{whole!r} was taken")


def test_infinity_is_no_json() -> None:
    with pytest.raises(ValueError, match="JSON"):
        json.dumps(to_dict(replace(SMALL, params={"x": math.inf})), allow_nan=False)
