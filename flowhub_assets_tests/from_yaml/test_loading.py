"""Files as pipelines that run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from flowhub_assets.errors import DefinitionError
from flowhub_assets.from_python.loading import load_file as load_python
from flowhub_assets.from_yaml.loading import load_file, pipelines_in
from flowhub_assets.ir.pipeline import FLOW_INPUT, LOOP_ITEM, Check, Edge, Retry, Source
from flowhub_assets.ir.placement import Placement
from flowhub_assets.ir.triggers import Schedule, Trigger
from flowhub_assets.runtime.local import run_pipeline
from flowhub_assets.to_yaml import document, to_yaml
from flowhub_assets_tests.from_yaml.random_pipelines import normal

ARTICLES = Path(__file__).with_name("article-generator.yaml")

HEAD = "apiVersion: flume/v1\nkind: Pipeline\nmetadata: {name: p}\n"


def load(tmp_path: Path, text: str, name: str = "p.yaml") -> Path:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return path


def test_the_article_generator_loads() -> None:
    (runnable,) = load_file(str(ARTICLES))
    pipeline = runnable.pipeline
    assert set(runnable.bodies) == {"fetch-topic", "generate-article", "save-article"}
    assert pipeline.name == "article-generator"
    assert pipeline.triggers == (Trigger("webhook"),)
    assert pipeline.variables == {"model": "llama3.1-70b"}
    assert pipeline.result == ("save-article",)
    fetch, generate, save = pipeline.tasks
    assert fetch.needs == (FLOW_INPUT,)
    assert generate.needs == (FLOW_INPUT, "fetch-topic")
    assert generate.after == (Edge("fetch-topic"),)
    assert generate.run_on == "gpu"
    assert generate.placement == Placement(gpu="1")
    assert generate.source == Source(str(ARTICLES), 18)
    assert generate.node
    assert generate.node.inputs["prompt"].startswith("주제: {{fetch-topic.output.topic}}\n")
    assert save.needs == (FLOW_INPUT, "fetch-topic", "generate-article")
    assert save.after == (Edge("generate-article"),)
    assert not any(task.merge for task in pipeline.tasks)


def test_the_same_as_json() -> None:
    written = json.dumps(yaml.safe_load(ARTICLES.read_text("utf-8")), indent=2)
    (from_json,) = pipelines_in(written, "/p/articles.json")
    (from_yaml,) = pipelines_in(ARTICLES.read_text("utf-8"), "/p/articles.yaml")
    assert document(from_json) == document(from_yaml)
    (in_one_line,) = pipelines_in(json.dumps(json.loads(written)), "/p/articles.json")
    assert document(in_one_line) == document(from_yaml)


def test_all_that_a_node_can_say() -> None:
    text = HEAD + (
        "nodes:\n"
        "  - id: a\n"
        "    type: delay\n"
        "    runOn: cpu\n"
        "    description: Waits.\n"
        "    config: {seconds: 0}\n"
        "    when: true\n"
        "    retry: {times: 3, delay: 1m30s, backoff: exponential, on: [TimeoutError]}\n"
        "    timeout: PT10M\n"
        "    pool: slow\n"
        "    priority: 5\n"
        "    continueOnError: true\n"
        "    placement: {cpu: 2, memory: 4Gi, limitCpu: 2.5, image: 'python:3.11'}\n"
        "    asset: reports/daily\n"
        "    env: {X: 1}\n"
    )
    (pipeline,) = pipelines_in(text, "/p/p.yaml")
    (task,) = pipeline.tasks
    assert task.run_on == "cpu"
    assert task.retry == Retry(3, 90, "exponential", ("TimeoutError",))
    assert (task.timeout, task.pool, task.priority, task.continue_on_error) == (600, "slow", 5, True)
    assert (task.when, task.description, task.env) == ("true", "Waits.", {"X": 1})
    assert task.placement == Placement(image="python:3.11", cpu="2", memory="4Gi", limit_cpu="2.5")
    assert task.asset
    assert task.asset.key == ("reports", "daily")


def test_all_that_a_pipeline_can_say() -> None:
    text = (
        "apiVersion: flume/v1\nkind: Pipeline\n"
        "metadata: {name: 기사, description: d, namespace: ns, owners: ['team:a'], tags: [t], annotations: {a: b}}\n"
        "triggers:\n"
        "  - {type: cron, schedule: '0 9 * * *', timezone: Asia/Seoul}\n"
        "  - {type: interval, every: 5m}\n"
        "  - {type: webhook, path: articles}\n"
        "  - {type: run, pipeline: ingest, status: failure}\n"
        "  - {type: model-alias, model: iris, alias: champion}\n"
        "params: {city: {type: string, default: Seoul}, n: {type: integer}, all: {default: [1]}}\n"
        "profiles: {default: {WORKSPACE: ./tmp}, prod: {BUCKET: b, MONGODB_URL: {env: MONGODB_URL}}}\n"
        "concurrency: 2\npriority: 5\nqueue: nightly\nfuse: true\n"
        "nodes: [{id: a, type: log, inputs: {message: '{{params.city}}'}}]\n"
        "onFailure: {id: tell, type: log, inputs: {message: '{{failure.error}}'}}\n"
        "finally: [{id: end, type: log, inputs: {message: done}}]\n"
    )
    (pipeline,) = pipelines_in(text, "/p/p.yaml")
    assert pipeline.triggers == (
        Trigger("cron", Schedule(cron="0 9 * * *", timezone="Asia/Seoul")),
        Trigger("interval", Schedule(interval=300)),
        Trigger("webhook", None, {"path": "articles"}),
        Trigger("run", None, {"pipeline": "ingest", "status": "failure"}),
        Trigger("model-alias", None, {"model": "iris", "alias": "champion"}),
    )
    assert pipeline.params == {"city": "Seoul", "all": [1]}
    assert pipeline.param_schemas == {"city": {"type": "string"}, "n": {"type": "integer"}}
    assert pipeline.profiles["prod"]["MONGODB_URL"] == {"env": "MONGODB_URL"}
    assert (pipeline.concurrency, pipeline.priority, pipeline.queue, pipeline.fuse) == (2, 5, "nightly", True)
    assert pipeline.failure_task
    assert pipeline.failure_task.needs == (FLOW_INPUT,)
    assert [task.name for task in pipeline.finally_tasks] == ["end"]
    assert (pipeline.namespace, pipeline.owners, pipeline.tags) == ("ns", ("team:a",), ("t",))


BRANCHES = (
    HEAD
    + """\
