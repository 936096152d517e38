"""dagster-aws' S3Resource from a profile, against a real server."""

from __future__ import annotations

import pytest

from flowhub_assets.errors import ProfileError
from flowhub_assets.resources.boto_client import s3_resource
from flowhub_assets_tests.s3_server import S3Server
from flowhub_assets_tests.s3_server import shared_s3 as shared_s3


@pytest.mark.parametrize("names", [("ACCESS_KEY", "SECRET_KEY"), ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY")])
def test_both_spellings_of_the_keys_give_a_working_client(shared_s3: S3Server, names: tuple[str, str]) -> None:
    env = shared_s3.env()
    keys = {names[0]: env.pop("ACCESS_KEY"), names[1]: env.pop("SECRET_KEY")}
    client = s3_resource({**env, **keys}).get_client()
    client.put_object(Bucket="bucket", Key=names[0], Body=b"content")
    assert (shared_s3.folder / "bucket" / names[0]).read_bytes() == b"content"


def test_without_keys_boto3_finds_its_own(shared_s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    env = shared_s3.env()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", env.pop("ACCESS_KEY"))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", env.pop("SECRET_KEY"))
    client = s3_resource(env).get_client()
    assert [bucket["Name"] for bucket in client.list_buckets()["Buckets"]] == ["bucket"]


@pytest.mark.parametrize("profile", [{}, {"WORKSPACE": "./tmp"}, {"BUCKET": ""}])
def test_a_profile_without_a_bucket_is_refused(profile: dict[str, str]) -> None:
    with pytest.raises(ProfileError) as refused:
        s3_resource(profile)
    assert "BUCKET" in refused.value.what
    assert "ENDPOINT" in refused.value.remedy


def test_a_session_token_comes_along() -> None:
    keys = {"ACCESS_KEY": "id", "SECRET_KEY": "secret", "SESSION_TOKEN": "session"}
    assert s3_resource({"BUCKET": "bucket", **keys}).aws_session_token == "session"


def test_keys_of_two_pairs_are_not_mixed() -> None:
    with pytest.raises(ProfileError, match="has ACCESS_KEY but no SECRET_KEY"):
        s3_resource({"BUCKET": "bucket", "ACCESS_KEY": "one", "SECRET_ACCESS_KEY": "two"})
