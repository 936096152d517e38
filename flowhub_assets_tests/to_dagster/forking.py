"""A job whose steps run in processes of their own, which build it again by this function's name."""

from __future__ import annotations

from pathlib import Path

from dagster import JobDefinition, multiprocess_executor

from flowhub_assets_tests.workflows import location_of


def forking_job(folder: str, name: str) -> JobDefinition:
    """As workflows.job_in, with each step in a process of its own."""
    executor = multiprocess_executor.configured({"start_method": {"forkserver": {}}})
    return location_of(Path(folder), executor).repository().get_job(name)
