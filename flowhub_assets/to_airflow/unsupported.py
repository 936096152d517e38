"""What Airflow cannot express of a pipeline, collected: one export tells all of it, nothing is dropped silently."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from flowhub_assets.ir.gpu_presets import unresolved
from flowhub_assets.ir.pipeline import Asset, Pipeline, Task
from flowhub_assets.ir.problem import Problem
from flowhub_assets.ir.task_tree import all_tasks, told
from flowhub_assets.ir.triggers import Partitions
from flowhub_assets.names import dag_id
from flowhub_assets.pods.pod_manifest import OWN_PATHS, OWN_VOLUMES, PodSettings, runs_in_bare_image
from flowhub_assets.runtime.matrix import cells
from flowhub_assets.runtime.partitions import PARTITION
from flowhub_assets.to_airflow.dag_data import of_type, schedule_words, schedules, waits_for_objects

#: Airflow's own default of [core] max_map_length.
MOST_MAPPED = 1024

_Check = Callable[[Pipeline, PodSettings], Iterator[Problem]]


def refused(pipeline: Pipeline, bucket: str | None = None) -> list[Problem]:
    """What would make a DAG that Airflow does not load, or that would never run as it is meant."""
    return [*_required_params_of_scheduled(pipeline, bucket), *_taken_places(pipeline), *_unknown_gpus(pipeline)]


def unsupported(pipeline: Pipeline, settings: PodSettings) -> list[Problem]:
    """All that is exported otherwise than it is written, or not at all, each with what to do about it."""
    return [problem for check in CHECKS for problem in check(pipeline, settings)]


def _required_params_of_scheduled(pipeline: Pipeline, bucket: str | None) -> Iterator[Problem]:
    required = [name for name in pipeline.param_schemas if name not in pipeline.params]
    if required and schedule_words(pipeline, bucket):
        names = ", ".join(map(repr, required))
        yield Problem(
            f"the pipeline starts by itself, but the params {names} have no default",
            pipeline.source,
            "Airflow refuses such a DAG when it loads it",
            "give them defaults, or take its schedule away",
        )


def _taken_places(pipeline: Pipeline) -> Iterator[Problem]:
    """Volumes and folders that every pod has already."""
    for volume in pipeline.volumes:
        if volume.name in OWN_VOLUMES:
            effect = "every pod of the DAG has one of that name"
            yield Problem(f"a volume is called {volume.name!r}", pipeline.source, effect, "call it otherwise")
    for task in all_tasks(pipeline):
        for mount in task.placement.volume_mounts:
            path = mount.mount_path.rstrip("/")
            if any(path == own or own.startswith(f"{path}/") for own in OWN_PATHS):
                what = f"{told(task)} mounts a volume at {mount.mount_path!r}"
                effect = "it would hide the pipeline's code, or the result from Airflow"
                yield Problem(what, task.source, effect, "mount it elsewhere")


def _unknown_gpus(pipeline: Pipeline) -> Iterator[Problem]:
    """GPUs by the names of presets in a profile that has none."""
    for task in unresolved(all_tasks(pipeline)):
        what = f"gpu {task.placement.gpu!r} of {told(task)} names a preset, and the profile has none"
        effect = "nothing says which nodes and which GPUs are meant"
        remedy = "write GPU into the profile: {'a100': {'node_selector': {...}, 'tolerations': [...]}}, or a number"
        yield Problem(what, task.source, effect, remedy)


def _more_than_one_start(pipeline: Pipeline, _settings: PodSettings) -> Iterator[Problem]:
    starts = [f"schedule, {one.cron or f'every {one.interval:g} s'}" for one in schedules(pipeline)]
    starts += [f"trigger, by the assets {', '.join(one.config['assets'])}" for one in of_type(pipeline, "asset")]
    starts += ["trigger, by objects that arrive" for _ in of_type(pipeline, "object-arrival")]
    # The first one is what dag_data.schedule_words exports.
    for start in starts[1:]:
        effect, remedy = "an Airflow DAG has one reason to start", "export a pipeline of its own for it"
        yield Problem(f"a second {start}, is not exported", pipeline.source, effect, remedy)


def _doors(pipeline: Pipeline, settings: PodSettings) -> Iterator[Problem]:
    for trigger in of_type(pipeline, "webhook"):
        path = trigger.config.get("path")
        what = f"the webhook{f' {path!r}' if path else ''} is not served by Airflow"
        conf = '{"conf": {"trigger": {"body": ...}}}'
        remedy = f"let the caller POST {conf} to Airflow's REST API, .../dags/{dag_id(pipeline.name)}/dagRuns"
        yield Problem(what, pipeline.source, "nothing starts the DAG when it is called", remedy)
    for trigger in of_type(pipeline, "run"):
        other, status = trigger.config["pipeline"], trigger.config.get("status", "success")
        what = f"the trigger by runs of {other!r} that end with {status} is not exported"
        remedy = f"let the DAG {dag_id(other)} end in a TriggerDagRunOperator, or take a trigger of type asset"
        yield Problem(what, pipeline.source, "nothing starts the DAG after such a run", remedy)
    for trigger in of_type(pipeline, "model-alias"):
        model, alias = trigger.config["model"], trigger.config["alias"]
        what = f"the trigger by the alias {alias!r} of the model {model!r} is not exported"
        conf = '{"conf": {"trigger": {"model": ..., "alias": ..., "version": ...}}}'
        remedy = (
            f"let a webhook of MLflow's POST {conf} to Airflow's REST API, .../dags/{dag_id(pipeline.name)}/dagRuns"
        )
        yield Problem(what, pipeline.source, "nothing starts the DAG when the alias moves", remedy)
    if settings.bucket is None and of_type(pipeline, "object-arrival"):
        what, remedy = "object-arrival needs a profile with BUCKET", "export with such a profile: --env NAME"
        yield Problem(what, pipeline.source, "nothing starts the DAG when an object arrives", remedy)
    if not waits_for_objects(pipeline, settings.bucket):
        return
    what = "object-arrival is an S3 key sensor, which does not tell which object it has seen"
    effect = "trigger.url and trigger.key are null, and an object that stays there starts the next run, too"
    remedy = "list the prefix in the first task and move away what is done; the cluster needs Airflow's amazon provider"
    yield Problem(what, pipeline.source, effect, remedy)


def _queue(pipeline: Pipeline, _settings: PodSettings) -> Iterator[Problem]:
    for word, value, remedy in (
        ("queue", pipeline.queue, "use concurrency, or a pool of Airflow's"),
        ("priority", pipeline.priority, "give its nodes a priority"),
    ):
        if value:
            what = f"{word} {value!r} of the pipeline is not exported"
            yield Problem(what, pipeline.source, "runs of different DAGs wait for each other in no order", remedy)


def _partitions(pipeline: Pipeline, partitions: Partitions) -> Iterator[Problem]:
    where, starts = pipeline.source, [one for one in pipeline.triggers if one.type != "manual"]
    if not partitions.dimensions:
        what = f"partitions ({partitions.every}) are not exported"
        effect = "tasks find no partition: args['env'] has none, and {{$partition}} is null"
        yield Problem(what, where, effect, "give the span of time as a param of the DAG's run")
    elif PARTITION in {*pipeline.params, *pipeline.param_schemas}:
        what = "the partitions are not exported: the DAG's param partition, which would name one, is the pipeline's own"
        yield Problem(what, where, "tasks find no partition", "give the pipeline's param another name")
    elif pipeline.schedule is not None or starts:
        first = cells(partitions)[0]["key"]
        remedy = f"trigger the DAG for each of the others, with its param partition: {{{PARTITION!r}: ...}}"
        yield Problem(f"what starts by itself is about {first} alone", where, "no other partition is made", remedy)


def _timing(pipeline: Pipeline, _settings: PodSettings) -> Iterator[Problem]:
    if pipeline.partitions is not None:
        yield from _partitions(pipeline, pipeline.partitions)
    parts: list[Pipeline | Asset] = [pipeline, *(task.asset for task in pipeline.tasks if task.asset is not None)]
    if any(one.automation is not None or one.deps for one in parts):
        what, remedy = "automation and deps are not exported", "write a trigger of type asset, a schedule there"
        yield Problem(what, pipeline.source, "nothing starts the DAG when those assets are made anew", remedy)
    for word, value, remedy in (
        ("deadline", pipeline.deadline, "watch the DAG's runs in Airflow"),
        ("freshness", pipeline.freshness, "watch the DAG's runs in Airflow"),
        ("dedupe", pipeline.dedupe, "give the DAG one schedule"),
    ):
        if value is not None:
            what = f"{word} of the pipeline is not exported"
            effect = "each moment of its schedule starts a run" if word == "dedupe" else "nobody is told"
            yield Problem(what, pipeline.source, effect, remedy)


def _of_tasks(pipeline: Pipeline, _settings: PodSettings) -> Iterator[Problem]:
    for task in all_tasks(pipeline):
        yield from _of_task(task)


def _of_task(task: Task) -> Iterator[Problem]:
    if task.retry.backoff == "linear" and task.retry.times > 1:
        what = f"{told(task)} waits longer before each retry, linearly"
        effect = f"Airflow waits {task.retry.delay:g} s each time"
        yield Problem(what, task.source, effect, "write backoff: exponential, which Airflow has")
    if task.asset is not None and task.asset.check:
        what = f"the check of the asset {'/'.join(task.asset.key)!r} is not exported"
        yield Problem(what, task.source, "Airflow has no asset checks", "make it an error node behind a condition")
    if task.loop is not None and task.loop.most > MOST_MAPPED:
        what = f"{told(task)} loops over up to {task.loop.most:,} items"
        effect = f"Airflow maps at most {MOST_MAPPED:,} unless the cluster says otherwise, and fails beyond"
        yield Problem(what, task.source, effect, f"raise [core] max_map_length there to {task.loop.most}")


def _storage(pipeline: Pipeline, settings: PodSettings) -> Iterator[Problem]:
    if settings.bucket is None:
        what = "the profile has no BUCKET"
        effect = (
            "values travel through Airflow's XCom, 48 KiB each at most, and a file that a task writes to its WORKSPACE"
            " is gone with its pod"
        )
        yield Problem(what, pipeline.source, effect, "export with a profile that has BUCKET, or mount a volume")


def _images(pipeline: Pipeline, settings: PodSettings) -> Iterator[Problem]:
    needing = [task for task in all_tasks(pipeline) if task.placement.image is None and not runs_in_bare_image([task])]
    if needing and settings.node_image_is_assumed:
        who = f"and {len(needing) - 1} more need" if needing[1:] else "needs"
        what = f"{told(needing[0])} {who} an image with flowhub_assets, and the profile names none"
        effect = f"their pods ask for {settings.node_image}"
        remedy = "write FLOWHUB_IMAGE into the profile: an image in which flowhub-assets is installed"
        yield Problem(what, needing[0].source, effect, remedy)


CHECKS: tuple[_Check, ...] = (_more_than_one_start, _doors, _queue, _timing, _of_tasks, _storage, _images)
