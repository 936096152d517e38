"""One graph written twice, as people would: a workflow file, and a DAG with one KubernetesPodOperator after another.

Four tasks of five fan out and the fifth joins them. Each has an image, resources, a toleration, a volume and retries.
"""

from __future__ import annotations

from collections.abc import Iterator

#: cpu, memory, and the pool of nodes, in turns.
_SIZES = (("500m", "512Mi", "small"), ("1", "2Gi", "small"), ("2", "8Gi", "large"), ("4", "16Gi", "large"))
_IMAGE = "registry.example.com/team/python:3.11"

_FLOW_HEAD = '''"""Reads, works, and puts together."""

from flowhub import Toleration, Volume, VolumeMount, flow, task


'''
_TASK = """@task(
    image="{image}",
    cpu="{cpu}",
    memory="{memory}",
    limit_memory="{memory}",
    node_selector={{"pool": "{pool}"}},
    tolerations=[Toleration(key="dedicated", operator="Equal", value="{pool}", effect="NoSchedule")],
    volume_mounts=[VolumeMount(name="data", mount_path="/data")],
    retries=2,
    retry_delay=30,
    timeout=3600,
)
def {name}(args):
    return {{"number": {number}}}


"""
_FLOW = """@flow(
    name="{name}",
    namespace="team",
    tags=["nightly"],
    owners=["team@example.com"],
    schedule="0 3 * * *",
    params={{"day": "yesterday", "rows": 1000}},
    volumes=[Volume(name="data", persistent_volume_claim="data")],
    env={{"default": {{"WORKSPACE": "/data"}}}},
)
def main(args):
    value_0000 = {first}(args)
"""

_DAG_HEAD = '''"""Reads, works, and puts together."""

from datetime import timedelta

import pendulum
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from kubernetes.client import models as k8s

try:
    from airflow.sdk import DAG, Param
except ImportError:
    from airflow import DAG
    from airflow.models.param import Param

with DAG(
    dag_id="{name}",
    schedule="0 3 * * *",
    start_date=pendulum.datetime(2024, 1, 1),
    catchup=False,
    tags=["nightly"],
    default_args={{"owner": "team@example.com"}},
    params={{"day": Param("yesterday"), "rows": Param(1000)}},
) as dag:
'''
_OPERATOR = """    {name} = KubernetesPodOperator(
        task_id="{name}",
        name="{name}",
        namespace="team",
        image="{image}",
        cmds=["python", "/opt/flowhub/workflow.py"],
        arguments=["--task", "{name}"],
        container_resources=k8s.V1ResourceRequirements(
            requests={{"cpu": "{cpu}", "memory": "{memory}"}},
            limits={{"memory": "{memory}"}},
        ),
        node_selector={{"pool": "{pool}"}},
        tolerations=[
            k8s.V1Toleration(key="dedicated", operator="Equal", value="{pool}", effect="NoSchedule"),
        ],
        volumes=[
            k8s.V1Volume(name="code", config_map=k8s.V1ConfigMapVolumeSource(name="workflow-code")),
            k8s.V1Volume(
                name="data",
                persistent_volume_claim=k8s.V1PersistentVolumeClaimVolumeSource(claim_name="data"),
            ),
        ],
        volume_mounts=[
            k8s.V1VolumeMount(name="code", mount_path="/opt/flowhub", read_only=True),
            k8s.V1VolumeMount(name="data", mount_path="/data"),
        ],
        labels={{"app.kubernetes.io/managed-by": "team"}},
        startup_timeout_seconds=600,
        retries=2,
        retry_delay=timedelta(seconds=30),
        execution_timeout=timedelta(hours=1),
        do_xcom_push=True,
    )
"""

_SMALL = '''"""Counts words."""

from flowhub import flow, get_storage, task


@task(cpu="500m", memory="256Mi", retries=2)
def fetch(args):
    """The texts."""
    return {"texts": [args["text"]] * args["times"]}


@task(cpu="1", memory="512Mi")
def count(args):
    """How often each word stands in them."""
    found = {}
    for text in args["texts"]:
        for word in text.split():
            found[word] = found.get(word, 0) + 1
    return {"words": found}


@task
def report(args):
    """The words as a file."""
    storage = get_storage(args["env"])
    storage.write("words.txt", ", ".join(sorted(args["words"])).encode())
    return {"different": len(args["words"])}


PROFILES

@flow(name="word-count", params={"text": "a b a", "times": 3}, env=ENV)
def main(args):
    """Fetches, counts, reports."""
    return report(count(fetch(args)))
'''
_IN_A_FOLDER = """ENV = {"default": {"WORKSPACE": "/data"}}
"""
_IN_A_BUCKET = """ENV = {
    "local": {"WORKSPACE": "./tmp"},
    "default": {
        "BUCKET": "words",
        "ENDPOINT_URL": "https://s3.example.com",
        "ACCESS_KEY": {"env": "ACCESS_KEY"},
        "SECRET_KEY": {"env": "SECRET_KEY"},
    },
}
"""


def small_workflow(*, bucket: bool) -> str:
    """The text of a workflow file of three tasks that keeps its values in a folder, or in a bucket."""
    return _SMALL.replace("PROFILES\n", _IN_A_BUCKET if bucket else _IN_A_FOLDER)


def workflow(name: str, tasks: int) -> str:
    """The text of a workflow file whose flow ``name`` has so many tasks."""
    functions = "".join(_TASK.format(**_words(number)) for number in range(tasks))
    calls = "".join(
        f"    value_{number:04d} = {_name(number)}({', '.join(f'value_{one:04d}' for one in upstream)})\n"
        for number, upstream in edges(tasks)
    )
    end = f"    return value_{tasks - 1:04d}\n"
    return _FLOW_HEAD + functions + _FLOW.format(name=name, first=_name(0)) + calls + end


def usual_dag(name: str, tasks: int) -> str:
    """The text of a DAG with the same tasks, edges and pods, each operator with models of its own."""
    operators = "".join(_OPERATOR.format(**_words(number)) for number in range(tasks))
    arrows = "".join(
        f"    [{', '.join(map(_name, upstream))}] >> {_name(number)}\n" for number, upstream in edges(tasks)
    )
    return _DAG_HEAD.format(name=name) + operators + arrows


def edges(tasks: int) -> Iterator[tuple[int, list[int]]]:
    """Each task but the first, with those that it waits for."""
    for number in range(1, tasks):
        place = number % 5
        if place == 0:
            yield number, [number - 1]
        elif place == 4:
            yield number, [number - 3, number - 2, number - 1]
        else:
            yield number, [number - place]


def _name(number: int) -> str:
    return f"step_{number:04d}"


def _words(number: int) -> dict[str, object]:
    cpu, memory, pool = _SIZES[number % len(_SIZES)]
    return {"name": _name(number), "number": number, "image": _IMAGE, "cpu": cpu, "memory": memory, "pool": pool}
