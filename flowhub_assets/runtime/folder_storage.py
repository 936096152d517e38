"""A folder of this machine as a storage: the WORKSPACE of a local profile."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping
from typing import IO, Any, Optional

from flowhub_assets.errors import ObjectMissing, OutsideStorage, StorageError, TransferFailed
from flowhub_assets.runtime.part_file import file_errors, full_disk_errors, part_file
from flowhub_assets.runtime.storage import Keys, PathLike, Paths, Urls
from flowhub_assets.runtime.storage_keys import (
    PART_PREFIX,
    check_prefix,
    checked_key,
    file_path,
    file_url,
    folder_prefix,
    near,
    place_of_run,
    scheme_of,
    url_without_query,
)
from flowhub_assets.runtime.transfer_progress import transfer_progress

_COPY_CHUNK = 4 * 1024 * 1024
_MODES = ("rb", "r", "wb", "w")


class FolderStorage:
    """Keys are file names below ``workspace``, which is made when something is first written.

    Nothing outside ``workspace`` is ever read or written: ``..``, absolute paths and symbolic links that lead out
    raise OutsideStorage.
    """

    def __init__(self, workspace: PathLike, env: Optional[Mapping[str, Any]] = None) -> None:
        self.name = os.path.abspath(os.path.expanduser(os.fspath(workspace)))
        self._place = place_of_run(env or {})

    def __repr__(self) -> str:
        return f"FolderStorage({self.name!r})"

    def upload(self, path: PathLike, key: Optional[str] = None) -> str:
        """Copies a local file into the workspace; returns ``file:///abs/path``."""
        source = local_file(path)
        target = self._path(checked_key(self._place + os.path.basename(source) if key is None else key, self.name))
        if not _same_file(source, target):
            self._copy(source, target, f"upload {os.path.basename(source)}")
        return file_url(target)

    def download(self, url: str, folder: PathLike) -> str:
        """Copies an object into ``folder``; returns the local path."""
        source = self._present(url)
        target = os.path.join(os.path.abspath(os.fspath(folder)), os.path.basename(source))
        if not _same_file(source, target):
            self._copy(source, target, f"download {os.path.basename(source)}")
        return target

    def upload_folder(self, folder: PathLike, prefix: Optional[str] = None) -> Urls:
        """Copies every file below ``folder`` to ``prefix``; returns the URLs."""
        prefix = folder_prefix(self._place, folder) if prefix is None else prefix
        return [self.upload(path, key) for path, key in files_below(folder, prefix, self.name)]

    def download_folder(self, prefix: str, folder: PathLike) -> Paths:
        """Copies every object below ``prefix`` into ``folder``; returns the local paths."""
        check_prefix(prefix, self.name)
        inside = prefix.rstrip("/") + "/" if prefix else ""
        keys = self.list(inside)
        if not keys:
            raise ObjectMissing(f"nothing lies below {prefix!r}", where=self.name, remedy=near(prefix, self.list()))
        return [self.download(key, os.path.join(folder, os.path.dirname(key[len(inside) :]))) for key in keys]

    def exists(self, url: str) -> bool:
        """Whether a file lies under that URL or key; a folder is no object."""
        return os.path.isfile(self._path(self._key(url)))

    def list(self, prefix: str = "") -> Keys:
        """The keys that begin with ``prefix``, sorted; unfinished files and links that lead out are left out."""
        check_prefix(prefix, self.name)
        found = []
        for folder, folders, files in os.walk(os.path.join(self.name, os.path.dirname(prefix))):
            folders[:] = [one for one in folders if not one.startswith(PART_PREFIX)]
            for file in files:
                path = os.path.join(folder, file)
                key = os.path.relpath(path, self.name).replace(os.sep, "/")
                if key.startswith(prefix) and not file.startswith(PART_PREFIX) and self._leads_inside(path):
                    found.append(key)
        return sorted(found)

    def delete(self, url: str) -> None:
        """Removes a file; one that is not there is no error."""
        path = self._path(self._key(url))
        with file_errors(path, "delete"), contextlib.suppress(FileNotFoundError):
            os.unlink(path)

    @contextlib.contextmanager
    def open(self, url: str, mode: str = "rb") -> Iterator[IO[Any]]:
        """Opens for ``rb``, ``r``, ``wb`` or ``w`` (UTF-8); a write is seen whole at the block's end or not at all."""
        check_mode(mode, self.name)
        encoding = None if "b" in mode else "utf-8"
        if mode[0] == "r":
            path = self._present(url)
            with file_errors(path, "read"):
                file = open(path, mode, encoding=encoding)  # noqa: SIM115 - only opening it may fail as a file
            with file:
                yield file
            return
        target = self._path(self._key(url))
        with part_file(target) as part:
            with file_errors(target, "write"):
                file = open(part, mode, encoding=encoding)  # noqa: SIM115 - the user's block comes between
            with full_disk_errors(target), file:
                yield file

    def presign(self, url: str, expires: int = 3600) -> str:  # noqa: ARG002 - the same verb as S3's
        """The file URL: on this machine it needs no signature."""
        return file_url(self._path(self._key(url)))

    def read(self, url: str) -> bytes:
        """The content of a file."""
        with self.open(url, "rb") as file:
            data: bytes = file.read()
        return data

    def write(self, key: str, data: bytes) -> str:
        """Writes a file whole or not at all; returns its URL. It is on the disk by then: a run's log builds on it."""
        with self.open(key, "wb") as file:
            file.write(data)
            with file_errors(key, "write"):
                file.flush()
                os.fsync(file.fileno())
        return self.url(key)

    def url(self, key: str) -> str:
        """``file:///abs/path`` of a key."""
        return file_url(self._path(self._key(key)))

    def _key(self, url: object) -> str:
        """The key of a file URL, of an absolute path inside the workspace or of a bare key."""
        if not isinstance(url, str):
            return checked_key(url, self.name)
        path = url if os.path.isabs(url) else file_path(url)
        if path is None:
            if scheme_of(url):
                raise self._outside(url_without_query(url))
            return checked_key(url, self.name)
        for root in (self.name, os.path.realpath(self.name)):
            if path.startswith(root.rstrip("/") + "/"):
                return checked_key(path[len(root.rstrip("/")) + 1 :], self.name)
        raise self._outside(url)

    def _path(self, key: str) -> str:
        path = os.path.join(self.name, key)
        if not self._leads_inside(path):
            raise self._outside(key, "A symbolic link leads out of it.")
        return path

    def _leads_inside(self, path: str) -> bool:
        root = os.path.realpath(self.name)
        return os.path.realpath(path).startswith(root.rstrip("/") + "/")

    def _present(self, url: str) -> str:
        key = self._key(url)
        path = self._path(key)
        if not os.path.isfile(path):
            beside = self.list(key.rpartition("/")[0] + "/" if "/" in key else "")
            raise ObjectMissing(f"there is no {key!r}", where=self.name, remedy=near(key, beside))
        return path

    def _outside(self, what: str, why: str = "") -> OutsideStorage:
        return OutsideStorage(
            f"{what!r} lies outside the workspace",
            where=self.name,
            effect=why,
            remedy="Use a key or file URL inside it, or the profile whose storage holds it.",
        )

    def _copy(self, source: str, target: str, label: str) -> None:
        with part_file(target) as part:
            with file_errors(target, "write"):
                size = os.path.getsize(source)
                with transfer_progress(label, size) as advance, open(source, "rb") as given, open(part, "wb") as taken:
                    while chunk := given.read(_COPY_CHUNK):
                        taken.write(chunk)
                        advance(len(chunk))
            arrived = os.path.getsize(part)
            if arrived != size:
                raise TransferFailed(
                    f"{source} had {size} bytes, {arrived} arrived",
                    where=self.name,
                    remedy="Something wrote to it meanwhile; try again when it is finished.",
                )


