"""Sensors that delete what a run has left in the cluster: a run worker that is killed for good tidies nothing up.

Nothing else would: an ownerReference leads to the run's Job, which stays for a day so that people can look at it.
"""

from __future__ import annotations

from dagster import (
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    DefaultSensorStatus,
    RunStatusSensorContext,
    SensorDefinition,
    SkipReason,
    run_status_sensor,
)

from flowhub_assets.executor.step_handlers import in_cluster, is_kubernetes

#: How often, in seconds, the daemon looks for runs that have ended.
CHECK_INTERVAL = 30


def leftover_sensors() -> list[SensorDefinition]:
    """One for runs that have failed, one for cancelled ones; none outside of a cluster."""
    return [_sensor(DagsterRunStatus.FAILURE), _sensor(DagsterRunStatus.CANCELED)] if in_cluster() else []


def remove_leftovers(instance: DagsterInstance, run: DagsterRun) -> str:
    """Deletes the run's Jobs that still run; of a cancelled run all there is. Says what it did.

    Raises what the Kubernetes API says, where this process has no right to: the sensor's tick shows it.
    """
    if not is_kubernetes(instance):
        return "its heavy steps are processes of its run worker"
    from flowhub_assets.executor.kubernetes import leftovers  # it costs a second, and only a cluster needs it

    cancelled = run.status is DagsterRunStatus.CANCELED
    names = leftovers.remove_leftovers(instance.run_launcher, run, all_of_it=cancelled)
    return f"run {run.run_id}: deleted {', '.join(names) or 'nothing'}"


def _sensor(status: DagsterRunStatus) -> SensorDefinition:
    @run_status_sensor(
        run_status=status,
        name=f"kubernetes_leftovers_{status.value.lower()}",
        description="Deletes the pods that a run has left in the cluster.",
        minimum_interval_seconds=CHECK_INTERVAL,
        default_status=DefaultSensorStatus.RUNNING,
    )
    def leftovers(context: RunStatusSensorContext) -> SkipReason:
        return SkipReason(remove_leftovers(context.instance, context.dagster_run))

    return leftovers
