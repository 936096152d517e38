"""A bucket of S3 or MinIO through the fastest client that this Python has."""

from __future__ import annotations

from flowhub_assets.resources.s3_client import new_client
from flowhub_assets.resources.s3_errors import storage_error
from flowhub_assets.runtime.bucket import BucketStorage
from flowhub_assets.runtime.s3_client import S3Client, S3Limits
from flowhub_assets.runtime.s3_config import S3Config


class S3Storage(BucketStorage):
    """Keys of one bucket. ``limits`` bounds retries and time-outs. May be used by many threads and forked children.

    URLs are ``s3://bucket/key``; a URL of another bucket raises OutsideStorage.
    """

    def _new_client(self, config: S3Config, limits: S3Limits) -> S3Client:
        return new_client(config, limits)

    def _error_of(self, error: Exception, doing: str) -> Exception:
        return storage_error(error, doing, self.name)
