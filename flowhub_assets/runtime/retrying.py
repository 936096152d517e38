"""Whether a failed task is tried again, and when."""

from __future__ import annotations

from flowhub_assets.errors import (
    FlowhubError,
    RunError,
    TaskCancelled,
    TaskFailed,
    TaskKilled,
    TaskTimedOut,
    ValueRefused,
)
from flowhub_assets.ir.pipeline import Retry, Task

#: Trying again can help only where the task's own code or process failed, or gave a value that is none (NaN, say).
_WORTH_A_RETRY = (TaskFailed, TaskKilled, TaskTimedOut, ValueRefused)


def worth_retry(retry: Retry, error: FlowhubError) -> bool:
    """Whether another try may end otherwise: ``retry.on`` names the error's class or one of its bases, or nothing."""
    if not isinstance(error, _WORTH_A_RETRY):
        return False
    if isinstance(error, TaskFailed) and not error.retry:
        return False
    return not retry.on or bool({*retry.on} & error_names(error))


def is_tolerated(task: Task, error: BaseException, *, last: bool) -> bool:
    """Whether the run goes on all the same: the task says so, the failure is its own, and no other try will be made.

    ``last`` says that no try is left.
    """
    if not task.continue_on_error or not isinstance(error, RunError) or isinstance(error, TaskCancelled):
        return False
    return last or not worth_retry(task.retry, error)


def error_names(error: FlowhubError) -> set[str]:
    """What ``retry.on`` may call this error. A timeout is a TimeoutError too, as in Python."""
    own = {one.__name__ for one in type(error).__mro__}
    if isinstance(error, TaskTimedOut):
        own.add("TimeoutError")
    return own | set(error.error_types) if isinstance(error, TaskFailed) else own


def retry_delay(retry: Retry, attempt: int) -> float:
    """Seconds to wait after the failed ``attempt``, counted from 1. The growth is that of Dagster's RetryPolicy."""
    if retry.backoff == "linear":
        return retry.delay * attempt
    if retry.backoff == "exponential":
        # 2.0 ** 1024 is too large for a float; no one waits that long.
        return retry.delay * (2.0 ** min(attempt, 64) - 1)
    return retry.delay
