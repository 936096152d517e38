"""What the shipped pipelines ask of the outside world, for as long as a block or a command takes.

``flowhub demo-services dagster dev`` starts it around any command.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import click

from flowhub_assets.cli.demo_api import demo_api
from flowhub_assets.cli.demo_postgres import NoPostgres, demo_postgres
from flowhub_assets.errors import InputError

API_URL = "DEMO_API_URL"
DATABASE_URL = "DEMO_WAREHOUSE_URL"
MODEL_URL = "VLLM_URL"

#: How long a command may take to end after Ctrl-C before it is asked by a signal of its own.
_GRACE_SECONDS = 30
_LOOK_SECONDS = 1


@dataclass
class Services:
    """What runs: ``told`` a line for people; ``missing`` the variables that could not be set, and why."""

    told: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def demo_services(home: Path) -> Iterator[Services]:
    """Starts the services and names them in the environment; a variable that is set already is left as it is.

    ``home`` is a folder for what they write. At the end they are stopped, and the environment is as it was.
    """
    services = Services()
    with contextlib.ExitStack() as stack:
        if _is_set(DATABASE_URL):
            services.told.append(f"{DATABASE_URL} is set and used")
        else:
            # Before any thread: it starts a process.
            try:
                url = stack.enter_context(demo_postgres(home))
                stack.enter_context(_environment({DATABASE_URL: url}))
                services.told.append("PostgreSQL")
            except NoPostgres as problem:
                services.missing[DATABASE_URL] = problem.what
                services.told.append(f"no database ({problem.what}; {problem.remedy})")
        wanted = [name for name in (API_URL, MODEL_URL) if not _is_set(name)]
        services.told += [f"{name} is set and used" for name in (API_URL, MODEL_URL) if name not in wanted]
        if wanted:
            address = stack.enter_context(demo_api())
            urls = {API_URL: address, MODEL_URL: f"{address}/v1"}
            stack.enter_context(_environment({name: urls[name] for name in wanted}))
            services.told.append(f"topics, wines and a stand-in for a language model at {address}")
        yield services


@contextlib.contextmanager
def stopped_in_order() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does: what it has started is stopped."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@click.command(
    "demo-services",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    short_help="Start what the shipped pipelines need around a command.",
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def run_with_services(command: tuple[str, ...]) -> None:
    """Start a PostgreSQL, a small web service and a stand-in for a language model, then COMMAND.

    The shipped pipelines find them by the variables DEMO_WAREHOUSE_URL, DEMO_API_URL and VLLM_URL. They are stopped
    when COMMAND ends, whose exit code is this command's.
    """
    if not command:
        raise InputError(
            "no command is given",
            effect="Nothing was started.",
            remedy="Name one: flowhub demo-services dagster dev.",
        )
    with stopped_in_order(), demo_services(dagster_home()) as services:
        click.echo(f"For the shipped pipelines: {'; '.join(services.told)}.", err=True)
        code = _run(command)
    raise SystemExit(code)


def dagster_home() -> Path:
    """Where Dagster keeps what it writes: DAGSTER_HOME, else .dagster here. It is made, and set, if it is missing."""
    os.environ.setdefault("DAGSTER_HOME", str(Path(".dagster").absolute()))
    home = Path(os.environ["DAGSTER_HOME"])
    home.mkdir(parents=True, exist_ok=True)
    return home


def _run(command: tuple[str, ...]) -> int:
    """Runs it to its end. Raises InputError if there is no such command."""
    try:
        process = subprocess.Popen(command)
    except OSError as error:
        raise InputError(
            f"{command[0]!r} cannot be started: {error.strerror}",
            effect="Nothing was run.",
            remedy="Name a command that this shell finds.",
        ) from None
    try:
        with _interrupts() as interrupts:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    code = process.wait(_LOOK_SECONDS)
                    return code if code >= 0 else 128 - code
                # The terminal has sent it to the command as well, which now puts away what is its own.
                if interrupts and time.monotonic() - interrupts[0] > _GRACE_SECONDS:
                    process.terminate()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


@contextlib.contextmanager
def _interrupts() -> Iterator[list[float]]:
    """When Ctrl-C was pressed. It is noted, not raised: a second one in the midst of Popen.wait would leave a lock of
    Popen's taken, and the command's end would never be seen.
    """
    pressed: list[float] = []
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:  # a command in the background, which Ctrl-C is not for
        yield pressed
        return
    signal.signal(signal.SIGINT, lambda *_: pressed.append(time.monotonic()))
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


def _is_set(name: str) -> bool:
    return bool(os.environ.get(name, "").strip())


@contextlib.contextmanager
def _environment(added: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in added}
    os.environ.update(added)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
