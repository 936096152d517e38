"""Runs of real processes: forked, killed, cancelled, of code that has changed, after the launcher has gone."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from flowhub_assets.errors import RunError
from flowhub_assets.executor.dagster_private import WorkerStatus
from flowhub_assets.executor.forked.launcher import ForkingRunLauncher
from flowhub_assets.executor.hybrid import hybrid_executor
from flowhub_assets.server.backend import Backend
from flowhub_assets.server.runs import StartRequest
from flowhub_assets_tests.server.backends import backend_over
from flowhub_assets_tests.server.server_process import within

#: Real processes on a machine that does other things as well.
pytestmark = pytest.mark.timeout(400)

WHO = """\
import json, os
from pathlib import Path
import psutil
from flowhub import flow, task

def tell(args, **told):
    import numpy
    name = f"{args['env']['run_id']}-{args['env']['task']}.json"
    (Path("BASE") / name).write_text(json.dumps({"drawn": numpy.random.random(), **told}))
    return {}

@task
def one(args):
    worker = psutil.Process(os.getppid())
    return tell(args, worker=worker.pid, parent=worker.ppid(), said="good morning")

@task
def other(args):
    return tell(args)

@flow(imports=["numpy.random", "this_is_not_there"], env={"default": {"WORKSPACE": "BASE"}})
def who(args):
    one(args)
    other(args)
"""
WAITS = """\
import time
from pathlib import Path
from flowhub import flow, task

@task
def waiting(args):
    Path("BASE/begun").touch()
    while not Path("BASE/go-on").exists():
        time.sleep(0.02)
    return {"waited": True}

@flow(env={"default": {"WORKSPACE": "BASE"}})
def waits(args):
    waiting(args)
"""


class Launched:
    """A backend over ``base/pipelines`` whose queue is emptied here: as the daemon does it."""

    def __init__(self, backend: Backend, base: Path) -> None:
        self.backend, self.base, self.instance = backend, base, backend.instance

    @property
    def launcher(self) -> ForkingRunLauncher:
        launcher = self.instance.run_launcher
        assert isinstance(launcher, ForkingRunLauncher)
        return launcher

    def start(self, pipeline: str) -> str:
        """The id of a run that was just launched."""
        run_id = self.backend.runs.start(StartRequest(pipeline)).run_id
        no_workspace: Any = None  # which only Dagster's own launcher asks
        self.instance.launch_run(run_id, no_workspace)
        return run_id

    def end_of(self, run_id: str) -> str:
        def ended() -> str | None:
            run = self.instance.get_run_by_id(run_id)
            return run.status.value if run is not None and run.is_finished else None

        return str(within(150, ended))

    def told(self, run_id: str, task: str = "one") -> dict[str, Any]:
        """What the task of a run of ``who`` has told."""
        assert self.end_of(run_id) == "SUCCESS", self.says(run_id)
        told: dict[str, Any] = json.loads((self.base / f"{run_id}-{task}.json").read_text())
        return told

    def says(self, run_id: str) -> str:
        """The messages of the run's events."""
        return "\n".join(entry.message or str(entry.dagster_event) for entry in self.instance.all_logs(run_id))

    def begins(self) -> None:
        within(150, (self.base / "begun").exists)

    def worker_of(self, run_id: str) -> int:
        """The number of the run's process, as the run's file says."""
        return int((self.base / "home" / "run_workers" / run_id).read_text())


@pytest.fixture
def launched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Launched]:
    pipelines = tmp_path / "pipelines"
    pipelines.mkdir()
    for name, text in {"who.py": WHO, "waits.py": WAITS}.items():
        (pipelines / name).write_text(text.replace("BASE", str(tmp_path)))
    monkeypatch.setenv("FLOWHUB_PIPELINES", str(pipelines))
    with backend_over(pipelines, tmp_path, executor=hybrid_executor) as backend:
        yield Launched(backend, tmp_path)
        (tmp_path / "go-on").touch()
    within(60, lambda: all(one.status() == psutil.STATUS_ZOMBIE for one in _parents()))


def _parents() -> list[psutil.Process]:
    """The processes that were started to fork workers, and are there still."""
    return [one for one in psutil.Process().children() if "flowhub_assets.executor.forked.parent" in _words(one)]


def _words(process: psutil.Process) -> list[str]:
    try:
        words: list[str] = process.cmdline()
    except psutil.NoSuchProcess:
        return []
    return words


