"""What the way in which a task's process ended says to the task's author."""

from __future__ import annotations

import os
import signal

from flowhub_assets.errors import TaskKilled


def ended_without_answer(task: str, status: int) -> TaskKilled:
    """The error for a process that ended before its task returned; ``status`` is what os.waitpid gave."""
    if os.WIFSIGNALED(status):
        return _killed_by(task, os.WTERMSIG(status))
    return TaskKilled(
        f"the process of task {task!r} ended with exit status {os.WEXITSTATUS(status)} before the task returned",
        effect="Its value is lost.",
        remedy="Return from it instead: os._exit, or a library that calls it, ends a process without an answer.",
    )


def _killed_by(task: str, number: int) -> TaskKilled:
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    remedies: dict[int, str] = {
        signal.SIGKILL: "The system may have run out of memory: give the task more, or let it read less at once.",
        signal.SIGSEGV: "A native library crashed: look at the versions of the libraries that the task uses.",
    }
    return TaskKilled(
        f"the process of task {task!r} was killed by {name}",
        effect="Its value is lost.",
        remedy=remedies.get(number, ""),
        signal=number,
    )
