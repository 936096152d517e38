"""What Kubernetes would refuse of a task's placement, and what it would not."""

from __future__ import annotations

from typing import Any

import pytest

from flowhub_assets.ir.checks import problems
from flowhub_assets.ir.placement import Placement
from flowhub_assets_tests.ir.pipelines_as_data import messages, pipeline_of, task_of

WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"ephemeral_storage": "10GB"}, "ephemeral_storage '10GB' of task 'a' is not a quantity", "'10Gi'"),
    ({"limit_ephemeral_storage": "-1"}, "limit_ephemeral_storage '-1' of task 'a' is negative", ""),
    (
        {"ephemeral_storage": "2Gi", "limit_ephemeral_storage": "1Gi"},
        "limit_ephemeral_storage '1Gi' of task 'a' is below its ephemeral_storage '2Gi'",
        "limit_ephemeral_storage='2Gi'",
    ),
    ({"gpu": "1.5"}, "gpu '1.5' of task 'a' is not a whole number of GPUs", "'a100:2'"),
    ({"labels": {"a b": "c"}}, "a label of task 'a' has the key 'a b'", "63"),
    ({"labels": {"k": "c d"}}, "a label of task 'a' has 'k': 'c d'", "63"),
    ({"labels": {"k": True}}, "a label of task 'a' has 'k': True, not a string", "'true'"),
    ({"labels": {"dagster/run-id": "x"}}, "a label of task 'a' has the key 'dagster/run-id'", "another key"),
    ({"labels": {"job-name": "x"}}, "a label of task 'a' has the key 'job-name'", "another key"),
    ({"labels": {"dag_id": "x"}}, "a label of task 'a' has the key 'dag_id'", "another key"),
    ({"annotations": {"/x": "y"}}, "an annotation of task 'a' has the key '/x'", "domain"),
    ({"annotations": {"k": 1}}, "an annotation of task 'a' has 'k': 1, not a string", "'1'"),
    ({"node_selector": {"k": 1}}, "node_selector of task 'a' has 'k': 1, not a string", "'1'"),
    ({"service_account_name": "My"}, "service_account_name 'My' of task 'a' is not a legal name", "small letters"),
    ({"priority_class_name": "a_b"}, "priority_class_name 'a_b' of task 'a' is not a legal name", "small letters"),
    ({"image_pull_secrets": ("ok", "No")}, "image_pull_secrets of task 'a' have 'No', which is not", "small letters"),
    ({"active_deadline": 0}, "active_deadline 0 of task 'a' is not from 1 to 2147483647 seconds", "3600"),
    ({"active_deadline": 2**31}, "active_deadline 2147483648 of task 'a' is not from 1", "3600"),
]


@pytest.mark.parametrize(("words", "what", "remedy"), WRONG)
def test_what_kubernetes_would_refuse(words: dict[str, Any], what: str, remedy: str) -> None:
    (problem,) = problems(pipeline_of(task_of("a", placement=Placement(**words), line=3)))
    assert problem.what.startswith(what)
    assert remedy in problem.remedy
    assert problem.effect
    assert str(problem.where) == "flow.yaml:3"


def test_what_it_takes() -> None:
    placement = Placement(
        ephemeral_storage="1Gi",
        limit_ephemeral_storage="1Gi",
        gpu="a100:2",
        labels={"app.kubernetes.io/name": "train", "empty": ""},
        annotations={"example.com/a": "any text, 글도"},
        service_account_name="my-sa",
        image_pull_secrets=("my.registry", "other"),
        priority_class_name="system-batch",
        active_deadline=1,
    )
    assert messages(pipeline_of(task_of("a", placement=placement))) == []


def test_labels_and_pull_secrets_of_the_whole_are_checked() -> None:
    pipeline = pipeline_of(task_of("a"), labels={"k": "v v", "dagster/x": "y"}, image_pull_secrets=("N",))
    assert messages(pipeline) == [
        "flow.yaml:1: a label of the pipeline has 'k': 'v v'",
        "flow.yaml:1: a label of the pipeline has the key 'dagster/x'",
        "flow.yaml:1: image_pull_secrets of the pipeline have 'N', which is not a legal name",
    ]
