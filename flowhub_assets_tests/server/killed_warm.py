"""Processes that answer a webhook and are killed on the way: python -m …killed_warm FOLDER, one for each of STAGES.

Each leaves its Dagster, its database and ``run_id`` in FOLDER/STAGE.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

import pytest

from flowhub_assets.executor import step_log
from flowhub_assets.executor.hybrid import hybrid_executor
from flowhub_assets.server import recording, warm
from flowhub_assets.store import answers
from flowhub_assets_tests.server.backends import backend_over
from flowhub_assets_tests.server.test_warm import kept
from flowhub_assets_tests.server.warm_shapes import SHAPES

STAGES = ("kept", "ran", "answered", "created", "half written", "written")
TRIGGER = {"headers": {}, "body": {"n": 7}}
SHAPE = next(shape for shape in SHAPES if shape.name == "assets")


def _die(*_: object, **__: object) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def _answer(stage: str, base: Path) -> None:
    monkey = pytest.MonkeyPatch()
    with backend_over(base / "pipelines", base, executor=hybrid_executor) as backend:
        submission = kept(backend, "shape", trigger=TRIGGER)
        (base / "run_id").write_text(submission.run_id)
        if stage == "kept":
            _die()
        if stage == "ran":
            monkey.setattr(answers, "keep_answer", _die)
        assert warm.answer(backend, submission).status == SHAPE.status
        if stage == "answered":
            _die()
        if stage == "created":
            monkey.setattr(recording, "write_events", _die)
        if stage == "half written":
            tell, told = backend.instance.handle_new_event, []

            def tell_some(event: Any, **more: Any) -> None:
                told.append(event)
                tell(event, **more)
                if len(told) == 12:
                    assert backend.instance.all_logs(submission.run_id)  # what was told is durable now
                    _die()

            vars(backend.instance)["handle_new_event"] = tell_some
        if stage == "written":
            monkey.setattr(answers, "set_recorded", _die)
        recording.record_answered(backend)
        raise AssertionError(stage)


def main(folder: Path) -> int:
    """All of them, one after the other; the exit status is how many were not killed."""
    wrong = 0
    for stage in STAGES:
        base = folder / stage
        base.mkdir()
        SHAPE.write(base / "pipelines")
        # A fork of this process, which has all modules and no threads: each takes a moment.
        child = os.fork()
        if child == 0:
            step_log._is_fork = False  # it stands for a server that was started, not for a step's child
            try:
                _answer(stage, base)
            except BaseException:  # noqa: BLE001 - this process is a copy of another, and ends here
                traceback.print_exc()
            os._exit(1)
        _, status = os.waitpid(child, 0)
        wrong += os.WIFSIGNALED(status) is False
    return wrong


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
