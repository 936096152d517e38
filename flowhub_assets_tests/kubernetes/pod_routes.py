"""The log of a container and commands in it, over HTTP, as the kubelet gives them."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import yaml
from aiohttp import WSMsgType, web

from flowhub_assets_tests.kubernetes.cluster import Cluster
from flowhub_assets_tests.kubernetes.objects import Refused
from flowhub_assets_tests.kubernetes.pod import Pod
from flowhub_assets_tests.kubernetes.process import Container, log_lines

_STDIN, _STDOUT, _STDERR, _ERROR = range(4)


class PodRoutes:
    """``.../pods/{name}/log`` and ``/exec``."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def routes(self) -> list[web.RouteDef]:
        one = "/api/v1/namespaces/{namespace}/{resource:pods}/{name}"
        return [web.get(one + "/log", self.log), web.get(one + "/exec", self.exec)]

    def _pod(self, request: web.Request) -> Pod:
        name = request.match_info["name"]
        pod = self._cluster.machine.pods.get((request.match_info["namespace"], name))
        if pod is None or pod.gone.is_set():
            raise Refused(f'pods "{name}" not found', 404, "NotFound")
        return pod

    async def log(self, request: web.Request) -> web.StreamResponse:
        pod, query = self._pod(request), request.query
        if query.get("previous", "").lower() == "true":
            name = query.get("container", pod.mains[0].name)
            raise Refused(f'previous terminated container "{name}" in pod "{pod.name}" not found', 400, "BadRequest")
        if pod.frozen is not None:
            url = f"https://10.0.0.1:10250/containerLogs/{pod.namespace}/{pod.name}"
            raise Refused(f'Get "{url}": dial tcp 10.0.0.1:10250: connect: no route to host', 500, "InternalError")
        if "container" not in query and len(pod.mains) > 1:
            names = " ".join(container.name for container in pod.mains)
            text = f"a container name must be specified for pod {pod.name}, choose one of: [{names}]"
            raise Refused(text, 400, "BadRequest")
        container = pod.container(query.get("container", pod.mains[0].name))
        if container is None:
            raise Refused(f"container {query['container']} is not valid for pod {pod.name}", 400, "BadRequest")
        if "waiting" in container.state:
            reason = container.state["waiting"].get("reason")
            text = f'container "{container.name}" in pod "{pod.name}" is waiting to start: {reason}'
            raise Refused(text, 400, "BadRequest")
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            await _send_log(response, pod, container, query)
            await response.write_eof()
        return response

    async def exec(self, request: web.Request) -> web.StreamResponse:
        pod = self._pod(request)
        container = pod.container(request.query.get("container", pod.mains[0].name))
        if container is None or "running" not in container.state:
            text = f'unable to upgrade connection: container not found ("{pod.name}")'
            raise Refused(text, 500, "InternalError")
        socket = web.WebSocketResponse(protocols=("v4.channel.k8s.io",), timeout=1.0)
        await socket.prepare(request)
        words = request.query.getall("command", [])
        if len(words) == 1 and request.query.get("stdin", "").lower() == "true":
            code = await _shell(socket, container)
        else:
            code = await _run_in(socket, container, words)
        ended: dict[str, Any] = {"metadata": {}, "status": "Success"}
        if code:
            causes = [{"reason": "ExitCode", "message": str(code)}]
            text = f"command terminated with non-zero exit code: exit code {code}"
            ended = {"metadata": {}, "status": "Failure", "reason": "NonZeroExitCode", "message": text}
            ended["details"] = {"causes": causes}
        await _send(socket, _ERROR, yaml.safe_dump(ended).encode())
        await socket.close()
        return socket


async def _send_log(response: web.StreamResponse, pod: Pod, container: Container, query: Mapping[str, str]) -> None:
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
        if pod.frozen is not None:
            raise ConnectionResetError("its node is lost")
        await news.wait()


async def _run_in(socket: web.WebSocketResponse, container: Container, words: list[str]) -> int:
    assert container.place is not None
    real = [container.place.real_within(word) for word in words]
    process = await container.start(real, stderr=asyncio.subprocess.PIPE)
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
