"""Many runs at once, a fault or two for each: launched over GraphQL, waited for, judged."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from flowhub_assets_tests.executor.kubernetes.chaos.faults import WORKER, Disturbances, Done, Fault, Misfortune, drawn
from flowhub_assets_tests.executor.kubernetes.chaos.judge import Entry, Evidence, complaints
from flowhub_assets_tests.executor.kubernetes.chaos.pipeline import FLOW
from flowhub_assets_tests.executor.kubernetes.chaos.processes import Deployment

#: Seconds that a run may take, from its launch; outages are in it.
LONGEST = 150.0
_LOOK, _OBSERVE = 0.2, 0.15
#: Seconds for the cluster to take away what belongs to a run that is over, an outage in them.
_CLEAN = 45.0
_RUN, _COMPONENT = "dagster/run-id", "app.kubernetes.io/component"


@dataclass(frozen=True)
class Result:
    """What became of the run with this seed; ``wrong`` is what is not right about it."""

    seed: int
    run_id: str
    planned: list[Fault]
    done: list[Done]
    status: str
    seconds: float
    wrong: list[str]
    resumed: int = 0
    log: list[str] = field(default_factory=list)


class Observer:
    """Looks at the pods of all runs and the states of the runs, for everybody."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self.pods: list[dict[str, Any]] = []
        self.ended: dict[str, str] = {}  # run → how
        self.begun: set[str] = set()
        self._wanted: set[str] = set()
        self._closed = threading.Event()
        self.threads = [
            threading.Thread(target=self._often, args=(look, seconds), daemon=True)
            for look, seconds in ((self._look_at_pods, _OBSERVE), (self._look_at_runs, _LOOK))
        ]
        for thread in self.threads:
            thread.start()

    def want(self, run_id: str) -> None:
        self._wanted.add(run_id)

    def pod_of(self, run_id: str, target: str) -> str | None:
        """The running pod of the run worker or a step; the newest one."""
        found = [
            pod["metadata"]["name"]
            for pod in self.pods
            if pod["status"].get("phase") == "Running"
            and "deletionTimestamp" not in pod["metadata"]
            and (labels := pod["metadata"].get("labels") or {}).get(_RUN) == run_id
            and (labels[_COMPONENT] == "run_worker" if target == WORKER else _step(labels) == target)
        ]
        return found[-1] if found else None

    def close(self) -> None:
        self._closed.set()
        for thread in self.threads:
            thread.join(30)

    def _often(self, look: Callable[[], None], seconds: float) -> None:
        while not self._closed.wait(seconds):
            with contextlib.suppress(OSError):
                look()

    def _look_at_pods(self) -> None:
        self.pods = self._deployment.objects("pods")

    def _look_at_runs(self) -> None:
        waiting = [run_id for run_id in list(self._wanted) if run_id not in self.ended]
        if waiting:
            for run in self._deployment.instance.get_runs(dg.RunsFilter(run_ids=waiting)):
                if run.status is dg.DagsterRunStatus.STARTED:
                    self.begun.add(run.run_id)
                if run.is_finished:
                    self.ended[run.run_id] = run.status.value


def _step(labels: Mapping[str, str]) -> str:
    return labels.get("dagster/op", "").removeprefix(f"{FLOW}__")


