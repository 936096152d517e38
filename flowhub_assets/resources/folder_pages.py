"""The files of a folder as objects.

A file's time is that of its last change, be it of its content or of its name (ctime): one that is moved in with its old
date arrives now all the same, and ``touch -d`` or ``cp -p`` do not make it look older than it is.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator

from flowhub_assets.errors import StorageError
from flowhub_assets.resources.object_pages import EVER, ObjectPage, StoredObject
from flowhub_assets.runtime.part_file import file_errors
from flowhub_assets.runtime.storage_keys import check_prefix, checked_key, file_url

_PAGE = 1000


class FolderPages:
    """ObjectPages of a folder.

    Hidden files, whose names begin with a dot, are not seen: programs write under such a name and rename the file when
    it is whole. A link counts as what it leads to, and not at all if that lies outside; links to folders are not
    followed.
    """

    bucket: str | None = None

    def __init__(self, folder: str) -> None:
        self.name = folder

    def pages(self, prefix: str, after: str = "", since: int = EVER) -> Iterator[ObjectPage]:
        """See ObjectPages."""
        check_prefix(prefix, self.name)
        clock = time.time_ns() // 1000
        page: list[StoredObject] = []
        seen, last = 0, ""
        root = os.path.realpath(self.name)
        with file_errors(self.name, "list"):
            for key, path in _files(root, "", prefix, after):
                found = _object(root, key, path)
                if found is None:
                    continue
                seen, last = seen + 1, key
                if found.modified > since:
                    page.append(found)
                if seen == _PAGE:
                    yield ObjectPage(page, clock, seen, last)
                    page, seen = [], 0
        yield ObjectPage(page, clock, seen, last)

    def url(self, key: str) -> str:
        """``file:///abs/path``."""
        return file_url(os.path.join(self.name, key))


def _files(root: str, inside: str, prefix: str, after: str) -> Iterator[tuple[str, str]]:
    """(key, path) of all files below the folder ``inside`` ("" or "a/b/") that may count, in their keys' order."""
    for name, is_folder in _entries(os.path.join(root, inside)):
        key = inside + name
        # A folder is passed over if none of its keys can count.
        if is_folder:
            below = f"{key}/"
            if (below.startswith(prefix) or prefix.startswith(below)) and (after.startswith(below) or below > after):
                yield from _files(root, below, prefix, after)
        elif key.startswith(prefix) and key > after:
            yield key, os.path.join(root, key)


def _entries(folder: str) -> list[tuple[str, bool]]:
    """The names in a folder, and whether they are folders, in the order of the keys that they begin."""
    try:
        with os.scandir(folder) as found:
            entries = [(one.name, one.is_dir(follow_symlinks=False)) for one in found if one.name[0] != "."]
    except FileNotFoundError:
        return []  # gone meanwhile; or the workspace, which is made when something is first written
    return sorted(entries, key=lambda one: f"{one[0]}/" if one[1] else one[0])


def _object(root: str, key: str, path: str) -> StoredObject | None:
    """The file, unless it is gone meanwhile, is none, leads out of ``root``, or has a name that is no key."""
    try:
        checked_key(key, root)
        found = os.lstat(path)
        if stat.S_ISLNK(found.st_mode):
            if not os.path.realpath(path).startswith(os.path.join(root, "")):
                return None
            found = os.stat(path)
    except (OSError, StorageError):
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    changed = max(found.st_ctime_ns, found.st_mtime_ns if os.name == "nt" else 0)
    return StoredObject(key, changed // 1000, found.st_size, f"{found.st_ino:x}-{changed:x}")
