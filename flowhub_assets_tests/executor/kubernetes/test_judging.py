"""When a step's pod is given up, when it is run again, and in which words that is told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.executor.kubernetes.judging import Patience, Trouble, trouble
from flowhub_assets.executor.kubernetes.pod_state import IMAGE_REASONS, JobState, PodState

PATIENCE = Patience(start=100, image=10, node=50)
JOB = JobState("j")
POD = PodState("p", phase="Running", created=1000.0, images=("team/own:1",), memory_limit="1Gi")


def of(pod: PodState | None, job: JobState | None = JOB, *, now: float = 1000.0, age: float = 0.0) -> Trouble | None:
    return trouble(job, [pod] if pod else [], age, now, PATIENCE)


def test_all_is_well_with_a_pod_that_runs_and_with_one_that_ended_well() -> None:
    assert of(POD, now=1e6) is None
    assert of(replace(POD, phase="Succeeded", gone=1.0, disrupted="drained"), now=1e6) is None
    assert of(None) is None


def test_the_latest_pod_counts() -> None:
    failed = replace(POD, phase="Failed", exit_code=1)
    assert trouble(JOB, [failed, POD], 0, 1000, PATIENCE) is None


@pytest.mark.parametrize(
    ("pod", "told"),
    [
        (replace(POD, phase="Failed", exit_code=137, ended=("OOMKilled", "")), "(OOMKilled): its limit is 1Gi"),
        (replace(POD, phase="Failed", exit_code=3, ended=("Error", "")), "its process ended with exit code 3"),
        (replace(POD, phase="Failed", exit_code=137, ended=("Error", "")), "out of memory, most likely"),
        (replace(POD, phase="Failed", ended=("DeadlineExceeded", "too long"), deadline=7), "deadline of 7 s: too long"),
        (replace(POD, phase="Failed", ended=("Evicted", "disk")), "its pod failed (Evicted: disk)"),
    ],
)
def test_a_pod_that_failed_is_a_failure_of_the_step(pod: PodState, told: str) -> None:
    found = of(pod)
    assert found is not None
    assert told in found.why
    assert (found.disrupted, found.pod) == (False, "p")


def test_who_killed_is_not_guessed_where_it_is_known() -> None:
    found = of(replace(POD, phase="Failed", exit_code=137, ended=("Evicted", "too much disk")))
    assert found is not None
    assert found.why == "its process was ended by SIGKILL (Evicted: too much disk)"


def test_a_pod_that_was_taken_away_is_run_again_once_it_is_over() -> None:
    pod = replace(POD, disrupted="PreemptionByScheduler: preempting")
    assert of(pod) is None
    for over in (replace(pod, phase="Failed", exit_code=143), replace(pod, gone=1000.0)):
        found = of(over)
        assert found is not None
        assert found.disrupted
        assert "PreemptionByScheduler: preempting" in found.why


def test_of_a_deleted_pod_the_job_says_whether_it_is_run_again() -> None:
    for pod in (
        replace(POD, gone=1000.0),
        replace(POD, phase="Failed", exit_code=143, deleting=1000.0),
    ):
        assert of(pod, now=1001.0) is None, "the Job's word may be on its way"
        for job, now in ((replace(JOB, failed="BackoffLimitExceeded"), 1001.0), (JOB, 1004.0), (None, 1004.0)):
            found = of(pod, job, now=now)
            assert found is not None
            assert found.disrupted
        gone = of(pod, replace(JOB, gone=True))
        assert gone is not None
        assert (gone.disrupted, gone.why) == (False, "its Job was deleted")
        late = of(pod, replace(JOB, failed="DeadlineExceeded", failed_why="active too long", deadline=9.0))
        assert late is not None
        assert (late.disrupted, "deadline of 9 s" in late.why) == (False, True)


def test_a_node_that_does_not_answer() -> None:
    pod = replace(POD, deleting=1000.0)
    assert of(pod, now=1050.0) is None
    found = of(pod, now=1051.0)
    assert found is not None
    assert found.disrupted


def test_an_image_has_its_time_from_when_the_pod_has_a_node() -> None:
    pod = replace(POD, phase="Pending", waiting=("ErrImagePull", "not found"), placed=1090.0)
    assert of(pod, now=1099.0) is None
    found = of(pod, now=1101.0)
    assert found is not None
    assert found.why == "its image 'team/own:1' could not be pulled within 10 s (ErrImagePull: not found)"
    assert not found.disrupted


def test_an_image_that_cannot_be_is_given_up_at_once() -> None:
    found = of(replace(POD, phase="Pending", waiting=("InvalidImageName", "a b")))
    assert found is not None
    assert "InvalidImageName: a b" in found.why


def test_a_pod_that_does_not_start_and_one_that_is_not_made() -> None:
    pending = of(replace(POD, phase="Pending", unschedulable="0/1 nodes are available"), now=1101.0)
    assert pending is not None
    assert pending.why == "its pod did not start within 100 s (0/1 nodes are available)"
    assert of(None, age=99) is None
    missing = of(None, age=101)
    assert missing is not None
    assert (missing.why, missing.pod) == ("no pod was made for it within 100 s", "")
    failed = of(None, replace(JOB, failed="Why", failed_why="so"))
    assert failed is not None
    assert (failed.why, failed.disrupted) == ("its Job failed (Why): so", False)


def test_of_a_pod_that_nobody_has_seen_the_job_says_how_it_ended() -> None:
    taken = replace(JOB, failed="PodFailurePolicy", failed_why="Pod p has condition DisruptionTarget matching FailJob")
    found = of(None, taken)
    assert found is not None
    assert found.disrupted
    by_code = of(None, replace(taken, failed_why="Container base for pod p failed with exit code 3"))
    assert by_code is not None
    assert not by_code.disrupted
    deleted = replace(JOB, failed="BackoffLimitExceeded", failed_why="reached", failed_at=1000.0)
    assert of(None, deleted, now=1001.0) is None, "the pod's word may be on its way"
    found = of(None, deleted, now=1004.0)
    assert found is not None
    assert found.disrupted
    assert found.why == "its pod was deleted while it ran, and its Job failed (BackoffLimitExceeded): reached"


_PODS = st.builds(
    PodState,
    name=st.just("p"),
    phase=st.sampled_from(["Pending", "Running", "Succeeded", "Failed"]),
    created=st.floats(0, 2000),
    waiting=st.sampled_from([("", ""), *((reason, "m") for reason in IMAGE_REASONS)]),
    exit_code=st.sampled_from([None, 0, 1, 137, 143]),
    disrupted=st.sampled_from(["", "drained"]),
    deleting=st.none() | st.floats(0, 2000),
    gone=st.none() | st.floats(0, 2000),
)


@given(_PODS, st.booleans())
def test_whatever_has_not_ended_well_comes_to_an_end(pod: PodState, gone: bool) -> None:
    found = trouble(replace(JOB, gone=gone), [pod], 1e9, 1e9, PATIENCE)
    runs = pod.phase == "Running" and pod.gone is None and pod.deleting is None
    assert (found is None) == (pod.phase == "Succeeded" or runs)
    assert found is None or found.why
