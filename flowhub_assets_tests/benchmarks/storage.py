"""get_storage against boto3 and rclone: one large file and many small ones, up and down, on one real S3 server.

The contestants take turns within each round and the best round of each counts, so that whatever else the machine does
meets all of them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from flowhub_assets import get_storage
from flowhub_assets_tests.benchmarks.row import Row
from flowhub_assets_tests.s3_server import S3Server, boto3_client, rclone_binary, running_s3_server

MIB = 1024 * 1024
_BUCKET = "bucket"
_BOTO_THREADS = 16
_LARGE_AT_MOST = {"boto3": 1.1, "rclone": 1.1}
_SMALL_AT_MOST = {"boto3 one by one": 0.4, f"boto3 in {_BOTO_THREADS} threads": 0.4}


@dataclass(frozen=True)
class Contestant:
    """One way to move files; each takes local paths and keys of the bucket."""

    name: str
    up: Callable[[], object]
    down: Callable[[], object]


def measure(quick: bool = False) -> list[Row]:
    """Milliseconds to move one large file, and many small ones."""
    large, files, file_size, rounds = (MIB, 5, 1024, 1) if quick else (256 * MIB, 2000, 10 * 1024, 3)
    with tempfile.TemporaryDirectory(prefix="flowhub-bench-") as folder:
        root = Path(folder)
        (root / "server" / _BUCKET).mkdir(parents=True)
        _make_files(root, large, files, file_size)
        with running_s3_server(root / "server") as server:
            one_file, many_files = _large_contestants(root, server), _small_contestants(root, server)
            return [
                *_rows(f"one file of {large / MIB:g} MiB", _best(one_file, rounds), _LARGE_AT_MOST),
                *_rows(f"{files:,} files of {file_size / 1024:g} KiB", _best(many_files, rounds), _SMALL_AT_MOST),
            ]


def _make_files(root: Path, large: int, files: int, file_size: int) -> None:
    with open(root / "large.bin", "wb") as file:
        file.writelines(os.urandom(min(MIB, large - at)) for at in range(0, large, MIB))
    (root / "small").mkdir()
    for number in range(files):
        (root / "small" / f"{number:05}.bin").write_bytes(os.urandom(file_size))


def _best(contestants: list[Contestant], rounds: int) -> dict[str, dict[str, float]]:
    """Direction, contestant's name to seconds."""
    best: dict[str, dict[str, float]] = {"up": {}, "down": {}}
    # All downloads come after all uploads: the server takes the MD5 of an object when it is first asked for, which
    # would be charged to the download of one and to the upload of another.
    for direction, seconds in best.items():
        for number in range(rounds):
            first = number % len(contestants)
            for one in contestants[first:] + contestants[:first]:
                spent = _seconds(one.up if direction == "up" else one.down)
                seconds[one.name] = min(spent, seconds.get(one.name, spent))
    return best


def _seconds(work: Callable[[], object]) -> float:
    # What one contestant leaves in the disk's queue would otherwise be paid by the next.
    os.sync()
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _rows(what: str, best: dict[str, dict[str, float]], at_most: dict[str, float]) -> list[Row]:
    return [
        Row(f"{what}, {direction}", seconds["ours"] * 1000, other * 1000, name, at_most=at_most.get(name))
        for direction, seconds in best.items()
        for name, other in seconds.items()
        if name != "ours"
    ]


def _large_contestants(root: Path, server: S3Server) -> list[Contestant]:
    storage, boto, rclone = get_storage(server.env()), boto3_client(server), _Rclone(server)
    source, target = str(root / "large.bin"), root / "down"
    target.mkdir()

    def fresh(name: str) -> str:
        (target / name).unlink(missing_ok=True)
        return str(target / name)

    return [
        Contestant(
            "ours",
            lambda: storage.upload(source, "ours/ours.bin"),
            lambda: storage.download("ours/ours.bin", os.path.dirname(fresh("ours.bin"))),
        ),
        Contestant(
            "boto3",
            lambda: boto.upload_file(source, _BUCKET, "boto3.bin"),
            lambda: boto.download_file(_BUCKET, "boto3.bin", fresh("boto3.bin")),
        ),
        Contestant(
            "rclone",
            lambda: rclone("copyto", source, f"server:{_BUCKET}/rclone.bin"),
            lambda: rclone("copyto", f"server:{_BUCKET}/rclone.bin", fresh("rclone.bin")),
        ),
    ]


def _small_contestants(root: Path, server: S3Server) -> list[Contestant]:
    storage, boto, rclone = get_storage(server.env()), boto3_client(server), _Rclone(server)
    source, names = root / "small", sorted(os.listdir(root / "small"))

    def fresh(name: str) -> Path:
        target = root / f"small-{name}"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        return target

    def boto_up(name: str) -> None:
        boto.upload_file(str(source / name), _BUCKET, f"boto3/{name}")

    def boto_down(target: Path) -> Callable[[str], None]:
        return lambda name: boto.download_file(_BUCKET, f"boto3/{name}", str(target / name))

    def at_once(work: Callable[[str], None]) -> None:
        with ThreadPoolExecutor(_BOTO_THREADS) as pool:
            list(pool.map(work, names))

    def one_by_one(work: Callable[[str], None]) -> None:
        for name in names:
            work(name)

    return [
        Contestant(
            "ours",
            lambda: storage.upload_folder(source, "ours"),
            lambda: storage.download_folder("ours", fresh("ours")),
        ),
        Contestant(
            "boto3 one by one",
            lambda: one_by_one(boto_up),
            lambda: one_by_one(boto_down(fresh("boto3"))),
        ),
        Contestant(
            f"boto3 in {_BOTO_THREADS} threads",
            lambda: at_once(boto_up),
            lambda: at_once(boto_down(fresh("boto3"))),
        ),
        Contestant(
            "rclone",
            lambda: rclone("copy", str(source), f"server:{_BUCKET}/rclone"),
            lambda: rclone("copy", f"server:{_BUCKET}/rclone", str(fresh("rclone"))),
        ),
    ]


class _Rclone:
    """Calls rclone with the server as remote ``server``, configured by the environment alone."""

    def __init__(self, server: S3Server) -> None:
        self._binary = rclone_binary()
        self._env = {
            **os.environ,
            "RCLONE_CONFIG": os.devnull,
            "RCLONE_CONFIG_SERVER_TYPE": "s3",
            "RCLONE_CONFIG_SERVER_PROVIDER": "Rclone",
            "RCLONE_CONFIG_SERVER_ENDPOINT": server.endpoint,
            "RCLONE_CONFIG_SERVER_ACCESS_KEY_ID": server.access_key,
            "RCLONE_CONFIG_SERVER_SECRET_ACCESS_KEY": server.secret_key,
        }

    def __call__(self, verb: str, source: str, target: str) -> None:
        command = [self._binary, verb, "--ignore-times", source, target]
        subprocess.run(command, env=self._env, check=True, capture_output=True, timeout=300)
