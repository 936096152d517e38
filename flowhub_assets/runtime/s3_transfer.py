"""Objects up and down, compared with their digest, and sent again where they did not arrive as they left."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import BinaryIO, Optional

from flowhub_assets.errors import StorageError, TransferFailed
from flowhub_assets.runtime.part_file import file_errors
from flowhub_assets.runtime.s3_client import S3Answer, S3Client, S3Limits
from flowhub_assets.runtime.s3_digest import (
    digest_of_bytes,
    digest_of_file,
    is_md5_form,
    md5_of_bytes,
)
from flowhub_assets.runtime.s3_ranges import RangedObject, get_ranges

#: Larger objects travel in parts. S3 takes parts of 5 MiB to 5 GiB, at most 10,000.
LARGE = 16 * 1024 * 1024
_MOST_PARTS = 1000
_PUT_THREADS = 4
_HASH_THREADS = 2
#: How often an object may arrive with another digest before it is given up.
_ARRIVALS = 3
_SIGNED_SECONDS = 900


class S3Transfer:
    """Moves objects of one bucket; ``storage`` is its name, for messages."""

    def __init__(self, client: S3Client, storage: str, limits: S3Limits) -> None:
        self.client = client
        self._storage = storage
        self._limits = limits
        # None until the server has shown what its ETags are.
        self._etags_are_md5: Optional[bool] = None

    def put_bytes(self, key: str, data: bytes) -> None:
        """Stores a small object and makes sure that the server has it as it is."""
        digest, md5 = digest_of_bytes(data), md5_of_bytes(data)
        for _ in range(_ARRIVALS):
            etag = self.client.put(key, data, digest)
            if self._arrived(key, etag, md5, len(data), lambda: self.client.get(key).body() == data):
                return
        raise self._corrupted(key)

    def put_file(self, path: str, key: str, advance: Callable[[int], None]) -> None:
        """Stores a local file; TransferFailed also if it changes meanwhile."""
        with file_errors(path, "read"):
            before = os.stat(path)
        if before.st_size <= LARGE:
            with file_errors(path, "read"), open(path, "rb") as file:
                data = file.read()
            self.put_bytes(key, data)
            advance(len(data))
        else:
            self._put_parts(path, before.st_size, key, advance)
        with file_errors(path, "read"):
            after = os.stat(path)
        if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            raise TransferFailed(
                f"{path} changed while it was uploaded",
                where=self._storage,
                effect=f"{key!r} holds a mixture.",
                remedy="Upload it when it is finished.",
            )

    def get_bytes(self, key: str) -> bytes:
        """The content of an object, compared with its digest."""
        return self._checked_body(key, self.client.get(key))

    def get_file(self, key: str, answer: S3Answer, path: str, advance: Callable[[int], None]) -> None:
        """Writes the object of ``answer`` to ``path``, compared with its digest."""
        if answer.size <= LARGE:
            data = self._checked_body(key, answer)
            with file_errors(path, "write"), open(path, "wb") as file:
                file.write(data)
            advance(len(data))
            return
        with file_errors(path, "write"):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            with file_errors(path, "write"):
                self._get_parts(key, answer, descriptor, advance)
        finally:
            os.close(descriptor)

    def _put_parts(self, path: str, size: int, key: str, advance: Callable[[int], None]) -> None:
        """The client signs the SHA-256 of each part, which S3 and MinIO compare; ours is compared on the way back.

        MD5 over the parts, for the ETag, would be a third check and costs more than all the rest of an upload.
        """
        part_size = max(LARGE, -(-size // _MOST_PARTS))
        with file_errors(path, "read"):
            digest = digest_of_file(path, size, _HASH_THREADS)
            file = open(path, "rb")  # noqa: SIM115 - it is closed below; the server's errors are not the file's
        with file:
            etag = self.client.put_parts(key, _parts(file, part_size, advance), part_size, _PUT_THREADS, digest)
        if not etag.endswith(f"-{-(-size // part_size)}") and self.client.size(key) != size:
            raise self._corrupted(key)

    def _get_parts(self, key: str, answer: S3Answer, descriptor: int, advance: Callable[[int], None]) -> None:
        wanted = self._ranged(key, answer, advance)
        with_md5 = not answer.digest and is_md5_form(answer.etag)
        earlier = ""
        for _ in range(_ARRIVALS):
            digest, md5 = get_ranges(wanted, descriptor, with_md5)
            # Two equal arrivals are the content, whatever the ETag of such a server is made of.
            if (digest == answer.digest) if answer.digest else (not with_md5 or md5 == answer.etag or md5 == earlier):
                return
            earlier = md5
            advance(-answer.size)
        raise self._corrupted(key)

    def _checked_body(self, key: str, answer: S3Answer) -> bytes:
        earlier: Optional[bytes] = None
        for _ in range(_ARRIVALS):
            data = answer.body()
            if len(data) == answer.size:
                if answer.digest and digest_of_bytes(data) == answer.digest:
                    return data
                if not answer.digest and (
                    not is_md5_form(answer.etag) or md5_of_bytes(data) == answer.etag or data == earlier
                ):
                    return data
            earlier = data
            answer = self.client.get(key)
        raise self._corrupted(key)

    def _arrived(self, key: str, etag: str, md5: str, size: int, read_back: Callable[[], bool]) -> bool:
        """Whether the server has what was sent.

        An equal ETag proves it. Another one may be a broken transfer or a server whose ETags are no MD5, which only
        reading the object back can tell; that is done once, then such a server's ETags are not compared again.
        """
        if etag == md5:
            return True
        if self._etags_are_md5 is False or not is_md5_form(etag):
            return self.client.size(key) == size
        if read_back():
            self._etags_are_md5 = False
            return True
        return False

    def _ranged(self, key: str, answer: S3Answer, advance: Callable[[int], None]) -> RangedObject:
        return RangedObject(
            sign=lambda: self.client.sign(key, _SIGNED_SECONDS),
            size=answer.size,
            etag=answer.etag,
            what=f"download {key!r}",
            storage=self._storage,
            limits=self._limits,
            advance=advance,
        )

    def _corrupted(self, key: str) -> StorageError:
        return TransferFailed(
            f"{key!r} arrives with other bytes than it was sent with, {_ARRIVALS} times",
            where=self._storage,
            effect="Its digest does not match, so it is not used.",
            remedy="Look for a proxy or disk that damages data; upload the object again.",
        )


def _parts(file: BinaryIO, part_size: int, advance: Callable[[int], None]) -> Iterator[bytes]:
    while part := file.read(part_size):
        yield part
        advance(len(part))