def local_file(path: PathLike) -> str:
    """The path as text, if an ordinary file is there."""
    source = os.fspath(path)
    with file_errors(source, "read"):
        try:
            mode = os.stat(source).st_mode
        except FileNotFoundError:
            folder = os.path.dirname(os.path.abspath(source))
            beside = os.listdir(folder) if os.path.isdir(folder) else []
            raise ObjectMissing(f"there is no file {source}", remedy=near(os.path.basename(source), beside)) from None
    if stat.S_ISDIR(mode):
        raise StorageError(f"{source} is a folder", remedy="Use upload_folder for all files of a folder.")
    if not stat.S_ISREG(mode):
        raise StorageError(f"{source} is no ordinary file", remedy="Write its content to a file first.")
    return source


def files_below(folder: PathLike, prefix: str, storage: str) -> list[tuple[str, str]]:
    """(path, key) of every ordinary file below ``folder``, sorted by key; links to folders are not followed."""
    root = os.fspath(folder)
    if not os.path.isdir(root):
        raise ObjectMissing(f"there is no folder {root}", remedy="Name a folder whose files are to be stored.")
    start = prefix.strip("/") + "/" if prefix.strip("/") else ""
    found = []
    for place, folders, files in os.walk(root):
        folders[:] = [one for one in folders if not one.startswith(PART_PREFIX)]
        for file in files:
            path = os.path.join(place, file)
            if not file.startswith(PART_PREFIX) and os.path.isfile(path):
                key = start + os.path.relpath(path, root).replace(os.sep, "/")
                found.append((path, checked_key(key, storage)))
    return sorted(found, key=lambda pair: pair[1])


def check_mode(mode: str, storage: str) -> None:
    """Raises StorageError unless ``mode`` is one that every storage can keep its promise for."""
    if mode not in _MODES:
        raise StorageError(
            f"mode {mode!r} is not offered",
            where=storage,
            remedy=f"Use one of {', '.join(_MODES)}; an object is read or replaced as a whole.",
        )


def _same_file(one: str, other: str) -> bool:
    return os.path.exists(other) and os.path.samefile(one, other)
