"""Modules that the processes of a run's tasks find imported."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from dagster import DagsterInstance

from flowhub_assets.runtime import preload as preloading
from flowhub_assets.runtime.preload import preload
from flowhub_assets_tests.workflows import Workflows

FLOW = """
    @task
    def one(args):
        return {"pid": os.getpid(), "imported_by": sys.modules["slow_module"].BY if "slow_module" in sys.modules else 0}

    @task
    def two(args):
        import slow_module
        return {"first": args["imported_by"], "second": slow_module.BY}

    @flow(name="preloading", imports=["slow_module", "no_such_module"])
    def main(args):
        return two(one(args))
"""


@pytest.fixture
def slow_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "slow_module.py").write_text("import os\nBY = os.getpid()\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "slow_module", raising=False)
    return folder


@pytest.mark.usefixtures("slow_module")
def test_in_dagster_all_tasks_have_what_the_run_imported(workflows: Workflows, instance: DagsterInstance) -> None:
    workflows.write("preloading.py", FLOW)
    result = workflows.run("preloading", instance)
    assert result.success
    assert result.output_for_node("preloading__two") == {"first": os.getpid(), "second": os.getpid()}


def test_a_local_run_does_so_too(tmp_path: Path, slow_module: Path) -> None:
    script = tmp_path / "preloading.py"
    head = "import os, sys\nfrom flowhub import flow, task\n"
    script.write_text(head + "\n".join(line[4:] for line in FLOW.splitlines()))
    code = (
        "import os, sys\n"
        f"sys.path[:0] = [{str(slow_module)!r}]\n"
        "from flowhub_assets.from_python.loading import flows_in, load_module\n"
        "from flowhub_assets.runtime.local import run_pipeline\n"
        f"(flow,) = flows_in(load_module({str(script)!r}))\n"
        "value = run_pipeline(flow.runnable, {}).value\n"
        "assert value == {'first': os.getpid(), 'second': os.getpid()}, value\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=60)


def test_two_threads_wait_for_each_other(slow_module: Path) -> None:
    (slow_module / "slow_module.py").write_text("import os, time\ntime.sleep(0.3)\nBY = os.getpid()\n")
    seen: list[bool] = []

    def ask() -> None:
        preload(["slow_module"])
        seen.append(hasattr(sys.modules["slow_module"], "BY"))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert seen == [True] * 4
    assert not preloading._lock.locked()