def test_the_second_run_finds_what_the_first_has_imported(launched: Launched) -> None:
    first, second = (launched.told(run_id) for run_id in [launched.start("who"), launched.start("who")])
    assert first["parent"] == second["parent"]
    assert first["worker"] != second["worker"]
    assert "numpy" in Path(f"/proc/{first['parent']}/maps").read_text()
    assert list((launched.base / "home" / "run_workers").iterdir()) == []


def test_no_two_processes_draw_the_same_numbers(launched: Launched) -> None:
    runs = [launched.start("who") for _ in range(3)]
    drawn = [launched.told(run_id, task)["drawn"] for run_id in runs for task in ("one", "other")]
    assert len(set(drawn)) == len(drawn)


def test_what_a_user_has_changed_is_read_by_the_next_run(launched: Launched) -> None:
    before = launched.told(launched.start("who"))
    file = launched.base / "pipelines" / "who.py"
    file.write_text(file.read_text().replace("good morning", "good evening"))
    after = launched.told(launched.start("who"))
    assert (before["said"], after["said"]) == ("good morning", "good evening")
    assert after["parent"] == before["parent"]


def test_what_is_installed_anew_is_imported_anew(launched: Launched, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = launched.base / "installed"
    installed.mkdir()
    (installed / "once_imported.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(installed), os.environ.get("PYTHONPATH", "")]))
    launched.launcher._modules.append("once_imported")
    first = launched.told(launched.start("who"))
    os.utime(installed / "once_imported.py", (0, 0))
    second = launched.told(launched.start("who"))
    assert first["parent"] != second["parent"]
    within(60, lambda: not psutil.pid_exists(first["parent"]) or _is_over(first["parent"]))


def test_a_worker_that_is_killed_fails_its_run_at_once(launched: Launched) -> None:
    run_id = launched.start("waits")
    launched.begins()
    os.kill(launched.worker_of(run_id), signal.SIGKILL)
    assert launched.end_of(run_id) == "FAILURE"
    assert "was terminated by signal 9 (SIGKILL)" in launched.says(run_id)
    [parent] = _parents()
    within(60, lambda: not parent.children())


def test_a_run_is_cancelled(launched: Launched) -> None:
    run_id = launched.start("waits")
    launched.begins()
    assert launched.launcher.terminate(run_id)
    assert launched.end_of(run_id) == "CANCELED"
    assert not launched.launcher.terminate(run_id)


def test_a_run_that_was_launched_a_moment_ago_is_cancelled(launched: Launched) -> None:
    run_id = launched.start("waits")
    assert launched.launcher.terminate(run_id)
    assert launched.end_of(run_id) == "CANCELED"


def test_a_killed_forking_process_is_replaced(launched: Launched) -> None:
    first = launched.told(launched.start("who"))
    os.kill(first["parent"], signal.SIGKILL)
    second = launched.told(launched.start("who"))
    assert second["parent"] != first["parent"]


def test_where_the_forking_process_cannot_start_the_run_is_not_started_and_says_so(
    launched: Launched, monkeypatch: pytest.MonkeyPatch
) -> None:
    (launched.base / "sitecustomize.py").write_text("import os; os._exit(3)")
    monkeypatch.setenv("PYTHONPATH", str(launched.base))
    with pytest.raises(RunError, match="has ended by itself") as told:
        launched.start("who")
    assert "not started" in str(told.value)


def test_a_run_goes_on_where_the_launcher_is_gone(launched: Launched) -> None:
    run_id = launched.start("waits")
    launched.begins()
    launched.launcher.dispose()
    run = launched.instance.get_run_by_id(run_id)
    assert run is not None
    assert launched.launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING
    (launched.base / "go-on").touch()
    assert launched.end_of(run_id) == "SUCCESS"


def test_a_worker_that_is_killed_after_the_launcher_has_gone_fails_its_run(launched: Launched) -> None:
    run_id = launched.start("waits")
    launched.begins()
    launched.launcher.dispose()
    os.kill(launched.worker_of(run_id), signal.SIGKILL)
    assert launched.end_of(run_id) == "FAILURE"


def test_a_run_whose_process_is_gone_with_all_others_is_known_to_be_so(launched: Launched) -> None:
    run_id = launched.start("waits")
    launched.begins()
    worker = psutil.Process(launched.worker_of(run_id))
    for process in (worker.parent(), worker):
        assert process is not None
        process.kill()
    run = launched.instance.get_run_by_id(run_id)
    assert run is not None
    within(60, lambda: launched.launcher.check_run_worker_health(run).status is WorkerStatus.FAILED)


def _is_over(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
