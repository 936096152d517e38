"""A container of the Kubernetes double: a local process, its state, its log."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flowhub_assets_tests.kubernetes import container as kubelet
from flowhub_assets_tests.kubernetes.admission import quantity
from flowhub_assets_tests.kubernetes.store import stamp

_LAST_WORDS_SECONDS = 5.0
_LONGEST_MESSAGE = 4096


@dataclass
class Container:
    """One container; ``state`` as in containerStatuses, ``lines`` its log with the time of each line.

    ``changed`` is called when the state is another.
    """

    spec: Mapping[str, Any]
    changed: Callable[[], None] = lambda: None
    state: dict[str, Any] = field(default_factory=lambda: {"waiting": {"reason": "ContainerCreating"}})
    lines: list[tuple[datetime, bytes]] = field(default_factory=list)
    process: asyncio.subprocess.Process | None = None
    place: kubelet.Place | None = None
    variables: dict[str, str] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    oom: bool = False

    @property
    def name(self) -> str:
        return str(self.spec["name"])

    @property
    def exit_code(self) -> int | None:
        """None while it has not ended."""
        return self.state["terminated"]["exitCode"] if "terminated" in self.state else None

    @property
    def memory_limit(self) -> float | None:
        """In bytes."""
        limits = (self.spec.get("resources") or {}).get("limits") or {}
        return quantity(limits["memory"]) if "memory" in limits else None

    def become(self, **state: Any) -> None:
        self.state = state
        self.changed()
        self.tell()

    def tell(self) -> None:
        """Wakes whoever follows the log."""
        told, self.news = self.news, asyncio.Event()
        told.set()

    def signal(self, number: int) -> None:
        """To the process and all that it has started; SIGTERM only to the process, as the kubelet sends it."""
        if self.process is not None and self.process.returncode is None:
            with suppress(ProcessLookupError):
                if number == signal.SIGTERM:
                    os.kill(self.process.pid, number)
                    os.killpg(self.process.pid, signal.SIGCONT)  # it may be held
                else:
                    os.killpg(self.process.pid, number)

    async def ended(self) -> None:
        while "running" in self.state:
            await self.news.wait()

    def status(self) -> dict[str, Any]:
        image = self.spec["image"]
        ran = "waiting" not in self.state
        return {
            "name": self.name,
            "image": image,
            "imageID": f"{image}@sha256:double" if ran else "",
            "ready": "running" in self.state,
            "started": "running" in self.state,
            "restartCount": 0,
            "state": self.state,
            "lastState": {},
            **({"containerID": f"containerd://{self.process.pid}"} if ran and self.process else {}),
        }

    async def start(self, words: list[str], **streams: Any) -> asyncio.subprocess.Process:
        """A process with what the container has; raises OSError or ValueError where the words cannot be started."""
        assert self.place is not None
        if not words:
            raise ValueError("no command specified")
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            # Whoever ignores it hands that on, and a shell then cannot trap it.
            if shutil.which(words[0], path=self.variables.get("PATH")) is None:
                raise FileNotFoundError(f"{words[0]}: no such file or directory")
            words = ["/usr/bin/env", "--default-signal=INT", *words]
        return await asyncio.create_subprocess_exec(
            *words,
            cwd=self.place.working_folder(self.spec),
            env=self.variables,
            stdin=streams.pop("stdin", asyncio.subprocess.DEVNULL),
            stdout=streams.pop("stdout", asyncio.subprocess.PIPE),
            start_new_session=True,
            **streams,
        )

    async def run(self, words: list[str], on_start: Callable[[], None], message_file: Path) -> None:
        """From its start to its end; raises OSError or ValueError where it cannot be started."""
        started = datetime.now(UTC)
        # A pipe of our own: asyncio's wait() ends only when all who have inherited its pipe have let go of it.
        out, into = os.pipe()
        log = await _stream(out)
        try:
            self.process = await self.start(words, stdout=into, stderr=asyncio.subprocess.STDOUT)
        finally:
            os.close(into)
        try:
            on_start()
            self.become(running={"startedAt": stamp(started)})
            await self._await_end(started, log, message_file)
        finally:
            self.signal(signal.SIGKILL)

    async def _await_end(self, started: datetime, log: asyncio.StreamReader, message_file: Path) -> None:
        process = self.process
        assert process is not None
        reading = asyncio.create_task(_read_lines(log, self))
        code = await process.wait()
        # What it has started ends with it: it was process 1 of its container.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(TimeoutError):
            await asyncio.wait_for(reading, _LAST_WORDS_SECONDS)
        reason = "OOMKilled" if self.oom else "Error" if code else "Completed"
        self.terminated(128 - code if code < 0 else code, reason, started, self._last_words(code, message_file))

    def _last_words(self, code: int, message_file: Path) -> str:
        """What stands in its terminationMessagePath; else the end of its log, where the pod wants that."""
        with suppress(OSError):
            if message := message_file.read_bytes()[:_LONGEST_MESSAGE]:
                return message.decode(errors="replace")
        if code and self.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError":
            return b"".join(line for _, line in self.lines[-80:])[-2048:].decode(errors="replace")
        return ""

    def terminated(self, code: int, reason: str, started: datetime, message: str = "") -> None:
        ended: dict[str, Any] = {"exitCode": code, "reason": reason}
        ended |= {"startedAt": stamp(started), "finishedAt": stamp()}
        self.become(terminated=ended | ({"message": message} if message else {}))


async def _stream(descriptor: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(descriptor, "rb", buffering=0))
    return reader


async def _read_lines(stream: asyncio.StreamReader, container: Container) -> None:
    rest = b""
    while chunk := await stream.read(65536):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            _write(container, line + b"\n")
        if whole:
            container.tell()
    if rest:
        _write(container, rest)


def _write(container: Container, line: bytes) -> None:
    """No two lines have the same time: those who follow a log again know by it what they have read."""
    now = datetime.now(UTC)
    if container.lines and container.lines[-1][0] >= now:
        now = container.lines[-1][0] + timedelta(microseconds=1)
    container.lines.append((now, line))


def log_lines(container: Container, start: int, timestamps: bool) -> Iterator[bytes]:
    """The lines from number ``start`` on, as the kubelet gives them."""
    for moment, line in container.lines[start:]:
        yield (moment.strftime("%Y-%m-%dT%H:%M:%S.%f000Z ").encode() if timestamps else b"") + line
