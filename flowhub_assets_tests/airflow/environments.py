"""Environments with a real Airflow, made once and kept: 2.11 and the newest 3.x.

    python -m flowhub_assets_tests.airflow.environments     makes what is missing; `make airflow-envs` calls it

Each lies in the checkout, as .airflow-2 and .airflow-3, or in the folder FLOWHUB_AIRFLOW_ENVIRONMENTS, which clones can
share. It is made anew when its lock (deploy/constraints-airflow-*.txt) has changed. Both want Python 3.11 or 3.12.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
VERSIONS = ("2", "3")

_PYTHONS = ("3.11", "3.12")
_SECONDS = 1200.0
_MAKER = "1"  # part of the stamp: a new way of making makes them anew
_missing: dict[str, str] = {}


class EnvironmentMissing(Exception):
    """An environment that could not be made, and why."""


@dataclass(frozen=True)
class Environment:
    """``version`` is "2" or "3"; ``database`` an empty, migrated one, to be copied."""

    version: str
    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def database(self) -> Path:
        return self.folder / "home" / "airflow.db"


def environment(version: str) -> Environment:
    """The environment of Airflow 2 or 3, made first where it is missing or stale; raises EnvironmentMissing.

    The clock of the running test stands still meanwhile. Several processes may ask at once: one makes it.
    """
    wanted = Environment(version, _home() / f".airflow-{version}")
    if version in _missing:
        raise EnvironmentMissing(_missing[version])
    if _is_made(wanted):
        return wanted
    with _test_clock_stopped(), _locked(_home() / f".airflow-{version}.lock"):
        try:
            if not _is_made(wanted):
                _make(wanted)
        except (OSError, subprocess.SubprocessError, EnvironmentMissing) as error:
            _missing[version] = f"the environment of Airflow {version} cannot be made in {wanted.folder}: {error}"
            raise EnvironmentMissing(_missing[version]) from error
    return wanted


def settings(made: Environment, home: Path, dags: Path) -> dict[str, str]:
    """The variables of a process with an Airflow of its own in ``home``; nothing of this process's gets there."""
    return {
        "PATH": f"{made.folder / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin",
        "HOME": str(home),
        "TMPDIR": str(home),
        "LANG": "C.UTF-8",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "SequentialExecutor" if made.version == "2" else "LocalExecutor",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        # What 2.11 warns of by itself, whatever its DAGs are.
        "AIRFLOW__METRICS__TIMER_UNIT_CONSISTENCY": "True",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        # A connection that says nothing: the cluster is that of KUBECONFIG, and no database is asked.
        "AIRFLOW_CONN_KUBERNETES_DEFAULT": "kubernetes://",
    }


def _home() -> Path:
    return Path(os.environ.get("FLOWHUB_AIRFLOW_ENVIRONMENTS") or ROOT).resolve()


def _lock_file(made: Environment) -> Path:
    return ROOT / "deploy" / f"constraints-airflow-{made.version}.txt"


def _stamp(made: Environment) -> str:
    return hashlib.sha256(_MAKER.encode() + _lock_file(made).read_bytes()).hexdigest()


def _is_made(made: Environment) -> bool:
    stamp = made.folder / "stamp"
    return stamp.is_file() and stamp.read_text("utf-8") == _stamp(made) and made.python.exists()


def _make(made: Environment) -> None:
    shutil.rmtree(made.folder, ignore_errors=True)
    made.folder.parent.mkdir(parents=True, exist_ok=True)
    _run([_python(), "-m", "venv", "--without-pip", str(made.folder)])
    _install(made)
    made.database.parent.mkdir()
    variables = settings(made, made.database.parent, made.database.parent / "dags")
    _run([str(made.folder / "bin" / "airflow"), "db", "migrate"], env=variables)
    (made.folder / "stamp").write_text(_stamp(made), "utf-8")


def _install(made: Environment) -> None:
    """By uv, which takes seconds; by pip where uv is not there or does not reach an index that pip does."""
    lock, python = str(_lock_file(made)), str(made.python)
    uv = shutil.which("uv", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))))
    if uv:
        certificates = os.environ.get("PIP_CERT")
        variables = {**os.environ, **({"SSL_CERT_FILE": certificates} if certificates else {})}
        with contextlib.suppress(EnvironmentMissing):
            words = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, "--requirements", lock]
            return _run(words, env=variables)
    return _run([sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--requirement", lock])


def _python() -> str:
    if f"{sys.version_info[0]}.{sys.version_info[1]}" in _PYTHONS:
        return sys.executable
    for version in _PYTHONS:
        if found := shutil.which(f"python{version}"):
            return found
    raise EnvironmentMissing(f"Airflow 2.11 needs Python {' or '.join(_PYTHONS)}, and none is on PATH")


def _run(words: list[str], env: dict[str, str] | None = None) -> None:
    done = subprocess.run(words, env=env, cwd=ROOT, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise EnvironmentMissing(f"{' '.join(words[:4])} ... ended with {done.returncode}:\n{said}")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + 2 * _SECONDS
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise EnvironmentMissing(f"another process has held {path} for too long") from None
                time.sleep(0.2)
        yield


@contextlib.contextmanager
def _test_clock_stopped() -> Iterator[None]:
    """pytest-timeout's timer is the process's: what a test waits for here is not its own time."""
    left, interval = signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, left, interval)


def main() -> int:
    """Makes what is missing, and says how long it took."""
    for version in VERSIONS:
        begun = time.monotonic()
        try:
            made = environment(version)
        except EnvironmentMissing as error:
            print(error, file=sys.stderr)
            return 1
        print(f"Airflow {version}: {made.folder} ({time.monotonic() - begun:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