params: {n: {type: integer, default: 1}}
nodes:
  - id: join
    type: template
    inputs: {template: "{{big.output | default('-', true)}} {{small.output | default('-', true)}} {{each.output}}"}
  - id: is-big
    type: condition
    config: {if: params.n > 3}
  - {id: big, type: template, inputs: {template: "big {{params.n}}"}}
  - {id: small, type: template, inputs: {template: small}}
  - id: each
    type: loop
    config: {items: [1, 2, 3], maxConcurrency: 2}
    nodes:
      - {id: last, type: template, inputs: {template: "{{first.output}}!{{params.n}}"}}
      - {id: first, type: template, inputs: {template: "{{index}}:{{item}}"}}
edges:
  - {from: is-big, to: big, when: true}
  - {from: is-big, to: small, when: "false"}
"""
)


def test_branches_joins_and_loops_run(tmp_path: Path) -> None:
    (runnable,) = load_file(str(load(tmp_path, BRANCHES)))
    pipeline = runnable.pipeline
    assert [task.name for task in pipeline.tasks] == ["is-big", "big", "small", "each", "join"]
    each = pipeline.task("each")
    assert each.loop
    assert [task.name for task in each.loop.tasks] == ["first", "last"]
    assert each.loop.tasks[1].needs == (FLOW_INPUT, LOOP_ITEM, "first")
    assert (each.loop.result, each.loop.max_concurrent, each.loop.most) == ("last", 2, 1000)
    assert pipeline.task("big").after == (Edge("is-big", "true"),)
    for n, told in ((5, "big 5 -"), (1, "- small")):
        outcome = run_pipeline(runnable, {"n": n}, profile={"WORKSPACE": str(tmp_path)})
        assert outcome.value
        assert outcome.value["result"] == f'{told} ["0:1!{n}", "1:2!{n}", "2:3!{n}"]'


def test_several_to_a_file_with_names_of_their_own(tmp_path: Path) -> None:
    one = HEAD + "nodes: [{id: a, type: delay, config: {seconds: 0}}]\n"
    two = one.replace("name: p", "name: q")
    assert [one.pipeline.name for one in load_file(str(load(tmp_path, f"{one}---\n{two}---\n")))] == ["p", "q"]
    with pytest.raises(DefinitionError, match="pipeline 'p' has the name of another one on line 3"):
        pipelines_in(f"{one}---\n{one}", "/p/p.yaml")
    with pytest.raises(DefinitionError, match=r"same in Dagster as 'p\.a'"):
        pipelines_in(f"{one.replace('p}', 'p.a}')}---\n{one.replace('p}', 'p_a}')}", "/p/p.yaml")


def test_a_function_of_a_python_file_is_a_node_too(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    load(tmp_path, "def twice(args):\n    return {'n': args['n'] * 2}\n", "work/functions.py")
    text = HEAD + (
        "params: {n: {type: integer, default: 1}}\n"
        "nodes:\n"
        "  - {id: double, task: {function: twice, file: work/functions.py}}\n"
        "  - {id: told, type: template, inputs: {template: 'n is {{double.n}}'}}\n"
    )
    (runnable,) = load_file(str(load(tmp_path, text)))
    task = runnable.pipeline.task("double")
    assert (task.function, task.merge, task.run_on) == ("twice", True, None)
    assert task.source.file == str(tmp_path / "work" / "functions.py")
    outcome = run_pipeline(runnable, {"n": 4}, profile={"WORKSPACE": str(tmp_path)})
    assert outcome.error is None
    assert outcome.value == {"result": "n is 8"}


def test_one_error_tells_all(tmp_path: Path) -> None:
    path = load(tmp_path, HEAD + "nodes: [{id: a, type: lgo}]\nonFailur: 1\n")
    with pytest.raises(DefinitionError) as refused:
        load_file(str(path))
    told = str(refused.value)
    assert told.startswith(f"{path}: the file has 2 mistakes\n")
    assert f"{path}:4:23: node 'a': there is no kind of node 'lgo'" in told
    assert f"{path}:5:1: the pipeline has no key 'onFailur'" in told
    assert "Did you mean 'onFailure'?" in told


@pytest.mark.parametrize(
    ("name", "told"), [("nowhere.yaml", "there is no such file"), (".", "this is a folder"), ("e.yaml", "no pipeline")]
)
def test_files_that_hold_nothing(tmp_path: Path, name: str, told: str) -> None:
    load(tmp_path, "# nothing\n", "e.yaml")
    with pytest.raises(DefinitionError, match=told):
        load_file(str(tmp_path / name))


FLOW = """\
from flowhub import flow, task


