"""``flowhub dev``: all on this machine. Dagster's UI and daemon, HTTP and gRPC, and what the examples ask for."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType

import click

import flowhub_assets
from flowhub_assets.cli.demo_services import Services, dagster_home, demo_services
from flowhub_assets.cli.dev_children import Child, end_all
from flowhub_assets.errors import FlowhubError, InputError

_HOST = "127.0.0.1"
_LOOK_SECONDS = 0.2
#: Seconds for each part to answer: on a busy machine Dagster takes long to import.
_READY_SECONDS = 300.0
_PORT = click.IntRange(1, 65_535)
_WORKSPACE = """\
load_from:
  - python_module:
      module_name: flowhub_assets.definitions
      location_name: flowhub_assets
"""


class _Told(BaseException):
    """A signal to end: Ctrl-C, SIGTERM, or the terminal is gone."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@click.command()
@click.option("--port", type=_PORT, default=3000, show_default=True, help="The port of Dagster's UI.")
@click.option("--http-port", type=_PORT, default=8000, show_default=True, help="The port of HTTP.")
@click.option(
    "--grpc-port", type=click.IntRange(0, 65_535), default=50051, show_default=True, help="That of gRPC; 0 is none."
)
@click.option("--workspace", type=click.Path(exists=True, dir_okay=False), help="A workspace.yaml [./workspace.yaml].")
@click.option("--demo/--no-demo", default=True, help="Start what the shipped pipelines ask for, too.")
def dev(port: int, http_port: int, grpc_port: int, workspace: str | None, demo: bool) -> None:
    """Start Dagster's UI and daemon, HTTP and gRPC, on this machine; one Ctrl-C ends them all.

    Dagster keeps what it writes in DAGSTER_HOME, or in .dagster here.
    """
    ports = {"--port": port, "--http-port": http_port, **({"--grpc-port": grpc_port} if grpc_port else {})}
    _require_free(ports)
    home = dagster_home()
    with _signals() as told:
        code = _dev(ports, home, workspace, told, demo=demo)
    raise SystemExit(code)


def _dev(ports: Mapping[str, int], home: Path, workspace: str | None, told: list[int], *, demo: bool) -> int:
    children: list[Child] = []
    with demo_services(home) if demo else contextlib.nullcontext(Services()) as services:
        try:
            _start(children, ports, home, workspace, told)
            _show(ports, home, services)
            while True:
                _look(children, told)
                time.sleep(_LOOK_SECONDS)
        except _Told as signal_told:
            click.echo("\nEnding…", err=True)
            return 128 + signal_told.number
        finally:
            end_all(children)


def _start(children: list[Child], ports: Mapping[str, int], home: Path, workspace: str | None, told: list[int]) -> None:
    """Dagster first: in a new folder, two at once would make the same tables."""
    env = {**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])}
    ui, http = ports["--port"], ports["--http-port"]
    dagster = ["dagster", "dev", "--host", _HOST, "--port", str(ui), "--workspace", _workspace(home, workspace)]
    click.echo("Starting Dagster…", err=True)
    children.append(Child("Dagster", [sys.executable, "-m", *dagster], env))
    _wait(lambda: _answers(f"http://{_HOST}:{ui}/server_info"), children, told)
    serve = ["serve", "--host", _HOST, "--port", str(http), "--grpc-port", str(ports.get("--grpc-port", 0))]
    serve += ["--ui", f"http://localhost:{ui}", *(["--workspace", workspace] if workspace else [])]
    click.echo("Starting HTTP and gRPC…", err=True)
    children.append(Child("flowhub serve", [sys.executable, "-m", "flowhub_assets.cli", *serve], env))
    _wait(lambda: _answers(f"http://{_HOST}:{http}/healthz"), children, told)


def _workspace(home: Path, given: str | None) -> str:
    if given is not None:
        return given
    if Path("workspace.yaml").is_file():
        return "workspace.yaml"
    own = home / "flowhub-workspace.yaml"
    own.write_text(_WORKSPACE, encoding="utf-8")
    settings = Path(flowhub_assets.__path__[0]).parent / "deploy" / "dagster.yaml"
    if settings.is_file() and not (home / "dagster.yaml").exists():
        shutil.copy(settings, home / "dagster.yaml")
    return str(own)


def _require_free(ports: Mapping[str, int]) -> None:
    """Raises InputError for a port that is taken, before anything is started."""
    for option, port in ports.items():
        same = [other for other, one in ports.items() if one == port and other != option]
        with contextlib.suppress(OSError):
            socket.create_server((_HOST, port)).close()
            if not same:
                continue
        raise InputError(
            f"port {port} is {f'that of {same[0]}, too' if same else 'taken by another process'}",
            where=option,
            effect="Nothing was started.",
            remedy=f"End what listens there, or take another port: {option} {_free_port()}.",
        )


def _free_port() -> int:
    with socket.create_server((_HOST, 0)) as door:
        port: int = door.getsockname()[1]
        return port


@contextlib.contextmanager
def _signals() -> Iterator[list[int]]:
    """The signals to end that have come, by number. A handler is not inherited, an ignored signal would be."""
    told: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        told.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _look(children: list[Child], told: list[int]) -> None:
    """Raises _Told once a signal has come, FlowhubError once a child has ended."""
    if told:
        raise _Told(told[0])
    for child in children:
        if child.exit_code is not None:
            raise FlowhubError(
                f"{child.name} has ended with exit code {child.exit_code}",
                effect="All the others were ended, too.",
                remedy=f"It said last:\n{child.last_lines()}",
            )


def _wait(until: Callable[[], bool], children: list[Child], told: list[int]) -> None:
    last = time.monotonic() + _READY_SECONDS
    while not until():
        _look(children, told)
        if time.monotonic() > last:
            raise FlowhubError(
                f"{children[-1].name} does not answer after {_READY_SECONDS:.0f} s",
                effect="All was ended.",
                remedy=f"It said last:\n{children[-1].last_lines()}",
            )
        time.sleep(_LOOK_SECONDS)


def _answers(url: str) -> bool:
    # Loopback: a proxy of the surroundings is not for it.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with contextlib.suppress(OSError, urllib.error.URLError, ValueError), opener.open(url, timeout=10) as answer:
        return bool(answer.status == 200)
    return False


def _show(ports: Mapping[str, int], home: Path, services: Services) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    http = f"http://localhost:{ports['--http-port']}"
    rows = {
        "Dagster's UI": f"http://localhost:{ports['--port']}",
        "HTTP": http,
        "its pages": f"{http}/docs",
        "webhooks": f"{http}/hooks/PIPELINE",
        "metrics": f"{http}/metrics",
        **({"gRPC": f"localhost:{ports['--grpc-port']}"} if "--grpc-port" in ports else {}),
        "DAGSTER_HOME": str(home),
        **({"for the examples": "; ".join(services.told)} if services.told else {}),
    }
    table = Table(title="Everything runs; Ctrl-C ends it.", title_justify="left", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(Text(name), Text(value))
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    sys.stdout.flush()
