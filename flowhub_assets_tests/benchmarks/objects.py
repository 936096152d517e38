"""Looks of the sensor of object arrival: few new objects among many old ones, against boto3 that lists them all.

Once the objects lie in folders of a thousand, as a day's are, and the new ones in folders all over the list. Once they
lie in one folder, where a page takes this server as long as looking through all of it: ten new ones behind all others,
which each look sees, and ten all over the list, of which a look sees a share. Looks and pages of boto3's list take
turns, so that a slow moment hits both. The last row tells what all looks cost until the last new one was found.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import TypeVar
from unittest import mock

from dagster import DagsterInstance, RunRequest, build_sensor_context

from flowhub_assets.to_dagster.arrival_cursor import Cursor
from flowhub_assets.to_dagster.object_arrival import OBJECT_TAG
from flowhub_assets_tests.benchmarks.row import Row, alternating
from flowhub_assets_tests.s3_server import S3Server, boto3_client, put_by_boto3, running_s3_server
from flowhub_assets_tests.workflows import Workflows

_NEW = 10
_IN_A_FOLDER = 1000
_MOST_LOOKS = 100
_PAGE = 1000
#: Of boto3's list so much is taken between two looks.
_SHARE = 10
_OLD = 1_577_836_800  # 2020-01-01
_OTHER = "boto3, the full list"
T = TypeVar("T")
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

    def find_all(self, cursor: str | None) -> None:
        """Looks until the new ones are found, on a slow machine more than once."""
        found = 0
        for _ in range(_MOST_LOOKS):
            requests, cursor = self.look(cursor)
            found += len(requests)
            if found == _NEW:
                return
        raise AssertionError(f"{found} objects were found, not {_NEW}")

    def pages(self) -> Iterator[int]:
        """The numbers of objects of the pages that boto3 lists."""
        pages = boto3_client(self.server).get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket="bucket", Prefix=self.prefix):
            yield len(page["Contents"])


def _in_folders(sensor: Sensor, folders: int, times: int) -> list[Row]:
    objects = folders * _IN_A_FOLDER
    cursor = sensor.first_pass()
    sensor.put([f"{number * folders // _NEW:03}/new-{number}.csv" for number in range(_NEW)])
    calls = [lambda: sensor.find_all(cursor), lambda: _expect(objects + _NEW, sum(sensor.pages()))]
    ours, theirs = alternating(calls, times)
    return [
        Row(f"sensor: {_NEW} new among {objects:,} objects in {folders} folders", ours, theirs, _OTHER, at_most=0.2)
    ]


def _in_one_folder(sensor: Sensor, objects: int) -> list[Row]:
    cursor = first = sensor.first_pass()
    behind = {f"{objects + number:06}.csv" for number in range(_NEW)}
    within = {f"{(2 * number + 1) * objects // (2 * _NEW):06}-new.csv" for number in range(_NEW)}
    sensor.put(sorted(behind | within))
    pages, listed, theirs = sensor.pages(), 0, 0.0
    found: list[str] = []
    one_look: list[float] = []
    looks: list[float] = []
    for _ in range(_MOST_LOOKS):
        took, share = _timed(lambda: sum(islice(pages, max(1, objects // _SHARE // _PAGE))))
        theirs, listed = theirs + took, listed + share
        took, (requests, _) = _timed(lambda: sensor.look(first))
        _expect(_NEW, len(behind.intersection(_names(requests))))
        one_look.append(took)
        if len(found) < 2 * _NEW:
            took, (requests, cursor) = _timed(partial(sensor.look, cursor))
            looks.append(took)
            found += _names(requests)
        elif not share:
            break
    _expect(objects + 2 * _NEW, listed)
    _expect(len(behind | within), len((behind | within).intersection(found)))
    number = f"{len(looks)} look{'s' if len(looks) > 1 else ''}"
    return [
        Row(
            f"one folder, {_NEW} new behind all others: found by one look", fmean(one_look), theirs, _OTHER, at_most=0.2
        ),
        Row(f"one folder, {_NEW} new all over it: one look of {len(looks)}", fmean(looks), theirs, _OTHER, at_most=0.2),
        Row(f"one folder, {_NEW} new all over it: all found after {number}", sum(looks), theirs, _OTHER),
    ]


def _names(requests: Sequence[RunRequest]) -> list[str]:
    return [request.tags[OBJECT_TAG].rpartition("/")[2] for request in requests]


def _timed(call: Callable[[], T]) -> tuple[float, T]:
    begun = time.perf_counter()
    told = call()
    return (time.perf_counter() - begun) * 1000, told


def _expect(expected: int, found: int) -> None:
    if found != expected:
        raise AssertionError(f"{found:,} objects were found, not {expected:,}")
