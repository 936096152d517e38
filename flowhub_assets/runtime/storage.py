"""The storage of a profile: a folder (WORKSPACE) or a bucket of S3/MinIO (BUCKET), behind one set of verbs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any, Protocol, Union

from flowhub_assets.errors import ProfileError
from flowhub_assets.ir.spelling import did_you_mean
from flowhub_assets.runtime.profile_references import resolved

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

PathLike = Union[str, "os.PathLike[str]"]

# ``list`` is a verb of every storage, so inside the classes the type needs other names.
Keys = list[str]
Urls = list[str]
Paths = list[str]


class Storage(Protocol):
    """Where files and values live. Every ``url`` is one that ``upload`` or ``url`` gave, or a bare key.

    Errors, on every verb: ObjectMissing, OutsideStorage, AccessRefused, TransferFailed, and StorageError for the rest.
    """

    #: ``/abs/workspace`` or ``s3://bucket``, for messages and the UI.
    name: str

    def upload(self, path: PathLike, key: Union[str, None] = None) -> str:
        """Stores a local file and returns its URL; without ``key`` under ``{project}/{run_id}/{task}/{file name}``."""

    def download(self, url: str, folder: PathLike) -> str:
        """Puts the object into ``folder`` (made if absent) under its own file name and returns the local path."""

    def upload_folder(self, folder: PathLike, prefix: Union[str, None] = None) -> Urls:
        """Stores every file below ``folder`` under ``prefix``; the URLs, in the order of their keys.

        Without ``prefix`` they lie where ``upload`` would put a file of the folder's name.
        """

    def download_folder(self, prefix: str, folder: PathLike) -> Paths:
        """Puts every object below ``prefix`` into ``folder``; the local paths, in the order of their keys."""

    def exists(self, url: str) -> bool:
        """Whether the object is there."""

    def list(self, prefix: str = "") -> Keys:
        """The keys that begin with ``prefix``, sorted."""

    def delete(self, url: str) -> None:
        """Removes the object; one that is not there is no error, as in S3."""

    def open(self, url: str, mode: str = "rb") -> AbstractContextManager[IO[Any]]:
        """A context manager for ``rb``, ``r``, ``wb`` or ``w`` (UTF-8); a write is there whole or not at all."""

    def presign(self, url: str, expires: int = 3600) -> str:
        """A URL that reads the object without credentials for ``expires`` seconds (a folder gives its file URL)."""

    def read(self, url: str) -> bytes:
        """The content of a small object."""

    def write(self, key: str, data: bytes) -> str:
        """Stores a small object whole or not at all and returns its URL."""

    def url(self, key: str) -> str:
        """The URL of a key, whether or not anything is there."""


#: What a profile says of its storage.
_KEYS = (
    "BUCKET WORKSPACE REGION_NAME ENDPOINT ACCESS_KEY SECRET_KEY ACCESS_KEY_ID SECRET_ACCESS_KEY SESSION_TOKEN".split()
)


def get_storage(env: Mapping[str, Any]) -> Storage:
    """The storage that a profile names, ``args['env']`` in a task.

    BUCKET (with REGION_NAME, ENDPOINT, ACCESS_KEY and SECRET_KEY, or ACCESS_KEY_ID and SECRET_ACCESS_KEY, or the
    environment's own credentials) is S3/MinIO; WORKSPACE is a folder, relative to the current directory. Where both
    are named, BUCKET is the storage and WORKSPACE scratch space. Each may be ``{"env": "NAME"}``, which stands for the
    environment variable. Raises ProfileError if neither is, or if what stands there cannot be used.
    """
    if not isinstance(env, Mapping):
        raise ProfileError(
            f"get_storage takes a profile, not {type(env).__name__}", remedy="Write get_storage(args['env'])."
        )
    env = {**env, **resolved({key: env[key] for key in _KEYS if key in env}, os.environ)}
    if _named(env, "BUCKET"):
        return _bucket(env)
    if _named(env, "WORKSPACE"):
        from flowhub_assets.runtime.folder_storage import FolderStorage

        return FolderStorage(env["WORKSPACE"], env)
    raise ProfileError(
        "the profile names no storage",
        effect="Files and values have nowhere to go.",
        remedy=_whole_args(env) or _near_key(env) or "Give it WORKSPACE (a folder) or BUCKET (S3 or MinIO).",
    )


def _bucket(env: Mapping[str, Any]) -> Storage:
    # The faster clients need packages that a task's own image may lack, so they are found by their public name.
    try:
        from flowhub_assets import S3Storage
    except ImportError:
        from flowhub_assets.runtime.bare_s3 import BareS3Storage

        return BareS3Storage.from_env(env)
    storage: Storage = S3Storage.from_env(env)
    return storage


def _named(env: Mapping[str, Any], key: str) -> bool:
    value = env.get(key)
    if value is None or value == "":
        return False
    if isinstance(value, str) or (key == "WORKSPACE" and isinstance(value, os.PathLike)):
        return True
    raise ProfileError(f"{key} is {type(value).__name__}, not text", remedy=f"Write {key} as a string.")


def _whole_args(env: Mapping[str, Any]) -> str:
    return (
        "This is args, not its profile: write get_storage(args['env'])." if isinstance(env.get("env"), Mapping) else ""
    )


def _near_key(env: Mapping[str, Any]) -> str:
    for wanted in ("BUCKET", "WORKSPACE"):
        if wanted in env:
            return f"{wanted} is empty; give it a value."
    for key in map(str, env):
        near = did_you_mean(key, ("BUCKET", "WORKSPACE"))
        if near:
            return f"it has {key!r}; {near}"
    return ""
