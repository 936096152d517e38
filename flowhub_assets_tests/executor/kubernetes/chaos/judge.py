"""Whether a run has ended right, by its events, its value, what its steps did, and what it left in the cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowhub_assets_tests.executor.kubernetes.chaos.faults import DAEMON, WORKER, Done
from flowhub_assets_tests.executor.kubernetes.chaos.pipeline import CPU, FLOW, LIGHT, OWN, value

STEPS = (*LIGHT, *CPU, *OWN)
#: What a run worker tells that goes on. A daemon that is killed while it starts one has only told that it would.
RESUMED = "Started process for resuming job"
#: What the failure of a step must say that was killed so.
_CAUSES = {"oom": r"out of memory \(OOMKilled\)", "kill": "SIGKILL"}
#: Seconds by which a step's own clock, read in another process, may seem late.
_CLOCK = 0.05


@dataclass(frozen=True)
class Entry:
    """One event of the run's log: ``kind`` as STEP_SUCCESS, ``step`` without its flow, ``text`` with the error."""

    kind: str
    step: str
    text: str
    at: float


@dataclass(frozen=True)
class Evidence:
    """All that is known of a run that is over. ``effects``: step → (start or end, time, pod), as the step wrote them.

    ``disturbances`` are those of the deployment (DAEMON, API) that fell into its time.
    ``left`` is what of it still ran at its end, or is not a child of its Jobs; ``remains`` what is there after those
    were deleted.
    """

    number: int
    status: str
    entries: Sequence[Entry]
    effects: Mapping[str, Sequence[tuple[str, float, str]]]
    value: Any
    done: Sequence[Done] = ()
    disturbances: Sequence[str] = ()
    left: Sequence[str] = ()
    remains: Sequence[str] = ()

    def of(self, kind: str, step: str = "") -> list[Entry]:
        return [one for one in self.entries if one.kind == kind and (not step or one.step == step)]

    def starts(self, step: str) -> list[float]:
        return [at for word, at, _ in self.effects.get(step, ()) if word == "start"]

    @property
    def resumed(self) -> int:
        return sum(one.text.startswith(RESUMED) for one in self.entries)


def complaints(run: Evidence) -> list[str]:
    """What is not right; [] if all is."""
    return [*_end(run), *_steps(run), *_effects(run), *(f"left: {one}" for one in (*run.left, *run.remains))]


def _end(run: Evidence) -> Iterator[str]:
    if run.status == "SUCCESS":
        if run.value != value(run.number):
            yield f"the last value is {run.value}, not {value(run.number)}"
        missing = [step for step in STEPS if not run.of("STEP_SUCCESS", step)]
        if missing:
            yield f"SUCCESS without the success of {missing}"
        for done in run.done:
            if done.fault.is_fatal and not _had_ended(run, done):
                yield f"SUCCESS, although {done.fault} killed the step's process, which has no retries"
        return
    if run.status != "FAILURE":
        yield f"it is {run.status} in the end"
        return
    fatal = [done for done in run.done if done.fault.is_fatal]
    failed = {one.step for one in run.of("STEP_FAILURE")}
    unexplained = failed - {done.fault.target for done in fatal}
    if unexplained:
        yield f"nothing killed {sorted(unexplained)}: {[one.text[-600:] for one in run.of('STEP_FAILURE')]}"
    if not failed and not _never_began(run):
        told = [one.text[-700:] for one in run.of("PIPELINE_FAILURE")]
        yield f"FAILURE without a failed step: {told}"
    for done in fatal:
        for failure in run.of("STEP_FAILURE", done.fault.target):
            if not re.search(_CAUSES[done.fault.what], failure.text):
                yield f"the failure does not name its cause, {done.fault.what}: {failure.text[-600:]}"


def _never_began(run: Evidence) -> bool:
    """Whether its worker was gone before it could tell of its beginning: Dagster resumes only what has begun.

    The run is told to have failed after ``start_timeout_seconds``, and why; nothing of it has run.
    """
    told = any("to start" in one.text for one in run.of("PIPELINE_FAILURE"))
    hit = WORKER in {done.fault.target for done in run.done} or DAEMON in run.disturbances
    return told and hit and not run.of("PIPELINE_START") and not any(run.effects.values())


def _had_ended(run: Evidence, done: Done) -> bool:
    """Whether the step's own work was over when its process was killed; only its process was still to end."""
    ends = [at for word, at, _ in run.effects.get(done.fault.target, ()) if word == "end"]
    return any(at <= done.at + _CLOCK for at in ends)


def _steps(run: Evidence) -> Iterator[str]:
    for step in STEPS:
        successes, failures = run.of("STEP_SUCCESS", step), run.of("STEP_FAILURE", step)
        if len(successes) > 1:
            yield f"{step} succeeded {len(successes)} times"
        if successes and failures:
            yield f"{step} both failed and succeeded"
        if successes and (late := [at for at in run.starts(step) if at > successes[0].at + _CLOCK]):
            yield f"{step} began {len(late)} times after its success"
        if successes and not run.starts(step):
            yield f"{step} succeeded without having begun"
    for kind in ("PIPELINE_SUCCESS", "PIPELINE_FAILURE"):
        if len(run.of(kind)) > 1:
            yield f"{kind} was told {len(run.of(kind))} times"


def _effects(run: Evidence) -> Iterator[str]:
    deaths = sum(done.fault.target == WORKER for done in run.done)
    if run.resumed > deaths:
        yield f"the run worker was started again {run.resumed} times, and died {deaths} times"
    for step in STEPS:
        began = len(run.starts(step))
        own = [done for done in run.done if done.fault.target == step]
        allowed = 1 + (deaths if step in LIGHT else len(own))
        if began > allowed:
            yield f"{step} began {began} times, {allowed} at most were due"
        if step in OWN and run.of("STEP_SUCCESS", step):
            told = [one for one in run.entries if one.step == step and "Running in the pod of Job" in one.text]
            if began > len(told):
                yield f"{step} began {began} times, {len(told)} were told"


__all__ = ["FLOW", "Entry", "Evidence", "complaints"]
