"""What befalls a run: drawn from its seed alone, done at the moment that was drawn."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from flowhub_assets_tests.executor.kubernetes.chaos.pipeline import CPU, OWN
from flowhub_assets_tests.executor.kubernetes.chaos.processes import Deployment

WORKER, DAEMON, API = "run worker", "daemon", "API"
#: Words of the double's /control. A step's own process was killed by the first two; the cluster took it by the others.
KILLED = ("kill", "oom")
DISRUPTED = ("evict", "preempt", "drain", "terminate", "lose_node", "delete_pod")
#: The API is away for so long in one of so many runs, as a new control plane takes; a few seconds in the others.
LONG_OUTAGE, LONG_OUTAGE_EVERY = 30.0, 50
_LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Fault:
    """``target`` is WORKER, DAEMON, API or a heavy step; ``what`` the word of /control, "" for the last two.

    ``after`` is seconds after the target runs, or after the launch; ``lasts`` how long daemon or API are away.
    ``once_begun``: not before the run has told of its beginning. Dagster resumes no run whose worker dies earlier, and
    may lose the worker that a daemon was starting when it died.
    """

    target: str
    what: str = ""
    after: float = 0.0
    lasts: float = 0.0
    answering: bool = False
    once_begun: bool = False

    @property
    def is_fatal(self) -> bool:
        """Whether the step is to fail: its own process was killed, and it has no retries."""
        return self.target in (*CPU, *OWN) and self.what in KILLED

    def __str__(self) -> str:
        lasts = f" for {self.lasts:.1f} s{' (503)' if self.answering else ''}" if self.lasts else ""
        return f"{self.target}{f': {self.what}' if self.what else ''}{lasts} after {self.after:.1f} s"


@dataclass
class Done:
    """A fault that came about, at ``at`` (time.time()), to the pod ``pod`` if it is about one."""

    fault: Fault
    at: float
    pod: str = ""


@dataclass
class Disturbances:
    """(from, until, what) for which daemon or API were away: that befalls all runs of that time."""

    spans: list[tuple[float, float, str]] = field(default_factory=list)

    def during(self, begin: float, end: float) -> list[str]:
        return [what for start, stop, what in self.spans if start < end and stop > begin]


def drawn(seed: int) -> list[Fault]:
    """The faults of the run with this seed: none, one or two."""
    chance = random.Random(seed)
    if seed % LONG_OUTAGE_EVERY == 0:
        return [Fault(API, after=chance.uniform(0, 6), lasts=LONG_OUTAGE)]
    count = chance.choices((0, 1, 2), (1, 7, 3))[0]
    return sorted((_draw(chance) for _ in range(count)), key=lambda fault: fault.after)


def _draw(chance: random.Random) -> Fault:
    target = chance.choices((WORKER, *CPU, *OWN, DAEMON, API), (6, 3, 3, 5, 2, 2))[0]
    if target == DAEMON:
        return Fault(DAEMON, after=chance.uniform(0, 6), lasts=chance.uniform(0.1, 2))
    if target == API:
        return Fault(API, "", chance.uniform(0, 6), chance.uniform(0.5, 5), answering=chance.random() < 0.4)
    # Half of the run worker's faults and a third of the others are kills.
    words = (*KILLED * 3, *DISRUPTED) if target == WORKER else (*KILLED * 2, *DISRUPTED, *DISRUPTED)
    return Fault(target, chance.choice(words), chance.uniform(0.5, 5) if target == WORKER else chance.uniform(0, 0.9))


class Misfortune:
    """Does the faults of one run. ``pod_of`` gives the name of the running pod of a step, or of the run worker."""

    def __init__(
        self,
        deployment: Deployment,
        disturbances: Disturbances,
        pod_of: Callable[[str], str | None],
        has_begun: Callable[[], bool],
        is_over: Callable[[], bool],
    ) -> None:
        self._deployment = deployment
        self._disturbances = disturbances
        self._pod_of = pod_of
        self._has_begun = has_begun
        self._is_over = is_over

    def do(self, faults: Sequence[Fault]) -> list[Done]:
        """One after the other, until the run is over; those that came about."""
        begun = time.monotonic()
        done = []
        for fault in faults:
            if fault.target in (DAEMON, API):
                self._wait(self._has_begun if fault.once_begun else lambda: True)
                self._wait(lambda: time.monotonic() - begun >= fault.after)  # noqa: B023 - called before the next one
                if not self._is_over():
                    done.append(self._disturb(fault))
            elif (pod := self._befall(fault)) is not None:
                done.append(Done(fault, time.time(), pod))
        return done

    def _befall(self, fault: Fault) -> str | None:
        """The name of the pod that it befell; None if it had ended before."""
        pod = self._wait(lambda: self._pod_of(fault.target))
        if pod is None or (fault.once_begun and not self._wait(self._has_begun)):
            return None
        time.sleep(fault.after)
        # While the API is down nobody can be told anything.
        while not self._is_over():
            with contextlib.suppress(OSError):
                try:
                    return str(self._deployment.control(do=fault.what, name=pod)["pod"])
                except LookupError:
                    return None
            time.sleep(_LOOK_SECONDS)
        return None

    def _disturb(self, fault: Fault) -> Done:
        done = Done(fault, time.time())
        if fault.target == DAEMON:
            self._deployment.daemon.kill(fault.lasts)
        else:
            with contextlib.suppress(OSError):  # it is down already
                self._deployment.control(do="down", seconds=fault.lasts, answering=fault.answering)
        # A daemon takes some seconds to start.
        until = time.time() + (10 if fault.target == DAEMON else fault.lasts)
        self._disturbances.spans.append((done.at, until, fault.target))
        return done

    def _wait(self, until: Callable[[], Any]) -> Any:
        while not self._is_over():
            if found := until():
                return found
            time.sleep(_LOOK_SECONDS)
        return None
