"""The same requests through boto3, for a process that was forked after its parent had used obstore.

obstore's threads do not live on in a forked child, where every request would wait for ever; boto3 starts afresh.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

from flowhub_assets.resources.s3_client import DIGEST_NAME, S3Answer, S3Limits, bare_etag
from flowhub_assets.resources.s3_config import S3Config


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

    def put_parts(self, key: str, file: IO[bytes], part_size: int, threads: int, digest: str) -> str:
        """Stores what ``file`` reads in parts; returns the ETag."""
        from boto3.exceptions import S3UploadFailedError
        from boto3.s3.transfer import TransferConfig

        transfer = TransferConfig(
            multipart_threshold=part_size,
            multipart_chunksize=part_size,
            max_concurrency=threads,
            preferred_transfer_client="classic",
        )
        extra = {"Metadata": {DIGEST_NAME: digest}}
        try:
            self._client.upload_fileobj(file, self._bucket, key, ExtraArgs=extra, Config=transfer)
        except S3UploadFailedError as error:
            raise (error.__cause__ or error.__context__ or error) from None
        return bare_etag(self._client.head_object(Bucket=self._bucket, Key=key).get("ETag"))

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
