"""The Dockerfile: what hadolint says of it, what it promises, and its build stage run as it stands.

Its commands run in folders of the test, with a fresh Python, a fresh HOME and nothing of this environment; what they
make is then started as a pod would start it.
"""

from __future__ import annotations

import fnmatch
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flowhub_assets_tests.checkout import ROOT, copy_checkout, tracked
from flowhub_assets_tests.deploy.dockerfile import build, stages
from flowhub_assets_tests.loopback_server import free_port

DOCKERFILE = ROOT / "deploy" / "images" / "Dockerfile"
ARGUMENTS, (BUILD, FINAL) = stages(DOCKERFILE.read_text("utf-8"))
USER = "65532"


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run(
        [hadolint, "--format", "json", str(DOCKERFILE)], capture_output=True, text=True, timeout=60, check=False
    )
    assert json.loads(done.stdout) == []
    assert done.returncode == 0


def test_both_stages_have_the_same_pinned_base() -> None:
    assert BUILD.image == FINAL.image == f"python:{ARGUMENTS['PYTHON']}"
    assert ARGUMENTS["PYTHON"].startswith("3.11.")
    labels = FINAL.of("LABEL")[0]
    assert f'base.name="{FINAL.image}"' in labels


def test_the_final_stage_runs_as_nobody_and_installs_nothing() -> None:
    assert FINAL.of("USER") == [f"{USER}:{USER}"]
    assert "pip uninstall" in " ".join(FINAL.of("RUN"))
    assert not [run for run in FINAL.of("RUN") if " install " in run.replace("install --directory", "")]
    assert FINAL.of("COPY") == ["--from=build /opt/flowhub/venv /opt/flowhub/venv"]
    environment = FINAL.environment()
    assert environment["HOME"] == environment["TMPDIR"] == "/tmp"


def test_the_version_is_that_of_the_package() -> None:
    assert 'version="0.1.0"' in FINAL.of("LABEL")[0]
    assert 'version = "0.1.0"' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_docker_gets_what_is_copied_and_nothing_secret() -> None:
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    copied = {name for rest in BUILD.of("COPY") for name in rest.split()[:-1]}
    assert allowed == copied
    assert "*" in lines
    sent = [name for name in tracked() if any(name.is_relative_to(one) for one in allowed)]
    assert not [name for name in sent if fnmatch.fnmatch(name.name, ".env*")]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the final stage has at /opt/flowhub, made by the commands of the build stage from a clean checkout."""
    root = tmp_path_factory.mktemp("image")
    checkout = copy_checkout(root / "checkout")
    return build(BUILD, checkout, root)


@pytest.mark.timeout(300)
def test_the_image_serves_the_pipelines_and_writes_nowhere_else(installed: Path, tmp_path: Path) -> None:
    app, home, scratch = (tmp_path / name for name in ("app", "home", "scratch"))
    for folder in (app, home, scratch):
        folder.mkdir()
    port = free_port()
    environment = {
        **{
            name: value for name, value in FINAL.environment().items() if name.startswith(("PYTHON", "DAGSTER_DISABLE"))
        },
        "PATH": f"{installed}/venv/bin:/usr/bin:/bin",
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "DAGSTER_HOME": str(home),
    }
    before = listing(installed)
    command = [*json.loads(FINAL.of("CMD")[0])]
    command[command.index("0.0.0.0")] = "127.0.0.1"
    command[command.index("3030")] = str(port)
    log = tmp_path / "log"
    with log.open("w") as out:
        server = subprocess.Popen(command, cwd=app, env=environment, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        try:
            assert healthy(port, environment, server), log.read_text("utf-8")
            asked = subprocess.run(
                ["python", "-W", "ignore", "-c", ASK, str(port)],
                env=environment,
                capture_output=True,
                text=True,
                timeout=60,
                check=True,
            )
        finally:
            server.terminate()
            server.wait(timeout=60)
    assert asked.stdout.strip() == "__repository__ quick_start"
    assert listing(installed) == before
    assert not list(app.iterdir())


ASK = """
import json, sys
from dagster._grpc.client import DagsterGrpcClient
answer = json.loads(DagsterGrpcClient(port=int(sys.argv[1]), host="127.0.0.1").list_repositories())
(symbol,) = answer["repository_symbols"]
from flowhub_assets.definitions import defs
print(symbol["repository_name"], *(name for name in defs.job_names if name.startswith("quick")))
"""


def healthy(port: int, environment: dict[str, str], server: subprocess.Popen[bytes]) -> bool:
    """Whether the probe of the values says so, within a minute."""
    ends = time.monotonic() + 60
    while time.monotonic() < ends and server.poll() is None:
        probe = ["dagster", "api", "grpc-health-check", "--port", str(port)]
        if not subprocess.run(probe, env=environment, capture_output=True, timeout=30, check=False).returncode:
            return True
    return False


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Each file below, with its size and time."""
    found = {}
    for path, _folders, names in os.walk(folder):
        for name in names:
            about = os.lstat(os.path.join(path, name))
            found[os.path.join(path, name)] = (about.st_size, about.st_mtime_ns)
    return found


@pytest.mark.timeout(300)
def test_everything_is_compiled_once_and_for_all(installed: Path) -> None:
    modules = [path for path in (installed / "venv" / "lib").rglob("*.py") if "site-packages/dagster/" in str(path)]
    assert len(modules) > 500
    for module in modules:
        (compiled,) = (module.parent / "__pycache__").glob(f"{module.stem}.cpython-311.pyc")
        # PEP 552: the lowest bit says that a hash is in it, the second whether it is looked at: it is not.
        assert compiled.read_bytes()[4] == 0b01


@pytest.mark.timeout(300)
def test_nothing_that_builds_or_installs_is_in_it(installed: Path) -> None:
    programs = {path.name for path in (installed / "venv" / "bin").iterdir()}
    assert not programs & {"pip", "gcc", "make", "pytest", "uv"}
    assert {"dagster", "dagster-daemon", "dagster-webserver", "flowhub"} <= programs
