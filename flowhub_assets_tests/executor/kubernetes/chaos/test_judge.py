from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from flowhub_assets_tests.executor.kubernetes.chaos.faults import API, DAEMON, WORKER, Done, Fault
from flowhub_assets_tests.executor.kubernetes.chaos.judge import RESUMED, STEPS, Entry, Evidence, complaints

GOOD = Evidence(
    number=7,
    status="SUCCESS",
    entries=[
        Entry("PIPELINE_START", "", "", 0.0),
        *(Entry("STEP_SUCCESS", step, "", 2.0) for step in STEPS),
        Entry("", "gpu", "Running in the pod of Job j, image i.", 0.5),
        Entry("PIPELINE_SUCCESS", "", "", 3.0),
    ],
    effects={step: [("start", 1.0, "pod"), ("end", 1.5, "pod")] for step in STEPS},
    value={"total": 70, "number": 7},
)


def without(*kinds: str, step: str = "") -> list[Entry]:
    return [one for one in GOOD.entries if one.kind not in kinds or (step and one.step != step)]


def failed(text: str, fault: Fault, step: str = "left") -> Evidence:
    entries = [
        *without("PIPELINE_SUCCESS"),
        Entry("STEP_FAILURE", step, text, 2.0),
        Entry("PIPELINE_FAILURE", "", "", 3),
    ]
    entries = [one for one in entries if (one.kind, one.step) != ("STEP_SUCCESS", step)]
    effects = {**GOOD.effects, step: [("start", 1.0, "pod")]}
    return replace(GOOD, status="FAILURE", entries=entries, effects=effects, done=[Done(fault, 1.2, "pod")])


def again(step: str) -> dict[str, Sequence[tuple[str, float, str]]]:
    return {**GOOD.effects, step: [("start", 1.0, "pod"), ("start", 1.4, "other"), ("end", 1.5, "other")]}


OOM, KILL = Fault("left", "oom"), Fault("left", "kill")
EVICTED, DIED = Done(Fault("left", "evict"), 1.2, "pod"), Done(Fault(WORKER, "kill"), 1.2, "pod")

RIGHT = {
    "no fault": GOOD,
    "out of memory": failed("it was killed, out of memory (OOMKilled)", OOM),
    "killed": failed("its process was ended by SIGKILL", KILL),
    "killed after its work": replace(GOOD, done=[Done(KILL, 1.6, "pod")]),
    "evicted": replace(GOOD, effects=again("left"), done=[EVICTED]),
    "a light step again": replace(GOOD, effects=again("note"), done=[DIED]),
    "never begun": replace(
        GOOD,
        status="FAILURE",
        entries=[Entry("PIPELINE_FAILURE", "", "Run timed out due to taking longer than 45 seconds to start.", 45.0)],
        effects={},
        disturbances=[DAEMON],
    ),
}
WRONG = {
    "no value": (replace(GOOD, value=None), "the last value is None"),
    "another end": (replace(GOOD, status="STARTED"), "it is STARTED in the end"),
    "a success is missing": (replace(GOOD, entries=without("STEP_SUCCESS", step="join")), "without the success"),
    "two successes": (replace(GOOD, entries=[*GOOD.entries, *GOOD.of("STEP_SUCCESS", "end")]), "succeeded 2 times"),
    "two ends": (replace(GOOD, entries=[*GOOD.entries, *GOOD.of("PIPELINE_SUCCESS")]), "told 2 times"),
    "begun after success": (replace(GOOD, effects={**GOOD.effects, "end": [("start", 2.5, "p")]}), "after its success"),
    "never begun": (replace(GOOD, effects={**GOOD.effects, "end": []}), "without having begun"),
    "again for nothing": (replace(GOOD, effects=again("left")), "began 2 times, 1 at most"),
    "heavy again, for its worker": (replace(GOOD, effects=again("left"), done=[DIED]), "began 2 times, 1 at most"),
    "light again for nothing": (replace(GOOD, effects=again("note"), done=[EVICTED]), "began 2 times, 1 at most"),
    "not told": (replace(GOOD, effects=again("gpu"), done=[Done(Fault("gpu", "drain"), 1.2)]), "1 were told"),
    "resumed alive": (
        replace(GOOD, entries=[*GOOD.entries, Entry("ENGINE_EVENT", "", RESUMED, 1.0)]),
        "started again 1 times, and died 0 times",
    ),
    "survived a kill": (replace(GOOD, effects=again("left"), done=[Done(KILL, 1.2)]), "which has no retries"),
    "an unnamed cause": (failed("exit code 1", OOM), "does not name its cause"),
    "failed by an eviction": (failed("was evicted", Fault("left", "evict")), "nothing killed"),
    "failed by nothing": (replace(failed("", KILL), entries=without("PIPELINE_SUCCESS")), "without a failed step"),
    "failed by an outage": (
        replace(RIGHT["never begun"], disturbances=[API]),
        "without a failed step",
    ),
    "a pod is left": (replace(GOOD, left=["pod p runs"]), "left: pod p runs"),
    "a Job remains": (replace(GOOD, remains=["jobs j"]), "left: jobs j"),
}


@pytest.mark.parametrize("run", RIGHT.values(), ids=RIGHT)
def test_what_is_right(run: Evidence) -> None:
    assert complaints(run) == []


@pytest.mark.parametrize(("run", "complaint"), WRONG.values(), ids=WRONG)
def test_what_is_wrong(run: Evidence, complaint: str) -> None:
    assert any(complaint in one for one in complaints(run)), complaints(run)
