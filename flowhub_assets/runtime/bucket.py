"""A bucket of S3 or MinIO as a storage, whichever client sends the requests."""

from __future__ import annotations

import contextlib
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any, Optional, TypeVar

from flowhub_assets.errors import ObjectMissing, StorageError
from flowhub_assets.runtime.folder_storage import check_mode, files_below, local_file
from flowhub_assets.runtime.part_file import full_disk_errors, part_file
from flowhub_assets.runtime.s3_client import S3Client, S3Limits
from flowhub_assets.runtime.s3_config import S3Config, s3_config
from flowhub_assets.runtime.s3_transfer import S3Transfer
from flowhub_assets.runtime.storage import Keys, PathLike, Paths, Urls
from flowhub_assets.runtime.storage_keys import (
    check_prefix,
    checked_key,
    folder_prefix,
    near,
    place_of_run,
    s3_key,
    s3_url,
)
from flowhub_assets.runtime.transfer_progress import transfer_progress

#: How many small objects travel at once.
_BULK_THREADS = 16
#: S3's bound for a signed URL: seven days.
_LONGEST_SIGNATURE = 7 * 24 * 3600

Result = TypeVar("Result")
Item = TypeVar("Item")
Bucket = TypeVar("Bucket", bound="BucketStorage")


class BucketStorage(ABC):
    """Keys of one bucket. ``limits`` bounds retries and time-outs. May be used by many threads and forked children.

    URLs are ``s3://bucket/key``; a URL of another bucket raises OutsideStorage. Who inherits it says which client
    sends the requests, and what that raises.
    """

    def __init__(
        self, config: S3Config, env: Optional[Mapping[str, Any]] = None, limits: Optional[S3Limits] = None
    ) -> None:
        self.name = f"s3://{config.bucket}"
        self._bucket = config.bucket
        self._place = place_of_run(env or {})
        self._config = config
        self._limits = limits or S3Limits()
        self._transfers: dict[int, S3Transfer] = {}

    @classmethod
    def from_env(cls: type[Bucket], env: Mapping[str, Any], limits: Optional[S3Limits] = None) -> Bucket:
        """The storage of an env profile with BUCKET; ProfileError for one that cannot be used."""
        return cls(s3_config(env), env, limits)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    @property
    def config(self) -> S3Config:
        """The bucket and how to reach it."""
        return self._config

    @abstractmethod
    def _new_client(self, config: S3Config, limits: S3Limits) -> S3Client:
        """A client for this process."""

    @abstractmethod
    def _error_of(self, error: Exception, doing: str) -> Exception:
        """The error to raise for what the client raised while ``doing``; what is not the client's as it is."""

    def upload(self, path: PathLike, key: Optional[str] = None) -> str:
        """Stores a local file, a large one in parallel parts; returns ``s3://bucket/key``."""
        source = local_file(path)
        key = checked_key(self._place + os.path.basename(source) if key is None else key, self.name)
        with transfer_progress(f"upload {os.path.basename(source)}", os.path.getsize(source)) as advance:
            self._upload(source, key, advance)
        return s3_url(self._bucket, key)

    def download(self, url: str, folder: PathLike) -> str:
        """Gets an object into ``folder``, a large one in parallel parts; returns the local path."""
        key = self._key(url)
        target = os.path.join(os.path.abspath(os.fspath(folder)), key.rpartition("/")[2])
        self._download(key, target)
        return target

    def upload_folder(self, folder: PathLike, prefix: Optional[str] = None) -> Urls:
        """Stores every file below ``folder``, many at once; returns the URLs."""
        prefix = folder_prefix(self._place, folder) if prefix is None else prefix
        files = files_below(folder, prefix, self.name)
        total = sum(os.path.getsize(path) for path, _ in files)
        with transfer_progress(f"upload {os.fspath(folder)}", total) as advance:
            _at_once(files, lambda file: self._upload(file[0], file[1], advance))
        return [s3_url(self._bucket, key) for _, key in files]

    def download_folder(self, prefix: str, folder: PathLike) -> Paths:
        """Gets every object below ``prefix`` into ``folder``, many at once; returns the local paths."""
        check_prefix(prefix, self.name)
        inside = prefix.rstrip("/") + "/" if prefix else ""
        with self._told(f"list {prefix!r}"):
            found = sorted(self._client.list(inside))
        if not found:
            raise ObjectMissing(f"nothing lies below {prefix!r}", where=self.name, remedy=self._near(prefix))
        root = os.path.abspath(os.fspath(folder))
        files = [(checked_key(key, self.name), os.path.join(root, key[len(inside) :])) for key, _ in found]
        with transfer_progress(f"download {prefix or self.name}", sum(size for _, size in found)) as advance:
            _at_once(files, lambda file: self._download(file[0], file[1], advance))
        return [path for _, path in files]

    def exists(self, url: str) -> bool:
        """Whether the object is there."""
        key = self._key(url)
        try:
            with self._told(f"look for {key!r}"):
                self._client.size(key)
        except ObjectMissing:
            return False
        return True

    def list(self, prefix: str = "") -> Keys:
        """The keys that begin with ``prefix``, sorted."""
        check_prefix(prefix, self.name)
        with self._told(f"list {prefix!r}"):
            return sorted(key for key, _ in self._client.list(prefix))

    def delete(self, url: str) -> None:
        """Removes the object; one that is not there is no error, as in S3."""
        key = self._key(url)
        with contextlib.suppress(ObjectMissing), self._told(f"delete {key!r}"):
            self._client.delete(key)

    @contextlib.contextmanager
    def open(self, url: str, mode: str = "rb") -> Iterator[IO[Any]]:
        """Opens for ``rb``, ``r``, ``wb`` or ``w`` (UTF-8), by way of a temporary file.

        What is written is stored when the block ends well, and not at all when it raises.
        """
        check_mode(mode, self.name)
        key = self._key(url)
        encoding = None if "b" in mode else "utf-8"
        with tempfile.TemporaryDirectory(prefix="flowhub-") as folder:
            path = os.path.join(folder, "object")
            if mode[0] == "r":
                self._download(key, path)
                with open(path, mode, encoding=encoding) as file:
                    yield file
                return
            with full_disk_errors(path), open(path, mode, encoding=encoding) as file:
                yield file
            self.upload(path, key)

    def presign(self, url: str, expires: int = 3600) -> str:
        """A signed URL with which anybody can get the object for ``expires`` seconds (1 to 604800)."""
        key = self._key(url)
        if not 1 <= expires <= _LONGEST_SIGNATURE:
            raise StorageError(
                f"a signed URL cannot last {expires} seconds", where=self.name, remedy="S3 takes 1 second to 7 days."
            )
        with self._told(f"sign {key!r}"):
            return self._client.sign(key, int(expires))

    def read(self, url: str) -> bytes:
        """The content of a small object."""
        key = self._key(url)
        with self._told(f"read {key!r}", key):
            return self._transfer.get_bytes(key)

    def write(self, key: str, data: bytes) -> str:
        """Stores a small object; S3 shows it whole or not at all. Returns its URL."""
        key = self._key(key)
        with self._told(f"write {key!r}"):
            self._transfer.put_bytes(key, bytes(data))
        return s3_url(self._bucket, key)

    def url(self, key: str) -> str:
        """``s3://bucket/key``."""
        return s3_url(self._bucket, self._key(key))

    @property
    def _transfer(self) -> S3Transfer:
        """The transfer of this process: a storage that is taken along into a forked child needs a client of its own."""
        process = os.getpid()
        if process not in self._transfers:
            with self._told("open the bucket"):
                client = self._new_client(self._config, self._limits)
            self._transfers[process] = S3Transfer(client, self.name, self._limits)
        return self._transfers[process]

    @property
    def _client(self) -> S3Client:
        return self._transfer.client

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_transfers": {}}

    def _key(self, url: str) -> str:
        return s3_key(url, self._bucket)

    def _upload(self, source: str, key: str, advance: Callable[[int], None]) -> None:
        with self._told(f"upload {source} to {key!r}"):
            self._transfer.put_file(source, key, advance)

    def _download(self, key: str, target: str, advance: Optional[Callable[[int], None]] = None) -> None:
        """Gets one object; with ``advance`` its progress is part of a larger one."""
        with self._told(f"download {key!r}", key):
            answer = self._client.get(key)
            own = transfer_progress(f"download {key.rpartition('/')[2]}", answer.size)
            with part_file(target) as part, own if advance is None else contextlib.nullcontext(advance) as count:
                self._transfer.get_file(key, answer, part, count)

    def _near(self, key: str) -> str:
        """What lies beside a missing key, from one page of the listing."""
        try:
            with self._told(f"look beside {key!r}"):
                folder = key.rpartition("/")[0]
                return near(key, [one for one, _ in self._client.list(folder + "/" if folder else "", pages=1)])
        except ObjectMissing:
            return ""

    @contextlib.contextmanager
    def _told(self, doing: str, key: str = "") -> Iterator[None]:
        """Turns what the client raises into one error of ours; with ``key``, a missing object names its neighbours."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - what is not the client's is raised as it is
            told = self._error_of(error, doing)
            if key and isinstance(told, ObjectMissing) and not told.remedy:
                told.remedy = self._near(key)
            raise told from None


def _at_once(items: list[Item], work: Callable[[Item], Result]) -> list[Result]:
    """``work`` on every item, many at once; the first error ends it and is raised."""
    with ThreadPoolExecutor(_BULK_THREADS, thread_name_prefix="s3-bulk") as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
