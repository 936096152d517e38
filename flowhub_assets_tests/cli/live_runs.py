"""A running Dagster with pipelines whose runs can be held, failed and cancelled; the verbs, here or over a server.

with live_runs(base) as live: live.verb("run", "steps", "--wait")
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from flowhub_assets.cli.__main__ import flowhub
from flowhub_assets.server.backend import Backend
from flowhub_assets_tests.server.backends import backend_over, served
from flowhub_assets_tests.to_dagster.dagster_stack import Stack, dagster_stack, stack_environment
from flowhub_assets_tests.workflows import location_of

STEPS = """
import time
from pathlib import Path
from flowhub import flow, task

@task
def first(args):
    print("first has", args["n"], flush=True)
    return {"n": args["n"]}

@task(retries=1)
def second(args):
    print("second begins", flush=True)
    last = time.monotonic() + 120
    while not Path("BASE/go").exists() and args["n"] == 7 and time.monotonic() < last:
        time.sleep(0.05)
    if args["n"] == 3 and not Path("BASE/mended").exists():
        raise ValueError("three is not mended")
    return {"n": args["n"] + 1}

@task
def third(args):
    print("third ends", flush=True)
    return {"result": args["n"]}

@flow(params={"n": 1, "city": "Seoul"}, env={"default": {"WORKSPACE": "BASE/values"}})
def steps(args):
    return third(second(first(args)))
"""

#: A matrix: of data set small the model poor fails until BASE/trained is there.
MATRIX = """
from pathlib import Path
from flowhub import flow, task

@task
def model(args):
    cell = args["env"]["partition"]
    if cell["key"] == "small|poor" and not Path("BASE/trained").exists():
        raise ValueError("poor is not trained")
    return {"of": cell["key"]}

@flow(partitions={"model": ["good", "poor"], "data_set": ["small", "large"]}, env={"default": {"WORKSPACE": "BASE/v"}})
def matrix(args):
    return model(args)
"""


@dataclass(frozen=True)
class Live:
    """``urls`` has the address of a server over the same Dagster."""

    stack: Stack
    backend: Backend
    url: str

    def verb(self, *words: str, how: str = "remote", stdin: str | None = None) -> Result:
        """``flowhub`` with these words, over the server or, ``local``, over DAGSTER_HOME."""
        env: dict[str, str | None] = {
            "DAGSTER_HOME": str(self.stack.base / "home"),
            "FLOWHUB_URL": self.url if how == "remote" else None,
            "FLOWHUB_TOKEN": None,
            "FLOWHUB_UI": "http://dagster.test",
        }
        return CliRunner().invoke(flowhub, list(words), env=env, input=stdin)

    @contextlib.contextmanager
    def process(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """``flowhub`` over the server, as a process that goes on."""
        command = [sys.executable, "-m", "flowhub_assets.cli", *words]
        env = {**stack_environment(self.stack.base), "FLOWHUB_URL": self.url}
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                process.kill()

    def wait(self, until: Callable[[], Any], what: str, seconds: float = 90) -> Any:
        """Looks until ``until`` gives something."""
        last = time.monotonic() + seconds
        while time.monotonic() < last:
            if found := until():
                return found
            time.sleep(0.1)
        raise TimeoutError(f"{what} did not come\n{self.stack.log.read_text()[-3000:]}")


@contextlib.contextmanager
def live_runs(base: Path) -> Iterator[Live]:
    """For a module's fixture: a Dagster takes seconds to start."""
    with (
        dagster_stack(base, {"steps.py": STEPS, "matrix.py": MATRIX}) as stack,
        backend_over(stack.workflows, base) as backend,
        served(backend) as url,
        pytest.MonkeyPatch.context() as patch,
    ):
        # What FLOWHUB_PIPELINES says is read once in a process.
        patch.setattr("flowhub_assets.definitions.location", location_of(stack.workflows))
        yield Live(stack, backend, url)
