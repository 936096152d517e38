"""The requests that a storage makes of S3 or MinIO through obstore, and who sends them where it cannot.

Raises what obstore raises; ``s3_errors.storage_error`` turns it into one of our errors.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from flowhub_assets.runtime.bare_s3 import BareClient
from flowhub_assets.runtime.s3_client import DIGEST_NAME, S3Answer, S3Client, S3Limits, bare_etag
from flowhub_assets.runtime.s3_config import S3Config

if TYPE_CHECKING:
    from obstore import Attributes
    from obstore.store import ClientConfig, S3Store

_REQUEST_SECONDS = 900


class ObstoreClient:
    """S3Client by obstore (Rust's object_store)."""

    def __init__(self, config: S3Config, limits: S3Limits) -> None:
        self._store = _store(config, limits)

    def put(self, key: str, data: bytes, digest: str) -> str:
        """Stores a small object; returns its ETag."""
        answer = self._store.put(key, data, attributes=_attributes(digest), use_multipart=False)
        return bare_etag(answer["e_tag"])

    def put_parts(self, key: str, parts: Iterator[bytes], part_size: int, threads: int, digest: str) -> str:
        """Stores an object in parts; returns its ETag."""
        answer = self._store.put(
            key,
            parts,
            attributes=_attributes(digest),
            use_multipart=True,
            chunk_size=part_size,
            max_concurrency=threads,
        )
        return bare_etag(answer["e_tag"])

    def get(self, key: str) -> S3Answer:
        """Asks for an object; its content travels when ``body`` is called."""
        answer = self._store.get(key)
        digest = answer.attributes.get(DIGEST_NAME, "")
        return S3Answer(answer.meta["size"], bare_etag(answer.meta["e_tag"]), digest, lambda: answer.bytes().to_bytes())

    def size(self, key: str) -> int:
        """The object's size in bytes."""
        return self._store.head(key)["size"]

    def list(self, prefix: str, pages: int = 0) -> Iterator[tuple[str, int]]:
        """(key, size) of the objects whose key begins with ``prefix``."""
        # obstore lists whole segments only; the rest of the prefix is compared here.
        folder = prefix.rpartition("/")[0]
        for number, page in enumerate(self._store.list(folder or None, chunk_size=1000), 1):
            for one in page:
                if one["path"].startswith(prefix):
                    yield one["path"], one["size"]
            if number == pages:
                return

    def delete(self, key: str) -> None:
        """Removes an object."""
        self._store.delete(key)

    def sign(self, key: str, seconds: int) -> str:
        """A URL that gets the object for ``seconds`` seconds."""
        import obstore

        return obstore.sign(self._store, "GET", key, timedelta(seconds=seconds))


# The process in which obstore's threads live. They do not live on in a child that is forked from it.
_obstore_process: int | None = None


def new_client(config: S3Config, limits: S3Limits) -> S3Client:
    """A client for this process: obstore's, or boto3's in a child whose parent had used obstore before the fork.

    Where obstore is not installed, the standard library's.
    """
    global _obstore_process
    if _obstore_process not in (None, os.getpid()):
        from flowhub_assets.resources.s3_boto import BotoClient

        return BotoClient(config, limits)
    if importlib.util.find_spec("obstore") is None:
        return BareClient(config, limits)
    _obstore_process = os.getpid()
    return ObstoreClient(config, limits)


def _store(config: S3Config, limits: S3Limits) -> S3Store:
    from obstore.store import S3Store

    options: dict[str, Any] = {"virtual_hosted_style_request": False}
    if config.endpoint:
        options["endpoint"] = config.endpoint
        options["region"] = config.region or "us-east-1"
    elif config.region:
        options["region"] = config.region
    if config.access_key:
        # A provider, not three options: those would be filled up from AWS_SESSION_TOKEN of the environment.
        options["credential_provider"] = lambda: {
            "access_key_id": config.access_key,
            "secret_access_key": config.secret_key,
            "token": config.session_token or None,
            "expires_at": None,
        }
    client_options: ClientConfig = {
        "allow_http": not config.endpoint.startswith("https:"),
        "connect_timeout": timedelta(seconds=limits.connect_timeout),
        "read_timeout": timedelta(seconds=limits.timeout),
        "timeout": timedelta(seconds=_REQUEST_SECONDS),
    }
    waiting = sum(limits.backoff(failures) for failures in range(1, limits.retries + 1))
    return S3Store(
        config.bucket,
        client_options=client_options,
        retry_config={
            "max_retries": limits.retries,
            "retry_timeout": timedelta(seconds=waiting + 2 * limits.timeout),
            "backoff": {
                "init_backoff": timedelta(seconds=limits.first_backoff),
                "max_backoff": timedelta(seconds=limits.longest_backoff),
                "base": 2,
            },
        },
        **options,
    )


def _attributes(digest: str) -> Attributes:
    return cast("Attributes", {DIGEST_NAME: digest})