class Runner:
    """Runs seeds in ``deployment``; several at once."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._disturbances = Disturbances()
        self._observer = Observer(deployment)

    def run(self, seeds: Iterable[int], at_once: int, until: float) -> Iterator[Result]:
        """The results as they come. No run begins after ``until`` (time.monotonic())."""
        waiting: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        results: queue.SimpleQueue[Result | None] = queue.SimpleQueue()
        for seed in (*seeds, *([None] * at_once)):
            waiting.put(seed)

        def work() -> None:
            while (seed := waiting.get()) is not None and time.monotonic() < until:
                try:
                    results.put(self.one(seed))
                except Exception as error:  # noqa: BLE001 - it is told of the seed, and the others go on
                    results.put(Result(seed, "", drawn(seed), [], "", 0.0, [f"{type(error).__name__}: {error}"]))
            results.put(None)

        threads = [threading.Thread(target=work, daemon=True) for _ in range(at_once)]
        for thread in threads:
            thread.start()
        ended = 0
        while ended < at_once:
            result = results.get()
            if result is None:
                ended += 1
            else:
                yield result

    def one(self, seed: int, faults: list[Fault] | None = None) -> Result:
        """Launches one run, lets its faults come about, waits for its end, judges it."""
        planned = drawn(seed) if faults is None else faults
        begun, launched = time.time(), time.monotonic()
        config = {"resources": {f"{FLOW}_params": {"config": {"number": seed}}}}
        run_id = self._deployment.stack.run(FLOW, config=config)
        self._observer.want(run_id)

        def is_over() -> bool:
            return run_id in self._observer.ended or time.monotonic() - launched > LONGEST

        pod_of = lambda target: self._observer.pod_of(run_id, target)  # noqa: E731
        has_begun = lambda: run_id in self._observer.begun  # noqa: E731
        done = Misfortune(self._deployment, self._disturbances, pod_of, has_begun, is_over).do(planned)
        while not is_over():
            time.sleep(_LOOK)
        seconds = time.monotonic() - launched
        evidence = self._evidence(seed, run_id, done, begun)
        entries = [f"{one.at:.2f} {one.kind} {one.step}: {one.text[:1500]}" for one in evidence.entries]
        wrong = complaints(evidence)
        return Result(seed, run_id, planned, done, evidence.status, seconds, wrong, evidence.resumed, entries)

    def close(self) -> None:
        self._observer.close()

    def _evidence(self, seed: int, run_id: str, done: list[Done], begun: float) -> Evidence:
        run = self._deployment.instance.get_run_by_id(run_id)
        assert run is not None
        left = self._left(run_id)
        remains = self._remains(run_id)
        return Evidence(
            number=seed,
            status=run.status.value,
            entries=[_entry(one) for one in self._deployment.instance.all_logs(run_id)],
            effects=self._effects(seed),
            value=self._value(run_id),
            done=done,
            disturbances=self._disturbances.during(begun, time.time()),
            left=left,
            remains=remains,
        )

    def _effects(self, number: int) -> dict[str, list[tuple[str, float, str]]]:
        folder = self._deployment.base / "effects" / str(number)
        effects = {}
        for file in folder.iterdir() if folder.is_dir() else ():
            lines = [line.split(" ") for line in file.read_text().splitlines()]
            effects[file.name] = [(word, float(at), pod) for word, at, pod in lines]
        return effects

    def _value(self, run_id: str) -> Any:
        file = self._deployment.base / "files" / FLOW / "runs" / run_id / "end.json"
        return json.loads(file.read_text()) if file.is_file() else None

    def _left(self, run_id: str) -> list[str]:
        """Pods that do not come to their end, and step's Jobs and ConfigMaps that are no children of the run's."""
        found: list[str] = []

        def look() -> bool:
            selector = f"{_RUN}={run_id}"
            pods, jobs = self._deployment.objects("pods", selector), self._deployment.objects("jobs", selector)
            own = {one["metadata"]["uid"] for one in jobs if one["metadata"]["labels"][_COMPONENT] == "run_worker"}
            children = [one for one in jobs if one["metadata"]["uid"] not in own]
            children += self._deployment.objects("configmaps", selector)
            found[:] = [f"pod {_name(pod)} runs" for pod in pods if pod["status"]["phase"] in ("Pending", "Running")]
            found.extend(f"{_name(one)} is no child" for one in children if not _owners(one) & own)
            return not found

        _within(_CLEAN, look)
        return found

    def _remains(self, run_id: str) -> list[str]:
        """Deletes the run's own Jobs, as their time to live does it in a cluster; what is there still."""
        found: list[str] = []
        selector = f"{_RUN}={run_id}"

        def delete() -> bool:
            for job in self._deployment.objects("jobs", f"{selector},{_COMPONENT}=run_worker"):
                self._deployment.delete_job(_name(job))
            return True

        def look() -> bool:
            kinds = ("jobs", "pods", "configmaps")
            found[:] = [f"{kind} {_name(one)}" for kind in kinds for one in self._deployment.objects(kind, selector)]
            return not found

        _within(_CLEAN, delete)
        _within(_CLEAN, look)
        return found


def _within(seconds: float, holds: Callable[[], bool]) -> None:
    last = time.monotonic() + seconds
    while time.monotonic() < last:
        with contextlib.suppress(OSError):  # the API is down
            if holds():
                return
        time.sleep(_LOOK)


def _name(thing: Mapping[str, Any]) -> str:
    return str(thing["metadata"]["name"])


def _owners(thing: Mapping[str, Any]) -> set[str]:
    return {owner["uid"] for owner in thing["metadata"].get("ownerReferences") or ()}


def _entry(record: dg.EventLogEntry) -> Entry:
    event = record.dagster_event
    error = getattr(event and event.event_specific_data, "error", None)
    text = f"{record.message} {error.to_string() if error else ''}".strip()
    step = (record.step_key or "").removeprefix(f"{FLOW}__")
    return Entry(event.event_type_value if event else "", step, text, record.timestamp)


def table(results: list[Result]) -> str:
    """How often each kind of fault came about, and how those runs ended."""
    rows: dict[str, list[Result]] = {}
    for result in results:
        kinds = sorted({f"{done.fault.target}: {done.fault.what}".rstrip(": ") for done in result.done})
        for kind in kinds or ["none"]:
            rows.setdefault(kind, []).append(result)
    lines = [f"{'fault':24} {'runs':>5} {'SUCCESS':>8} {'FAILURE':>8} {'wrong':>6} {'longest':>8}"]
    for kind, found in sorted(rows.items()):
        counts = [sum(one.status == status for one in found) for status in ("SUCCESS", "FAILURE")]
        wrong, longest = sum(bool(one.wrong) for one in found), max(one.seconds for one in found)
        lines.append(f"{kind:24} {len(found):5} {counts[0]:8} {counts[1]:8} {wrong:6} {longest:7.1f}s")
    return "\n".join(lines)


def line(result: Result) -> str:
    """One result, to be printed."""
    faults = "; ".join(map(str, result.planned)) or "no fault"
    missed = len(result.planned) - len(result.done)
    told = f"{faults}{f' ({missed} too late)' if missed else ''}"
    again = f", {result.resumed} times resumed" if result.resumed else ""
    return f"seed {result.seed} {result.status} {result.seconds:.1f} s{again}: {told}"


def tell(result: Result) -> None:
    """Prints a result, and all of its log if it is wrong."""
    print(line(result), flush=True)
    if result.wrong:
        print("  WRONG", *(f"  - {one}" for one in result.wrong), sep="\n")
        print(*(f"    {one}" for one in "\n".join(result.log).splitlines()), sep="\n", flush=True)
