"""The code blocks of a README, and what it means to run each.

A block's first words say its language, and perhaps ``title="file"``; an HTML comment right above it may say more:

``<!-- output -->``   a text block: its lines stand in the last command's output, in this order; ``...`` is anything
``<!-- exit 1 -->``   the command ends with this code
``<!-- serves -->``   the command runs until it is stopped and answers over HTTP on the port in the variable PORT
``<!-- dry run -->``  make only says what it would do (what runs the tests cannot be run by a test)
``<!-- your servers -->``  the command asks servers of the reader's; their addresses in it become those of ``servers``

Python with a title is saved and loaded, without one it is run as a script; bash is run; JSON, YAML and TOML are read.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from flowhub_assets_tests.loopback_server import free_port

_FENCE = re.compile(
    r"(?:^<!-- *(?P<marker>[^\n]*?) *-->\n)?"
    r"^(?P<indent> *)```(?P<language>\w*)(?P<rest>[^\n]*)\n(?P<code>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_TITLE = re.compile(r'title="?(?P<title>[\w./-]+)"?')
_COMMENT_TITLE = re.compile(r"# (?P<title>[\w./-]+\.\w+)\n")
_LOAD = "import runpy, sys; runpy.run_path(sys.argv[1], run_name='from_the_readme')"


@dataclass(frozen=True)
class Block:
    """One fenced block: where it begins, its language, the file it is, what the comment above it says."""

    line: int
    language: str
    title: str
    marker: str
    code: str


class BlockFailed(AssertionError):
    """A block that does not do what the README says; the message begins with its line."""

    def __init__(self, block: Block, what: str) -> None:
        super().__init__(f"line {block.line}: {what}\n{block.code}")


def blocks_of(text: str) -> list[Block]:
    """The fenced blocks of a Markdown text, in their order."""
    found = []
    for match in _FENCE.finditer(text):
        code = re.sub(f"^{match['indent']}", "", match["code"], flags=re.MULTILINE)
        title = _TITLE.search(match["rest"]) or _COMMENT_TITLE.match(code)
        line = text.count("\n", 0, match.start("language")) + 1
        found.append(Block(line, match["language"], title["title"] if title else "", match["marker"] or "", code))
    return found


def run_blocks(
    blocks: list[Block],
    folder: Path,
    environment: Mapping[str, str],
    seconds: float = 300,
    servers: Mapping[str, str] | None = None,
) -> None:
    """Each block in its order, in ``folder``; raises BlockFailed at the first that fails or takes ``seconds``.

    ``servers``: each address that a block marked ``your servers`` names, and the one that answers here.
    """
    said = ""
    for written in blocks:
        block = _served(written, servers or {})
        if block.language in ("", "text"):
            if block.marker == "output":
                _compare(block, said)
            continue
        _save(block, folder)
        if block.language in ("json", "yaml", "toml"):
            _read(block)
        elif block.language == "python":
            said = _run(block, _python(block, folder), folder, environment, seconds)
        elif block.language == "bash":
            command = ["bash", "-euo", "pipefail", "-c", block.code]
            run = _serve if block.marker == "serves" else _run
            said = run(block, command, folder, environment, seconds)
        else:
            raise BlockFailed(block, f"nothing here runs the language {block.language!r}")


def _served(block: Block, servers: Mapping[str, str]) -> Block:
    if block.marker != "your servers":
        return block
    unused = [address for address in servers if address not in block.code]
    if not servers or unused:
        raise BlockFailed(block, f"it names none of the servers {unused or 'that a test gives'}")
    code = block.code
    for address, here in servers.items():
        code = code.replace(address, here)
    return replace(block, code=code)


def _save(block: Block, folder: Path) -> None:
    if block.title:
        path = folder / block.title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.code, encoding="utf-8")


def _python(block: Block, folder: Path) -> list[str]:
    if block.title:
        return [sys.executable, "-c", _LOAD, str(folder / block.title)]
    return [sys.executable, "-c", block.code]


def _read(block: Block) -> None:
    readers: dict[str, Callable[[str], object]] = {"json": json.loads, "yaml": yaml.safe_load, "toml": tomllib.loads}
    try:
        readers[block.language](block.code)
    except ValueError as error:
        raise BlockFailed(block, str(error)) from error
    except yaml.YAMLError as error:
        raise BlockFailed(block, str(error)) from error


def _run(block: Block, command: list[str], folder: Path, environment: Mapping[str, str], seconds: float) -> str:
    wanted = int(block.marker.removeprefix("exit ")) if block.marker.startswith("exit ") else 0
    more = {"MAKEFLAGS": "n"} if block.marker == "dry run" else {}
    process = _start(command, folder, {**environment, **more})
    try:
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise BlockFailed(block, f"still running after {seconds:g} s") from error
    finally:
        _stop(process)
    if process.returncode != wanted:
        raise BlockFailed(block, f"ended with {process.returncode}, not {wanted}, and said\n{said}")
    return said


def _serve(block: Block, command: list[str], folder: Path, environment: Mapping[str, str], seconds: float) -> str:
    port = free_port()
    ports = {"PORT": str(port), "HTTP": str(free_port()), "GRPC": str(free_port())}
    log = folder / ".served.log"
    with log.open("w") as out:
        process = _start(command, folder, {**environment, **ports}, stdout=out.fileno())
        try:
            answered = _answers(f"http://127.0.0.1:{port}/", process, seconds)
        finally:
            _stop(process)
    said = log.read_text("utf-8")
    if not answered:
        raise BlockFailed(block, f"no answer on port {port}; it said\n{said}")
    return said


def _answers(url: str, process: subprocess.Popen[str], seconds: float) -> bool:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, OSError), urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
        time.sleep(0.2)
    return False


def _start(
    command: list[str], folder: Path, environment: Mapping[str, str], stdout: int = subprocess.PIPE
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def _stop(process: subprocess.Popen[str]) -> None:
    """Ends the process, politely first, and whatever it left running in its session's group."""
    for sign in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=30)


def _compare(block: Block, said: str) -> None:
    wanted = (line.strip() for line in block.code.splitlines() if line.strip() not in ("", "..."))
    lines = iter(said.splitlines())
    for line in wanted:
        pattern = ".*".join(re.escape(part.strip()) for part in line.split("..."))
        if not any(re.fullmatch(rf"\s*{pattern}\s*", heard) for heard in lines):
            raise BlockFailed(block, f"{line!r} is missing, or out of order, in the output\n{said}")
