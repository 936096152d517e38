"""Credentials by their looks, and what only resembles them. None of these was ever valid."""

from __future__ import annotations

import pytest

from flowhub_assets.pods.secret_looks import look_of, without_looks

# Put together here, so that scanners of this repository find none.
SECRETS = {
    "postgresql://me:" + "hunter2@db.example.com/x": "a URL with a password",
    "redis://:" + "hunter2@cache:6379/0": "a URL with a password",
    "postgresql://db.example.com/x?user=me&pass" + "word=hunter2": "a URL with a password or token",
    "https://api.example.com/v1?api_" + "key=0123456789": "a URL with a password or token",
    "-----BEGIN RSA PRIVATE" + " KEY-----\nMIIB": "a private key",
    "-----BEGIN PRIVATE" + " KEY-----": "a private key",
    "-----BEGIN PGP PRIVATE" + " KEY BLOCK-----": "a private key",
    "AKIA" + "Q4R7T2W9Y6U3I8O5": "an access key of AWS",
    "use ASIA" + "Q4R7T2W9Y6U3I8O5 here": "an access key of AWS",
    "ghp_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3gH6": "a token of GitHub",
    "github_pat_" + "11ABCDEFG0aBcDeFgHiJkL_mNoPqRsTuVw": "a token of GitHub",
    "glpat-" + "aB3dE6gH9jK2mN5pQ8sT": "a token of GitLab",
    "xoxb-" + "123456789012-abcdefghijkl": "a token of Slack",
    "https://hooks.slack.com/services/" + "T0001/B0002/abc": "a webhook of Slack",
    "sk-" + "proj-aB3dE6gH9jK2mN5pQ8sT1vW4": "an API key",
    "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc": "an API key",
    "AIza" + "SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q": "a key of Google",
    "hf_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH": "a token of Hugging Face or npm",
    "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0In0.abcdefghijklmnop": "a JSON Web Token",
    "Authorization: Bearer " + "abcdefghij0123456789": "a bearer token",
}

HARMLESS = (
    "https://example.com:8080/a@b",
    "postgresql://{user}:{password}@host/db",
    "postgresql://me:${PASSWORD}@host/db",
    "postgresql://me:***@host/db",
    "postgresql://me:<password>@host/db",
    "postgresql://db.example.com/x?sslmode=require",
    "https://api.example.com/?token={{env.TOKEN}}",
    "-----BEGIN CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----",
    "an AKIA key",
    "sk-learn-is-a-library-for-machine-learning",
    "task-risk-0123456789-0123456789",
    "eyJ is how a token begins",
    "Bearer token",
    "arn:aws:iam::123456789012:role/flow",
    "s3://my-bucket/a/b?versionId=1",
)


@pytest.mark.parametrize(("text", "look"), SECRETS.items(), ids=lambda one: "")
def test_a_credential_is_known_by_its_looks_also_inside_of_a_text(text: str, look: str) -> None:
    assert look_of(text) == look
    assert look_of(f"first line\n  value: {text!r}") == look
    assert look_of(without_looks(f"see {text} there")) == ""
    assert without_looks(f"see {text} there").startswith("see ")


@pytest.mark.parametrize("text", HARMLESS)
def test_what_stands_for_a_credential_is_none(text: str) -> None:
    assert look_of(text) == ""
    assert without_looks(text) == text
