"""Keys, the URLs that hold them, and which of them a storage may touch.

A key is what S3 calls one: a name with ``/`` between its segments, any Unicode text. It stands in an ``s3://`` URL
as it is (as the AWS and rclone command lines write it) and percent-encoded in a ``file://`` URL (RFC 8089), so both
ways back are exact for spaces, ``%``, ``#``, ``?`` and Korean text alike.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, Optional, Union
from urllib.parse import quote, unquote

from flowhub_assets.errors import OutsideStorage, StorageError
from flowhub_assets.ir.pipeline import NAMES_OF_THE_RUN
from flowhub_assets.ir.spelling import did_you_mean

#: What the name of a file that is still being written begins with; never part of a key.
PART_PREFIX = ".part-"

#: S3's bound, in bytes of UTF-8.
_LONGEST_KEY = 1024

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def scheme_of(url: str) -> str:
    """The scheme of a URL in lower case, ``""`` for a bare key."""
    found = _SCHEME.match(url)
    return found.group(1).lower() if found else ""


def checked_key(key: object, storage: str) -> str:
    """``key`` itself, if a folder and S3/MinIO can both hold it under that name.

    Raises OutsideStorage for a key that would climb out (``..``, a leading ``/``) and StorageError for one that
    no server keeps as written (empty segments, control characters, more than 1,024 bytes).
    """
    if not isinstance(key, str) or not key:
        raise StorageError(
            f"{key!r} is no key", where=storage, remedy="Name the object, for example 'reports/day.csv'."
        )
    segments = key.split("/")
    if not segments[0] or ".." in segments:
        raise OutsideStorage(
            f"{key!r} leads out of the storage",
            where=storage,
            remedy="Write a key inside it: no leading '/' and no '..'.",
        )
    if "" in segments or "." in segments or scheme_of(key):
        raise StorageError(
            f"{key!r} is no key that every storage keeps as written",
            where=storage,
            remedy="Leave out '//', '.' segments, a trailing '/' and '://'.",
        )
    _check_text(key, storage)
    if any(segment.startswith(PART_PREFIX) for segment in segments):
        raise StorageError(
            f"{key!r} has the name of an unfinished file",
            where=storage,
            remedy=f"Begin no name with {PART_PREFIX!r}; such files are taken for broken transfers.",
        )
    return key


def check_prefix(prefix: str, storage: str) -> None:
    """Raises as ``checked_key`` for a prefix of keys that climbs out; ``""`` is the whole storage."""
    if prefix:
        checked_key(prefix.removesuffix("/"), storage)


def _check_text(key: str, storage: str) -> None:
    try:
        size = len(key.encode("utf-8"))
    except UnicodeEncodeError:
        raise StorageError(
            f"{key!r} is not Unicode text", where=storage, remedy="Rename the file; its name is not valid UTF-8."
        ) from None
    if size > _LONGEST_KEY:
        raise StorageError(
            f"the key {key[:60]!r}... has {size} bytes", where=storage, remedy=f"S3 takes at most {_LONGEST_KEY}."
        )
    # XML 1.0, in which S3 lists keys, has no way to write these.
    if any(ord(letter) < 0x20 or letter in "\x7f\ufffe\uffff" for letter in key):
        raise StorageError(f"{key!r} holds control characters", where=storage, remedy="Leave them out of the name.")


def place_of_run(env: Mapping[str, Any]) -> str:
    """``{project}/{run_id}/{task}/`` without what is absent, before a file's name: runs do not overwrite each other."""
    return "".join(f"{env[name]}/" for name in NAMES_OF_THE_RUN if env.get(name))


def s3_url(bucket: str, key: str) -> str:
    """``s3://bucket/key``, the key as it is."""
    return f"s3://{bucket}/{key}"


def s3_key(url: object, bucket: str) -> str:
    """The key of ``s3://bucket/key`` or of a bare key; OutsideStorage for another bucket or scheme."""
    storage = f"s3://{bucket}"
    if not isinstance(url, str) or not scheme_of(url):
        return checked_key(url, storage)
    named, _, key = url.partition("://")[2].partition("/")
    if scheme_of(url) != "s3" or named != bucket:
        raise OutsideStorage(
            f"{url_without_query(url)!r} is not in the bucket of this profile",
            where=storage,
            remedy=f"Use a URL that begins with '{storage}/', or the profile whose storage holds it.",
        )
    return checked_key(key, storage)


def file_url(path: str) -> str:
    """``file:///abs/path``, percent-encoded."""
    return "file://" + quote(path)


def file_path(url: str) -> Optional[str]:
    """The absolute path that a ``file://`` URL of this machine names; None for every other URL."""
    if scheme_of(url) != "file":
        return None
    host, slash, path = url.partition("://")[2].partition("/")
    return unquote(slash + path) if host in ("", "localhost") and slash else None


def url_without_query(url: str) -> str:
    """The URL without what may be a signature or a password, for messages."""
    if scheme_of(url) in ("http", "https"):
        url = url.partition("?")[0]
    return re.sub(r"://[^/@]*@", "://", url)


def folder_prefix(place: str, folder: Union[str, os.PathLike[str]]) -> str:
    """Where a folder goes that is stored without a prefix: under its own name, in the run's ``place``."""
    return place + os.path.basename(os.path.abspath(os.fspath(folder)))


def near(key: str, keys: Iterable[str]) -> str:
    """A remedy that names the keys most like ``key``; ``""`` if none is."""
    known = list(keys)
    inside = [one for one in known if one.startswith(key + "/")]
    if inside:
        return f"It is a folder; it holds {', '.join(map(repr, inside[:3]))}. Use download_folder for all of it."
    return did_you_mean(key, known, most=3)
