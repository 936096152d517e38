"""Looks of the sensor of object arrival: few new objects among many old ones, against boto3 that lists them all.

Once the objects lie in folders of a thousand, as a day's are, and the new ones in folders all over the list. Once they
lie in one folder, where a page takes this server as long as looking through all of it: the new ones behind all others,
which each look sees; or all over the list, of which a look sees a share. The row of the latter tells what one look
costs, and the next one what all of them cost until the last object was found.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from dagster import DagsterInstance, RunRequest, build_sensor_context

from flowhub_assets.to_dagster.arrival_cursor import Cursor
from flowhub_assets_tests.benchmarks.row import Row, alternating
from flowhub_assets_tests.s3_server import S3Server, boto3_client, put_by_boto3, running_s3_server
from flowhub_assets_tests.workflows import Workflows

_NEW = 10
_IN_A_FOLDER = 1000
_MOST_LOOKS = 100
_OLD = 1_577_836_800  # 2020-01-01
_OTHER = "boto3, the full list"
_PIPELINE = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: new-files}
trigger: {type: object-arrival, prefix: %s, existing: false}
profiles:
  default: {BUCKET: bucket, ENDPOINT: %s, ACCESS_KEY: {env: OWN_KEY}, SECRET_KEY: {env: OWN_SECRET}}
nodes:
- {id: note, type: log, inputs: {message: "{{trigger.key}}"}}
"""


def measure(quick: bool = False) -> list[Row]:
    """Milliseconds of looks among 100,000 old objects and 10 new ones, on one real S3 server."""
    folders, times = (3, 1) if quick else (100, 3)
    with tempfile.TemporaryDirectory(prefix="flowhub-bench-") as folder:
        root = Path(folder)
        bucket = root / "s3" / "bucket"
        for number in range(folders):
            _make_objects(bucket / "days" / f"{number:03}", _IN_A_FOLDER)
        _make_objects(bucket / "inbox", folders * _IN_A_FOLDER)
        with running_s3_server(root / "s3") as server, DagsterInstance.ephemeral() as instance:
            keys = {"OWN_KEY": server.access_key, "OWN_SECRET": server.secret_key}
            with mock.patch.dict(os.environ, keys):
                by_day = Sensor(root / "days", server, instance, "days/")
                inbox = Sensor(root / "inbox", server, instance, "inbox/")
                return [*_in_folders(by_day, folders, times), *_in_one_folder(inbox, folders * _IN_A_FOLDER)]


def _make_objects(folder: Path, objects: int) -> None:
    folder.mkdir(parents=True)
    for number in range(objects):
        path = folder / f"{number:06}.csv"
        path.touch()
        os.utime(path, (_OLD, _OLD))


@dataclass
class Sensor:
    """The sensor of a pipeline for what arrives below ``prefix`` of the server's bucket."""

    folder: Path
    server: S3Server
    instance: DagsterInstance
    prefix: str

    def __post_init__(self) -> None:
        workflows = Workflows(self.folder)
        workflows.write("new_files.yaml", _PIPELINE % (self.prefix, self.server.endpoint), head="")
        self._repository = workflows.repository()
        self._sensor = self._repository.get_sensor_def("new_files_objects")

    def look(self, cursor: str | None) -> tuple[Sequence[RunRequest], str | None]:
        """What a look from that cursor on would start, and the next cursor."""
        with build_sensor_context(self.instance, cursor=cursor, repository_def=self._repository) as context:
            data = self._sensor.evaluate_tick(context)
        return data.run_requests or (), data.cursor

    def first_pass(self) -> str | None:
        """The cursor once all that was there is known, over as many looks as that takes."""
        _, cursor = self.look(None)
        while Cursor.of(cursor).at:
            _, cursor = self.look(cursor)
        return cursor

    def put(self, names: Sequence[str]) -> None:
        """New objects; by the server, which remembers for a while what lies in a folder."""
        for name in names:
            put_by_boto3(self.server, f"{self.prefix}{name}", b"new")

    def looks(self, cursor: str | None) -> tuple[list[float], str | None]:
        """The milliseconds of each look until the new ones are found."""
        told: list[float] = []
        found = 0
        while found < _NEW:
            if len(told) == _MOST_LOOKS:
                raise AssertionError(f"{found} objects were found, not {_NEW}")
            requests: Sequence[RunRequest] = ()

            def one(at: str | None = cursor) -> None:
                nonlocal requests, cursor
                requests, cursor = self.look(at)

            told += alternating([one], 1)
            found += len(requests)
        return told, cursor

    def list_all(self, expected: int) -> Callable[[], None]:
        """A call by which boto3 lists all."""

        def call() -> None:
            pages = boto3_client(self.server).get_paginator("list_objects_v2")
            found = sum(len(page["Contents"]) for page in pages.paginate(Bucket="bucket", Prefix=self.prefix))
            if found != expected:
                raise AssertionError(f"boto3 lists {found:,} objects, not {expected:,}")

        return call


def _in_folders(sensor: Sensor, folders: int, times: int) -> list[Row]:
    objects = folders * _IN_A_FOLDER
    cursor = sensor.first_pass()
    sensor.put([f"{number * folders // _NEW:03}/new-{number}.csv" for number in range(_NEW)])
    ours, theirs = alternating([lambda: sensor.looks(cursor), sensor.list_all(objects + _NEW)], times)
    return [
        Row(f"sensor: {_NEW} new among {objects:,} objects in {folders} folders", ours, theirs, _OTHER, at_most=0.2)
    ]


def _in_one_folder(sensor: Sensor, objects: int) -> list[Row]:
    cursor = sensor.first_pass()
    sensor.put([f"{objects + number:06}.csv" for number in range(_NEW)])
    at_end, following = sensor.looks(cursor)
    sensor.put([f"{(2 * number + 1) * objects // (2 * _NEW):06}-new.csv" for number in range(_NEW)])
    (theirs,) = alternating([sensor.list_all(objects + 2 * _NEW)], 1)
    within, _ = sensor.looks(following)
    told = [
        (f"the same in one folder, new ones behind all others: {_looks(at_end)}", sum(at_end), 0.2),
        ("new ones all over that folder: a look through a share", statistics.median(within), 0.2),
        (f"new ones all over that folder, all found: {_looks(within)}", sum(within), None),
    ]
    return [Row(what, ours, theirs, _OTHER, at_most=at_most) for what, ours, at_most in told]


def _looks(looks: Sequence[float]) -> str:
    return f"{len(looks)} look{'s' if len(looks) > 1 else ''}"
