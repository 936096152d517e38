"""Files that are either whole or not there, and what the operating system says when it refuses.

A file is written under ``.part-<random>`` beside its target and renamed over it when it is whole: a rename within
one folder is atomic (POSIX rename), so a killed process leaves the old content or none, never half.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator

from flowhub_assets.errors import StorageError
from flowhub_assets.runtime.storage_keys import PART_PREFIX

_REMEDIES = {
    errno.ENOSPC: "Free some space on that disk, or name another folder.",
    errno.EDQUOT: "Free some of the quota, or name another folder.",
    errno.EFBIG: "The file is larger than this process may write; raise the limit (ulimit -f).",
    errno.EACCES: "Give this user the right to it, or name another folder.",
    errno.EPERM: "Give this user the right to it, or name another folder.",
    errno.EROFS: "Name a folder on a disk that can be written.",
    errno.ENOTDIR: "A file stands where a folder is needed; name another folder or remove the file.",
    errno.EEXIST: "A file stands where a folder is needed; name another folder or remove the file.",
    errno.EISDIR: "A folder stands where the file would be; name another key or remove the folder.",
    errno.ENAMETOOLONG: "Shorten the name; a file system takes 255 bytes per name (a Korean letter has 3).",
}


@contextlib.contextmanager
def file_errors(path: str, doing: str) -> Iterator[None]:
    """Turns an OSError on a local file into one StorageError: ``cannot <doing> <path>: <reason>``."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        remedy = _REMEDIES.get(error.errno or 0, "")
        raise StorageError(f"cannot {doing} {path}: {reason}", remedy=remedy) from None


@contextlib.contextmanager
def full_disk_errors(path: str) -> Iterator[None]:
    """As file_errors, for a block that runs a user's code: its other OSErrors are theirs and pass unchanged."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or error.filename is not None:
            raise
        raise StorageError(
            f"cannot write {path}: {error.strerror}", remedy=_REMEDIES.get(error.errno or 0, "")
        ) from None


@contextlib.contextmanager
def part_file(target: str) -> Iterator[str]:
    """Yields the path to write to; renames it to ``target`` when the block ends well, removes it otherwise.

    Makes the folders above. The caller writes and closes the file inside the block.
    """
    folder = os.path.dirname(target)
    part = os.path.join(folder, PART_PREFIX + secrets.token_hex(8))
    with file_errors(target, "write"):
        os.makedirs(folder, exist_ok=True)
    try:
        yield part
        with file_errors(target, "write"):
            os.replace(part, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise
