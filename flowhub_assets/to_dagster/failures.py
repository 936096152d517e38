"""Errors of a task as Dagster's Failure: a description to read, a traceback without our frames."""

from __future__ import annotations

from dagster import Failure, MetadataValue

from flowhub_assets.errors import FlowhubError, TaskFailed, TaskKilled, TaskTimedOut, ValueRefused
from flowhub_assets.runtime.step import failure_args

#: Trying again can help only where the task's own code or process failed, or gave a value that is none (NaN, say).
_WORTH_A_RETRY = (TaskFailed, TaskKilled, TaskTimedOut, ValueRefused)


def as_failure(error: FlowhubError) -> Failure:
    """The Failure that Dagster shows; its metadata holds error, error_type and traceback, as on_failure takes them."""
    told = failure_args({}, "", error)
    return Failure(
        description=str(error),
        metadata={
            "error": MetadataValue.text(told["error"]),
            "error_type": MetadataValue.text(told["error_type"]),
            "traceback": MetadataValue.text(told["traceback"]),
        },
        allow_retries=isinstance(error, _WORTH_A_RETRY),
    )
