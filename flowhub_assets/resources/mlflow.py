"""MLflow as a Dagster resource, for plain assets. A flow's tasks have it in their profile: MLFLOW_TRACKING_URI.

dagster-mlflow's resource is not used, though its version is pinned with Dagster's, for it
- calls mlflow's fluent functions, whose active run belongs to the thread and whose URI to the process: two steps that
  run beside each other, as the cells of a matrix do, write into each other's runs;
- writes the tracking URI and whatever else its config names into os.environ, credentials included;
- ends the run by a hook that fires when the step which is last in the graph succeeds: one that is skipped, or fails,
  leaves the run RUNNING;
- is a legacy @resource, without types, for op jobs alone.

What it has in common with ours is what it logs: runs with the Dagster run's id as a tag.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dagster import ConfigurableResource
from pydantic import Field

from flowhub_assets.ml.mlflow_runs import TrackedRun, tracked_run
from flowhub_assets.ml.tracking import TRACKING_URI, UI_URL, tracking
from flowhub_assets.resources.profiles import ProfileResource
from flowhub_assets.resources.settings import read_settings

if TYPE_CHECKING:
    from mlflow import MlflowClient


class MlflowResource(ConfigurableResource):  # type: ignore[type-arg]
    """Where runs and models are kept; a field that is set beats the profile's value.

    Without a URI they lie in the profile's WORKSPACE, in SQLite and a folder. A plain asset:

        @asset
        def report(context: AssetExecutionContext, profile: ProfileResource, mlflow: MlflowResource) -> None:
            with mlflow.run("reports", "weekly", context.run.run_id, profile) as run:
                run.client.log_metric(run.run_id, "rows", 150)
    """

    # A URI may hold a password: repr() is what logs and errors print.
    tracking_uri: str | None = Field(
        default=None, repr=False, description="http://mlflow:5000, say; {env: NAME} where it holds a password."
    )
    url: str | None = Field(default=None, description="Where MLflow's pages are, if not at the URI.")

    def over(self, profile: Mapping[str, Any]) -> dict[str, Any]:
        """The values of ``profile`` with the fields that are set laid over them."""
        given = {TRACKING_URI: self.tracking_uri, UI_URL: self.url}
        return {**profile, **{name: value for name, value in given.items() if value is not None}}

    def client(self, profile: ProfileResource | None = None) -> MlflowClient:
        """MLflow's client for the code location's profile, or ``profile``. Raises ProfileError, RunError."""
        return tracking(self.over(_values(profile)))

    @contextmanager
    def run(
        self, experiment: str, name: str, dagster_run_id: str, profile: ProfileResource | None = None
    ) -> Iterator[TrackedRun]:
        """A new run, FINISHED at the end of the block and FAILED if it raises, with Dagster's run as a tag."""
        env = {**self.over(_values(profile)), "run_id": dagster_run_id, "project": experiment}
        with tracked_run(env, experiment, name, {}) as run:
            yield run


def _values(profile: ProfileResource | None) -> dict[str, Any]:
    return (profile or ProfileResource(name=read_settings().profile)).of()
