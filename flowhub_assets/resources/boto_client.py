"""dagster-aws' S3Resource from an env profile, for assets that want a boto3 client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowhub_assets.errors import ProfileError
from flowhub_assets.runtime.s3_config import s3_config

if TYPE_CHECKING:
    from dagster_aws.s3 import S3Resource


def s3_resource(profile: Mapping[str, Any]) -> S3Resource:
    """The resource for a profile's BUCKET, REGION_NAME, ENDPOINT and keys; without keys boto3 finds its own.

    Raises ProfileError if the profile names no BUCKET, or where get_storage would for what stands in it.
    """
    if not profile.get("BUCKET"):
        raise ProfileError(
            "the profile names no BUCKET",
            effect="There is no S3 or MinIO server to talk to.",
            remedy="Add BUCKET (and ENDPOINT for MinIO) to the profile, or set bucket in the storage resource.",
        )
    config = s3_config(profile)
    # Here, not above: boto3 would cost every step's process a second at its start.
    from dagster_aws.s3 import S3Resource

    return S3Resource(
        region_name=config.region or None,
        endpoint_url=config.endpoint or None,
        aws_access_key_id=config.access_key or None,
        aws_secret_access_key=config.secret_key or None,
        aws_session_token=config.session_token or None,
    )
