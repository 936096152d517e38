"""What a profile says about S3, and that an address which is refused tells nobody the password in it."""

from __future__ import annotations

import pytest

from flowhub_assets.errors import ProfileError
from flowhub_assets.runtime.s3_config import s3_config


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://user:pa55word@host",
        "http://user:pa55word@host:port",
        "user:pa55word@host:9000",
        "https://host?token=pa55word",
        "host:9000?token=pa55word",
        "https://host/#pa55word",
    ],
)
def test_a_password_in_the_endpoint_is_refused_and_not_repeated(endpoint: str) -> None:
    with pytest.raises(ProfileError) as refused:
        s3_config({"BUCKET": "bucket", "ENDPOINT": endpoint})
    assert "ENDPOINT" in refused.value.what
    assert "pa55word" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("https://minio.example.com/", "https://minio.example.com"),
        ("http://[::1]:9000", "http://[::1]:9000"),
        ("https://gateway.example.com/s3", "https://gateway.example.com/s3"),
    ],
)
def test_an_address_is_taken_as_it_is(given: str, taken: str) -> None:
    assert s3_config({"BUCKET": "bucket", "ENDPOINT": given}).endpoint == taken
