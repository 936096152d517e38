"""The same requests through boto3, for a process that was forked after its parent had used obstore.

obstore's threads do not live on in a forked child, where every request would wait for ever; boto3 starts afresh.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from flowhub_assets.runtime.s3_client import DIGEST_NAME, S3Answer, S3Limits, bare_etag
from flowhub_assets.runtime.s3_config import S3Config


class BotoClient:
    """S3Client by boto3."""

    def __init__(self, config: S3Config, limits: S3Limits) -> None:
        import boto3
        from botocore.config import Config

        self._bucket = config.bucket
        # The client class of boto3 is made at run time and has no type.
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=config.endpoint or None,
            region_name=config.region or ("us-east-1" if config.endpoint else None),
            aws_access_key_id=config.access_key or None,
            aws_secret_access_key=config.secret_key or None,
            aws_session_token=config.session_token or None,
            config=Config(
                signature_version="s3v4",
                connect_timeout=limits.connect_timeout,
                read_timeout=limits.timeout,
                retries={"total_max_attempts": limits.retries + 1, "mode": "standard"},
                s3={"addressing_style": "path"},
            ),
        )

    def put(self, key: str, data: bytes, digest: str) -> str:
        """Stores a small object; returns its ETag."""
        answer = self._client.put_object(Bucket=self._bucket, Key=key, Body=data, Metadata={DIGEST_NAME: digest})
        return bare_etag(answer.get("ETag"))

    def put_parts(self, key: str, parts: Iterator[bytes], part_size: int, threads: int, digest: str) -> str:  # noqa: ARG002
        """Stores an object in parts, one after the other; returns its ETag."""
        place = {"Bucket": self._bucket, "Key": key}
        upload = self._client.create_multipart_upload(**place, Metadata={DIGEST_NAME: digest})["UploadId"]
        try:
            sent = [
                {"PartNumber": number, "ETag": self._put_part(place, upload, number, part)}
                for number, part in enumerate(parts, 1)
            ]
            answer = self._client.complete_multipart_upload(**place, UploadId=upload, MultipartUpload={"Parts": sent})
        except BaseException:
            with contextlib.suppress(Exception):  # the first error is the one to tell
                self._client.abort_multipart_upload(**place, UploadId=upload)
            raise
        return bare_etag(answer.get("ETag"))

    def _put_part(self, place: dict[str, str], upload: str, number: int, part: bytes) -> str:
        answer = self._client.upload_part(**place, UploadId=upload, PartNumber=number, Body=part)
        etag: str = answer["ETag"]
        return etag

    def get(self, key: str) -> S3Answer:
        """Asks for an object."""
        answer = self._client.get_object(Bucket=self._bucket, Key=key)
        digest = answer.get("Metadata", {}).get(DIGEST_NAME, "")
        return S3Answer(answer["ContentLength"], bare_etag(answer.get("ETag")), digest, answer["Body"].read)

    def size(self, key: str) -> int:
        """The object's size in bytes."""
        size: int = self._client.head_object(Bucket=self._bucket, Key=key)["ContentLength"]
        return size

    def list(self, prefix: str, pages: int = 0) -> Iterator[tuple[str, int]]:
        """(key, size) of the objects whose key begins with ``prefix``."""
        paginator = self._client.get_paginator("list_objects_v2")
        for number, page in enumerate(paginator.paginate(Bucket=self._bucket, Prefix=prefix), 1):
            for one in page.get("Contents", ()):
                yield one["Key"], one["Size"]
            if number == pages:
                return

    def delete(self, key: str) -> None:
        """Removes an object."""
        self._client.delete_object(Bucket=self._bucket, Key=key)

    def sign(self, key: str, seconds: int) -> str:
        """A URL that gets the object for ``seconds`` seconds."""
        wanted = {"Bucket": self._bucket, "Key": key}
        url: str = self._client.generate_presigned_url("get_object", Params=wanted, ExpiresIn=seconds)
        return url
