"""``/control`` of the Kubernetes double: what a test in another process can do to it, as JSON over HTTP.

    POST /control {"do": "evict", "name": "<pod's name or its beginning>"}
    POST /control {"do": "fail", "what": "image", "labels": {"task": "a"}, "times": 2, "seconds": 0.5}
    POST /control {"do": "down", "seconds": 30, "answering": false}
    POST /control {"do": "slow", "seconds": 0.2}
    GET  /control   {"calls": {"list pods": 3}, "refused": [...], "pods": {"<name>": "Running"}, "left": [...]}

``labels`` are those that a pod must have, ``name`` the beginning of its name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from flowhub_assets_tests.kubernetes.cluster import Cluster, Rule
from flowhub_assets_tests.kubernetes.disruptions import BY_NAME
from flowhub_assets_tests.kubernetes.gate import Gate
from flowhub_assets_tests.kubernetes.objects import Refused
from flowhub_assets_tests.kubernetes.pod import Failing, Pod

_LAST_ANSWER_SECONDS = 0.05
WORDS = {
    "evict": "evicted",
    "preempt": "preempted",
    "drain": "drained",
    "lose_node": "lost",
    "delete_pod": "deleted",
    "kill": "killed",
    "oom": "oom",
    "terminate": "terminated",
}


class Control:
    """Acts in the double's loop, for ``/control`` and for the test that holds the double."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.gate: Gate | None = None

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/control", self._tell), web.post("/control", self._act)]

    def befall(self, name: str, word: str, message: str = "") -> str:
        """Lets it happen to the newest living pod of this name, or whose name begins so; returns the pod's name.

        Raises LookupError where there is none.
        """
        pod = self._newest(name)
        self._cluster.go(BY_NAME[WORDS[word]](pod, message))  # type: ignore[arg-type]
        return pod.name

    def fail(self, failing: Failing, applies: Callable[[Mapping[str, Any]], bool], times: int) -> None:
        known = {*BY_NAME, "image", "pending", "quota"}
        if failing.what not in known:
            raise LookupError(f"{failing.what!r} is none of {sorted(known)}")
        self._cluster.rules.append(Rule(failing, applies, times))

    def _newest(self, name: str) -> Pod:
        living = [pod for pod in self._cluster.machine.pods.values() if not pod.is_terminal]
        found = [pod for pod in living if pod.name == name] or [pod for pod in living if pod.name.startswith(name)]
        if not found:
            raise LookupError(
                f"no living pod has a name that begins with {name!r}: {sorted(pod.name for pod in living)}"
            )
        return found[-1]

    def left(self) -> list[str]:
        """``Kind namespace/name`` of what is stored, without Events and pods that have ended."""
        return [
            f"{kind} {found['metadata']['namespace']}/{found['metadata']['name']}"
            for kind in ("Job", "Pod", "ConfigMap", "Secret")
            for found in self._cluster.store.every(kind)
            if kind != "Pod" or found["status"]["phase"] not in ("Succeeded", "Failed")
        ]

    async def _tell(self, _: web.Request) -> web.Response:
        assert self.gate is not None
        calls = {" ".join(call): count for call, count in sorted(self.gate.calls.items())}
        pods = {pod.name: pod.phase() for pod in self._cluster.machine.pods.values()}
        told = {"calls": calls, "refused": self._cluster.refused, "pods": pods, "left": self.left()}
        return web.json_response(told)

    async def _act(self, request: web.Request) -> web.Response:
        body = await request.json()
        word, seconds = body.pop("do"), float(body.get("seconds", 0))
        assert self.gate is not None
        try:
            if word == "fail":
                self._fail(body, seconds)
            elif word == "down":
                self._cluster.go(_down(self.gate, seconds, bool(body.get("answering"))))
            elif word == "slow":
                self.gate.delay = seconds
            elif word == "reset":
                self.gate.calls.clear()
            elif word in WORDS:
                return web.json_response({"pod": self.befall(body["name"], word, body.get("message", ""))})
            else:
                raise LookupError(f"{word!r} is none of {sorted([*WORDS, 'fail', 'down', 'slow', 'reset'])}")
        except LookupError as error:
            raise Refused(str(error), 404, "NotFound") from None
        return web.json_response({})

    def _fail(self, body: Mapping[str, Any], seconds: float) -> None:
        labels, begins = body.get("labels", {}), body.get("name", "")

        def applies(manifest: Mapping[str, Any]) -> bool:
            has = manifest["metadata"].get("labels") or {}
            return bool(labels.items() <= has.items()) and str(manifest["metadata"]["name"]).startswith(begins)

        self.fail(Failing(body["what"], seconds, body.get("message", "")), applies, int(body.get("times", 1)))


async def _down(gate: Gate, seconds: float, answering: bool) -> None:
    """A little later, so that the answer to who wanted it gets out."""
    await asyncio.sleep(_LAST_ANSWER_SECONDS)
    await gate.go_down(seconds, answering)
