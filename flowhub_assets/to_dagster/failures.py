"""Errors of a task as Dagster's Failure: a description to read, a traceback without our frames."""

from __future__ import annotations

from dagster import Failure, MetadataValue

from flowhub_assets.errors import FlowhubError
from flowhub_assets.ir.pipeline import Retry
from flowhub_assets.runtime.retrying import worth_retry
from flowhub_assets.runtime.step import failure_args

#: The run of on_failure says which run has failed.
FAILED_RUN_TAG = "flowhub/failed_run"


def as_failure(error: FlowhubError, retry: Retry = Retry()) -> Failure:  # noqa: B008 - frozen
    """The Failure that Dagster shows; its metadata holds error, error_type and traceback, as on_failure takes them.

    ``retry`` is the task's own: it may name the errors that are worth another try.
    """
    told = failure_args({}, "", error)
    return Failure(
        description=str(error),
        metadata={
            "error": MetadataValue.text(told["error"]),
            "error_type": MetadataValue.text(told["error_type"]),
            "traceback": MetadataValue.text(told["traceback"]),
        },
        allow_retries=worth_retry(retry, error),
    )