@task
def split(args):
    return {"parts": [1, 2, 3], "n": args["n"]}


@task(memory="1Gi", retries=2)
def double(args):
    return {"doubled": args["item"] * 2 + args["n"]}


@task
def is_big(args):
    return args["n"] > 3


@task
def praise(args):
    return {"told": "big"}


@task
def join(args):
    return {"all": [one["doubled"] for one in args["parts"]], "told": args.get("told", "small")}


@flow(params={"n": 1})
def mapping(args):
    parts = split(args)
    choice = is_big.branch(parts)
    return join(double.map(parts, over="parts"), praise(choice.true))
"""


def test_a_flow_written_as_yaml_runs_as_the_flow_does(tmp_path: Path) -> None:
    path = load(tmp_path, FLOW, "flow.py")
    (flow,) = load_python(str(path))
    (again,) = load_file(str(load(tmp_path, to_yaml(flow.pipeline), "flow.yaml")))
    assert normal(again.pipeline) == normal(flow.pipeline)
    for n in (1, 5):
        outcomes = [run_pipeline(one, {"n": n}, profile={"WORKSPACE": str(tmp_path)}) for one in (flow, again)]
        assert [outcome.error for outcome in outcomes] == [None, None]
        assert outcomes[0].value == outcomes[1].value
        assert outcomes[0].value
        assert outcomes[0].value["all"] == [2 + n, 4 + n, 6 + n]


CHECKED = """\
{head}imports: [json]
nodes:
  - id: load
    task: {{function: load, file: flow.py}}
    kinds: [pandas, csv]
    checks: {{nulls: {level}, fresh: warn}}
"""


def test_a_task_says_its_checks_and_kinds(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text("from flowhub import check, task\n\n@task\ndef load(args):\n    return {}\n")
    path = load(tmp_path, CHECKED.format(head=HEAD, level="blocking"))
    (runnable,) = load_file(str(path))
    pipeline = runnable.pipeline
    assert pipeline.imports == ("json",)
    assert pipeline.tasks[0].checks == (Check("nulls", "blocking"), Check("fresh", "warn"))
    assert pipeline.tasks[0].kinds == ("pandas", "csv")
    (again,) = pipelines_in(to_yaml(pipeline), str(path))
    assert normal(again) == normal(pipeline)


def test_a_level_that_is_none_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError) as error:
        pipelines_in(CHECKED.format(head=HEAD, level="block"), str(tmp_path / "p.yaml"))
    assert "p.yaml:9" in str(error.value)
    assert "check 'nulls' of node 'load' has the level 'block'" in str(error.value)
    assert "'blocking'" in str(error.value)
