"""A fork in the middle of another thread's import, or of its first use of pydantic: the child does not hang."""

from __future__ import annotations

import importlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowhub_assets.runtime import forking
from flowhub_assets.runtime.child import run_in_child


@pytest.fixture
def half_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A thread stands in the middle of ``import slow_to_import`` until the event is set."""
    gate = threading.Event()
    begun = threading.Event()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "slow_import_gate", (begun, gate), raising=False)
    (tmp_path / "slow_to_import.py").write_text(
        "import sys, threading\n"
        "begun, gate = sys.slow_import_gate\n"
        "if not begun.is_set():\n"
        "    begun.set()\n"
        "    gate.wait(60)\n"
        "value = 42\n"
    )
    thread = threading.Thread(target=importlib.import_module, args=("slow_to_import",), daemon=True)
    thread.start()
    assert begun.wait(20)
    yield gate
    gate.set()
    thread.join(20)
    sys.modules.pop("slow_to_import", None)


def value_of_it() -> int:
    value: int = importlib.import_module("slow_to_import").value
    return value


def test_a_child_does_not_wait_for_the_import_of_a_thread_that_it_has_not(
    half_imported: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forking, "_LONGEST_IMPORT", 0.0)
    assert run_in_child(value_of_it, timeout=20) == 42


def test_a_fork_waits_for_an_import_that_is_nearly_done(half_imported: threading.Event) -> None:
    threading.Timer(0.1, half_imported.set).start()
    seen = sys.modules["slow_to_import"]
    assert run_in_child(lambda: sys.modules.get("slow_to_import") is seen, timeout=20)


def test_the_forking_threads_own_import_goes_on_in_the_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "forks_on_import.py").write_text(
        "import sys\n"
        "from flowhub_assets.runtime.child import run_in_child\n"
        "seen = run_in_child(lambda: 'forks_on_import' in sys.modules, timeout=20)\n"
    )
    try:
        assert importlib.import_module("forks_on_import").seen
    finally:
        sys.modules.pop("forks_on_import", None)


FIRST_USE = """
import builtins, threading
from pydantic import BaseModel
from flowhub_assets.runtime.child import run_in_child

class Model(BaseModel):
    value: object = None

found, real_import, begun = [], builtins.__import__, threading.Event()

def slow_import(name, *rest, **more):
    if threading.current_thread() is user:
        begun.set()
        threading.Event().wait(0.2)
    return real_import(name, *rest, **more)

user = threading.Thread(target=lambda: found.append(Model().model_dump(mode="json")), daemon=True)
builtins.__import__ = slow_import
user.start()
assert begun.wait(20)
print(run_in_child(lambda: Model(value={"a": 1}).model_dump(mode="json"), timeout=20))
"""


def test_a_child_does_not_wait_for_what_pydantic_sets_up_in_another_thread() -> None:
    done = subprocess.run([sys.executable, "-c", FIRST_USE], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("{'value': {'a': 1}}\n", "")
