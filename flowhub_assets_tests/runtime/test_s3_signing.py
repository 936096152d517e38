"""Signatures against the examples of the S3 API reference, and against botocore for whatever else."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.runtime.s3_signing import Credentials, query_of, quoted_key, signed_headers, signed_url

KEY = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
AT = "20130524T000000Z"
HOST = "https://examplebucket.s3.amazonaws.com"


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "signature"),
    [
        (
            "GET",
            "/test.txt",
            {"Range": "bytes=0-9"},
            b"",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            "PUT",
            "/test%24file.text",
            {"Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
            b"Welcome to Amazon S3.",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        ("GET", "/?lifecycle", {}, b"", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        (
            "GET",
            "/?max-keys=2&prefix=J",
            {},
            b"",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
)
def test_headers_are_signed_as_in_the_reference(
    method: str, path: str, headers: dict[str, str], body: bytes, signature: str
) -> None:
    signed = signed_headers(method, HOST + path, headers, body, KEY, "us-east-1", AT)
    assert signed["Authorization"].endswith(f",Signature={signature}")
    assert "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request," in signed["Authorization"]
    assert not any(KEY.secret_key in value for value in signed.values())


def test_urls_are_signed_as_in_the_reference() -> None:
    url = signed_url(f"{HOST}/test.txt", KEY, "us-east-1", 86400, AT)
    assert url.startswith(f"{HOST}/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F")
    assert url.endswith("&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")


def test_no_secret_is_shown() -> None:
    assert repr(Credentials("id", "very-secret", "my-token")) == "Credentials(access_key='id', expires=0.0)"


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=30)
HEADERS = st.dictionaries(
    st.from_regex(r"x-amz-meta-[a-z0-9-]{1,10}", fullmatch=True),
    st.from_regex(r"[!-~]([ -~]{0,20}[!-~])?", fullmatch=True),
    max_size=3,
)


def boto_signature(authorization: str) -> str:
    found = re.search(r"Signature=([0-9a-f]{64})", authorization)
    assert found is not None
    return found.group(1)


@given(
    TEXTS,
    st.dictionaries(TEXTS, TEXTS, max_size=3),
    HEADERS,
    st.binary(max_size=30),
    st.sampled_from(["", "a/token+="]),
)
def test_any_request_is_signed_as_botocore_signs_it(
    key: str, query: dict[str, str], headers: dict[str, str], body: bytes, token: str
) -> None:
    mine = Credentials(KEY.access_key, KEY.secret_key, token)
    theirs = BotoCredentials(KEY.access_key, KEY.secret_key, token or None)
    url = f"http://127.0.0.1:9000/bucket/{quoted_key(key)}"
    asked = f"{url}?{query_of(query.items())}" if query else url
    request = AWSRequest("PUT", asked, headers, body)
    S3SigV4Auth(theirs, "s3", "ap-northeast-2").add_auth(request)
    at = request.context["timestamp"]
    signed = signed_headers("PUT", asked, headers, body, mine, "ap-northeast-2", at)
    assert boto_signature(signed["Authorization"]) == boto_signature(request.headers["Authorization"])
    link = AWSRequest("GET", url)
    S3SigV4QueryAuth(theirs, "s3", "ap-northeast-2", expires=60).add_auth(link)
    signed_link = signed_url(url, mine, "ap-northeast-2", 60, link.context["timestamp"])
    assert parse_qs(urlsplit(signed_link).query) == parse_qs(urlsplit(link.url).query)


@given(TEXTS)
def test_a_key_is_quoted_as_s3_quotes_it_when_it_checks_the_signature(key: str) -> None:
    text = quoted_key(key)
    assert re.fullmatch(r"(?:[A-Za-z0-9/._~-]|%[0-9A-F]{2})*", text)
    assert unquote(text) == key
