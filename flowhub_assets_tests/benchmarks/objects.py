"""A look of the sensor of object arrival: few new objects among many old ones, against boto3 that lists them all.

The objects lie in folders of a thousand, as a day's are; a look finds what is new, wherever it lies.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest import mock

from dagster import DagsterInstance, RunRequest, build_sensor_context

from flowhub_assets.to_dagster.arrival_cursor import Cursor
from flowhub_assets_tests.benchmarks.row import Row, alternating
from flowhub_assets_tests.s3_server import S3Server, boto3_client, put_by_boto3, running_s3_server
from flowhub_assets_tests.workflows import Workflows

_NEW = 10
_IN_A_FOLDER = 1000
_OLD = 1_577_836_800  # 2020-01-01
_PIPELINE = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: new-files}
trigger: {type: object-arrival, prefix: days/, existing: false}
profiles:
  default: {BUCKET: bucket, ENDPOINT: %s, ACCESS_KEY: {env: OWN_KEY}, SECRET_KEY: {env: OWN_SECRET}}
nodes:
- {id: note, type: log, inputs: {message: "{{trigger.key}}"}}
"""


def measure(quick: bool = False) -> list[Row]:
    """Milliseconds of a look among 100,000 old objects and 10 new ones, on one real S3 server."""
    folders, times = (3, 1) if quick else (100, 3)
    with tempfile.TemporaryDirectory(prefix="flowhub-bench-") as folder:
        root = Path(folder)
        days = root / "s3" / "bucket" / "days"
        _make_objects(days, folders)
        with running_s3_server(root / "s3") as server, DagsterInstance.ephemeral() as instance:
            keys = {"OWN_KEY": server.access_key, "OWN_SECRET": server.secret_key}
            with mock.patch.dict(os.environ, keys):
                look = _look(root, server, instance, folders)
                ours, theirs = alternating([look, lambda: _list_all(server, folders * _IN_A_FOLDER + _NEW)], times)
    what = f"sensor: {_NEW} new among {folders * _IN_A_FOLDER:,} objects in {folders} folders"
    return [Row(what, ours, theirs, "boto3, the full list", at_most=0.2)]


def _make_objects(days: Path, folders: int) -> None:
    for number in range(folders):
        day = days / f"{number:03}"
        day.mkdir(parents=True)
        for name in range(_IN_A_FOLDER):
            path = day / f"{name:04}.csv"
            path.touch()
            os.utime(path, (_OLD, _OLD))


def _look(root: Path, server: S3Server, instance: DagsterInstance, folders: int) -> Callable[[], Sequence[RunRequest]]:
    """A look that finds the new ones, which have come after a first one; each begins at the same cursor."""
    workflows = Workflows(root / "workflows")
    workflows.write("new_files.yaml", _PIPELINE % server.endpoint, head="")
    repository = workflows.repository()
    sensor = repository.get_sensor_def("new_files_objects")

    def tick(cursor: str | None) -> tuple[Sequence[RunRequest], str | None]:
        with build_sensor_context(instance, cursor=cursor, repository_def=repository) as context:
            data = sensor.evaluate_tick(context)
        return data.run_requests or (), data.cursor

    _, cursor = tick(None)
    while Cursor.of(cursor).at:  # on a slow machine the first list takes more than one tick
        _, cursor = tick(cursor)
    for number in range(_NEW):
        # By the server, which remembers for a while what lies in a folder.
        put_by_boto3(server, f"days/{number * folders // _NEW:03}/new-{number}.csv", b"new")

    def look() -> Sequence[RunRequest]:
        found, _ = tick(cursor)
        if len(found) != _NEW:
            raise AssertionError(f"{len(found)} objects were found, not {_NEW}")
        return found

    return look


def _list_all(server: S3Server, expected: int) -> None:
    paginator = boto3_client(server).get_paginator("list_objects_v2")
    found = sum(len(page["Contents"]) for page in paginator.paginate(Bucket="bucket", Prefix="days/"))
    if found != expected:
        raise AssertionError(f"boto3 lists {found:,} objects, not {expected:,}")
