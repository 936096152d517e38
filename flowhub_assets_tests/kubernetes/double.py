"""A small double of the Kubernetes API that starts the command of each pod as a local process.

    with KubeDouble(tmp_path, python=bare_python) as cluster:
        cluster.objects.apply(Path("dags/flow-code.yaml").read_text())
        ...  # Airflow with KUBECONFIG=cluster.kubeconfig
    cluster.posted  # every manifest that was taken

It serves what KubernetesPodOperator uses. Pods are held to the schema of Kubernetes 1.30, unknown fields refused, and
to an API server's rules for names, labels, mounts and resources (422). A process gets the variables that its pod names,
and PATH, HOME, HOSTNAME and TMPDIR. Paths in command, args and variables that begin with a mount's path are replaced by
the folder that stands for it, since no local process has a folder of its own at /opt/flowhub: the one thing that is
not as in a cluster. Pods are never restarted.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import sys
import threading
import uuid
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml
from aiohttp import WSMsgType, web

from flowhub_assets_tests.kubernetes.admission import KUBERNETES, faults
from flowhub_assets_tests.kubernetes.objects import Objects
from flowhub_assets_tests.kubernetes.pod import Container, Failing, Machine, Pod, log_lines

_CLOSING_SECONDS = 15.0
_STDIN, _STDOUT, _STDERR, _ERROR = range(4)

Result = TypeVar("Result")
Manifest = Mapping[str, Any]


@dataclass
class _Rule:
    failing: Failing
    applies: Callable[[Manifest], bool]
    times: int


class KubeDouble:
    """Answers from ``with`` on; no process of a pod outlives the block. ``python`` is that of every image that
    ``images`` does not name."""

    def __init__(self, folder: Path, python: Path | None = None, images: Mapping[str, Path] | None = None) -> None:
        self.objects = Objects()
        self.posted: list[dict[str, Any]] = []
        self.refused: list[str] = []
        self.all_pods: list[Pod] = []
        self.kubeconfig = folder / "kubeconfig"
        self._machine = Machine(folder, dict(images or {}), python or Path(sys.executable), self.objects)
        self._pods: dict[tuple[str, str], Pod] = {}
        self._rules: list[_Rule] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="kube-double", daemon=True)
        self._runner: web.AppRunner | None = None
        self.port = 0

    def fail(
        self,
        what: str,
        applies: Callable[[Manifest], bool] = lambda _: True,
        *,
        times: int = 1,
        seconds: float = 0.0,
        message: str = "",
    ) -> None:
        """The next ``times`` pods to which it applies fail: "image" (cannot be pulled), "evicted", "oom", "lost"."""
        self._rules.append(_Rule(Failing(what, seconds, message), applies, times))

    def logs(self, name: str, container: str = "base") -> str:
        """What a pod has written, also one that is gone; the last pod whose name begins so."""
        found = [pod.container(container) for pod in self.all_pods if pod.name.startswith(name)]
        lines = found[-1].lines if found and found[-1] else []
        return b"".join(line for _, line in lines).decode(errors="replace")

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._start())
        kube_config(self.kubeconfig, f"http://127.0.0.1:{self.port}")
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._call(self._stop())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_CLOSING_SECONDS)
            self._loop.close()

    def _call(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_CLOSING_SECONDS)

    async def _start(self) -> None:
        application = web.Application(client_max_size=3 * 1024 * 1024)
        pods = "/api/v1/namespaces/{namespace}/pods"
        application.add_routes(
            [
                web.get("/version", self._version),
                web.get(pods, self._list),
                web.post(pods, self._create),
                web.get(pods + "/{name}", self._read),
                web.patch(pods + "/{name}", self._patch),
                web.delete(pods + "/{name}", self._delete),
                web.get(pods + "/{name}/log", self._log),
                web.get(pods + "/{name}/exec", self._exec),
                web.get("/api/v1/namespaces/{namespace}/events", self._events),
            ]
        )
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _stop(self) -> None:
        await asyncio.gather(*(pod.delete(grace=0) for pod in self._pods.values()))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()

    def _go(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _version(self, _: web.Request) -> web.Response:
        major, minor = KUBERNETES.split(".")
        return web.json_response({"major": major, "minor": minor, "gitVersion": f"v{KUBERNETES}.0"})

    async def _create(self, request: web.Request) -> web.Response:
        body = await request.json()
        namespace = request.match_info["namespace"]
        if body.get("metadata", {}).get("namespace", namespace) != namespace:
            return _status(400, "BadRequest", "the namespace of the object does not match the namespace on the request")
        body.setdefault("apiVersion", "v1")
        body.setdefault("kind", "Pod")
        body["metadata"]["namespace"] = namespace
        name = body["metadata"].get("name")
        if found := faults(body):
            self.refused += found
            return _status(422, "Invalid", f'Pod "{name}" is invalid: {"; ".join(found)}')
        if (namespace, name) in self._pods:
            return _status(409, "AlreadyExists", f'pods "{name}" already exists')
        if body["spec"].get("restartPolicy") != "Never":
            return _status(501, "NotImplemented", "this double never restarts a pod: restartPolicy must be Never")
        self.posted.append(body)
        pod = Pod(body, self._machine, str(uuid.uuid4()), self._failing(body))
        self._pods[namespace, name] = pod
        self.all_pods.append(pod)
        self._go(self._live(pod))
        return web.json_response(pod.document(), status=201)

    async def _live(self, pod: Pod) -> None:
        await pod.live()
        await pod.gone.wait()
        self._pods.pop((pod.metadata["namespace"], pod.name), None)

    def _failing(self, manifest: Manifest) -> Failing | None:
        for rule in self._rules:
            if rule.times and rule.applies(manifest):
                rule.times -= 1
                return rule.failing
        return None

    def _pod(self, request: web.Request) -> Pod:
        name = request.match_info["name"]
        pod = self._pods.get((request.match_info["namespace"], name))
        if pod is None or pod.gone.is_set():
            raise web.HTTPNotFound(
                text=_status(404, "NotFound", f'pods "{name}" not found').text, content_type="application/json"
            )
        return pod

    async def _read(self, request: web.Request) -> web.Response:
        return web.json_response(self._pod(request).document())

    async def _list(self, request: web.Request) -> web.Response:
        selector, namespace = request.query.get("labelSelector", ""), request.match_info["namespace"]
        found = [
            pod.document()
            for (place, _), pod in self._pods.items()
            if place == namespace and not pod.gone.is_set() and selects(selector, pod.metadata.get("labels") or {})
        ]
        listed = {"apiVersion": "v1", "kind": "PodList", "metadata": {"resourceVersion": "1"}, "items": found}
        return web.json_response(listed)

    async def _patch(self, request: web.Request) -> web.Response:
        pod, body = self._pod(request), json.loads(await request.read())
        if not isinstance(body, dict) or set(body) - {"metadata"}:
            return _status(422, "Invalid", "this double patches only metadata, by a merge patch")
        for part, values in body["metadata"].items():
            merged = {**(pod.metadata.get(part) or {}), **values}
            pod.metadata[part] = {key: value for key, value in merged.items() if value is not None}
        return web.json_response(pod.document())

    async def _delete(self, request: web.Request) -> web.Response:
        pod = self._pod(request)
        body = json.loads(await request.read()) if request.can_read_body else None
        grace = request.query.get("gracePeriodSeconds", (body or {}).get("gracePeriodSeconds"))
        if "deletionTimestamp" not in pod.metadata:
            self._go(pod.delete(None if grace is None else float(grace)))
            await asyncio.sleep(0)
        return web.json_response(pod.document())

    async def _events(self, request: web.Request) -> web.Response:
        wanted = dict(re.findall(r"([\w.]+)=([^,]*)", request.query.get("fieldSelector", "")))
        events = [
            event
            for pod in self._pods.values()
            for event in pod.events
            if pod.metadata["namespace"] == request.match_info["namespace"]
            and wanted.get("involvedObject.name", pod.name) == pod.name
        ]
        listed = {"apiVersion": "v1", "kind": "EventList", "metadata": {"resourceVersion": "1"}, "items": events}
        return web.json_response(listed)

    async def _log(self, request: web.Request) -> web.StreamResponse:
        pod, query = self._pod(request), request.query
        if "container" not in query and len(pod.mains) > 1:
            names = " ".join(container.name for container in pod.mains)
            text = f"a container name must be specified for pod {pod.name}, choose one of: [{names}]"
            return _status(400, "BadRequest", text)
        container = pod.container(query.get("container", pod.mains[0].name))
        if container is None:
            return _status(400, "BadRequest", f"container {query['container']} is not valid for pod {pod.name}")
        if "waiting" in container.state:
            reason = container.state["waiting"].get("reason")
            text = f'container "{container.name}" in pod "{pod.name}" is waiting to start: {reason}'
            return _status(400, "BadRequest", text)
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        with contextlib.suppress(ConnectionResetError):
            await self._send_log(response, pod, container, query)
            await response.write_eof()
        return response

    async def _send_log(
        self, response: web.StreamResponse, pod: Pod, container: Container, query: Mapping[str, str]
    ) -> None:
        sent = _first_line(container, query)
        while True:
            ended = "terminated" in container.state or pod.gone.is_set()
            news = container.news
            chunk = b"".join(log_lines(container, sent, query.get("timestamps", "").lower() == "true"))
            sent = len(container.lines)
            if chunk:
                await response.write(chunk)
            if ended or query.get("follow", "").lower() != "true":
                return
            await news.wait()

    async def _exec(self, request: web.Request) -> web.StreamResponse:
        pod = self._pod(request)
        container = pod.container(request.query.get("container", pod.mains[0].name))
        if container is None or "running" not in container.state:
            return _status(500, "InternalError", f'unable to upgrade connection: container not found ("{pod.name}")')
        socket = web.WebSocketResponse(protocols=("v4.channel.k8s.io",), timeout=1.0)
        await socket.prepare(request)
        words = request.query.getall("command", [])
        if len(words) == 1 and request.query.get("stdin", "").lower() == "true":
            code = await _shell(socket, container)
        else:
            code = await self._run_in(socket, pod, container, words)
        ended: dict[str, Any] = {"metadata": {}, "status": "Success"}
        if code:
            causes = [{"reason": "ExitCode", "message": str(code)}]
            text = f"command terminated with non-zero exit code: exit code {code}"
            ended = {"metadata": {}, "status": "Failure", "reason": "NonZeroExitCode", "message": text}
            ended["details"] = {"causes": causes}
        await _send(socket, _ERROR, yaml.safe_dump(ended).encode())
        await socket.close()
        return socket

    async def _run_in(self, socket: web.WebSocketResponse, pod: Pod, container: Container, words: list[str]) -> int:
        assert container.place is not None
        real = [container.place.real_within(word) for word in words]
        process = await pod.start(container, real, stderr=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        assert process.stderr is not None

        async def forward(stream: asyncio.StreamReader, channel: int) -> None:
            while chunk := await stream.read(65536):
                await _send(socket, channel, chunk)

        try:
            work = asyncio.gather(forward(process.stdout, _STDOUT), forward(process.stderr, _STDERR))
            await asyncio.wait_for(work, 60)
            return await process.wait()
        finally:
            if process.returncode is None:
                process.kill()


async def _shell(socket: web.WebSocketResponse, container: Container) -> int:
    """A shell that is written to. Its one word is Airflow's, which ends the sidecar: every shell of the container.

    It is not run: without a container's own process table, it would reach every shell of this machine.
    """
    async for message in socket:
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            break
        text = message.data if isinstance(message.data, str) else message.data.decode()
        if text[:1] == chr(_STDIN) and "kill -2" in text:
            container.signal(signal.SIGINT)
            return 130
        await _send(socket, _STDERR, f"this double runs no such command: {text[1:]}".encode())
    return 0


async def _send(socket: web.WebSocketResponse, channel: int, data: bytes) -> None:
    with contextlib.suppress(ConnectionResetError):
        await socket.send_bytes(bytes([channel]) + data)


def _first_line(container: Container, query: Mapping[str, str]) -> int:
    """The number of the line with which the log begins that was asked for."""
    since = datetime.min.replace(tzinfo=UTC)
    if "sinceSeconds" in query:
        since = datetime.now(UTC) - timedelta(seconds=float(query["sinceSeconds"]))
    elif "sinceTime" in query:
        since = datetime.fromisoformat(query["sinceTime"])
    first = sum(moment < since for moment, _ in container.lines)
    return max(first, len(container.lines) - int(query["tailLines"])) if "tailLines" in query else first


def kube_config(file: Path, server: str) -> None:
    """Writes a kubeconfig that leads to a server without credentials."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "double", "cluster": {"server": server}}],
        "users": [{"name": "double", "user": {}}],
        "contexts": [{"name": "double", "context": {"cluster": "double", "user": "double"}}],
        "current-context": "double",
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(config))


def selects(selector: str, labels: Mapping[str, str]) -> bool:
    """Whether labels satisfy ``a=b,c!=d,e,!f``."""
    for requirement in filter(None, selector.split(",")):
        key, sign, value = re.fullmatch(r"(!?[^=!]+?)(?:(==?|!=)(.*))?", requirement.strip()).groups()  # type: ignore[union-attr]
        if sign is None:
            fits = key[1:] not in labels if key.startswith("!") else key in labels
        else:
            fits = (labels.get(key) == value) != (sign == "!=")
        if not fits:
            return False
    return True


def _status(code: int, reason: str, message: str) -> web.Response:
    told = {"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": reason, "message": message}
    return web.json_response({**told, "metadata": {}, "code": code}, status=code)
