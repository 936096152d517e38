"""The Jobs that the executor makes: their names, their labels, what they leave to the run worker."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.executor.kubernetes.manifests import ends_at_once, job_name, label, step_job, without_restarts

POD: dict[str, Any] = {
    "metadata": {"namespace": "elsewhere", "labels": {"mine": "yes"}, "annotations": {"a": "b"}},
    "spec": {"containers": [{"name": "base", "image": "i", "args": ["dagster"]}], "activeDeadlineSeconds": 9},
}


def test_a_pod_becomes_a_job_that_runs_it_once() -> None:
    job = step_job("j", {"dagster/op": "each[0]"}, POD)
    assert job["metadata"] == {"name": "j", "labels": {"dagster/op": "each-0"}}
    assert (job["spec"]["backoffLimit"], job["spec"]["activeDeadlineSeconds"]) == (0, 9)
    template = job["spec"]["template"]
    assert template["metadata"] == {"labels": {"mine": "yes", "dagster/op": "each-0"}, "annotations": {"a": "b"}}
    assert template["spec"] == {"containers": POD["spec"]["containers"], "restartPolicy": "Never"}
    assert job["spec"]["podFailurePolicy"]["rules"][0]["action"] == "FailJob"


def test_a_policy_that_somebody_has_written_stays_and_none_is_given_where_kubernetes_takes_none() -> None:
    job = step_job("j", {}, POD)
    own = {**job, "spec": {**job["spec"], "podFailurePolicy": {"rules": []}}}
    assert without_restarts(own) == own
    spec = {"template": {"spec": {"restartPolicy": "OnFailure"}}}
    assert without_restarts({"spec": spec}) == {"spec": spec}


def test_the_process_of_a_step_is_inside_one_that_takes_sigterm() -> None:
    job = ends_at_once(step_job("j", {}, POD))
    (container,) = job["spec"]["template"]["spec"]["containers"]
    module = "flowhub_assets.executor.kubernetes.step_in_pod"
    assert container == {"name": "base", "image": "i", "args": ["python", "-m", module, "dagster"]}


# Few of each, so that two tries often differ in one thing alone.
_TRIES = st.tuples(
    st.sampled_from(["run-1", "run-2"]), st.sampled_from(["a", "b[0]"]), st.integers(1, 3), st.integers(0, 12)
)


@given(_TRIES, _TRIES)
def test_a_try_has_a_name_of_its_own_that_kubernetes_takes(first: Any, second: Any) -> None:
    names = [job_name(*first), job_name(*second)]
    assert (names[0] == names[1]) == (first == second)
    for name in names:
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name)
        assert len(name) <= 57, "a pod's name has six characters more, and is a label"


@given(st.text(max_size=200))
def test_any_text_becomes_a_labels_value(text: str) -> None:
    assert re.fullmatch(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?", label(text))
    assert len(label(text)) <= 63
