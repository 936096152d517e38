"""What an S3 server or its client says, as one error of ours.

Only the server's error code is taken over, never its text: that may hold key ids, signatures and signed URLs.
Codes: the S3 API's error responses.
"""

from __future__ import annotations

import re

from flowhub_assets.errors import AccessRefused, ObjectMissing, StorageError, TransferFailed

_CODE = re.compile(r"<Code>\s*([A-Za-z0-9]+)\s*</Code>")
_STATUS = re.compile(r"(?:non-2xx status code: |status: )(\d{3})")

_REFUSED = {
    "AccessDenied": "Give these credentials the right to it: s3:GetObject, PutObject, ListBucket, DeleteObject.",
    "AccountProblem": "Ask the owner of the account.",
    "AllAccessDisabled": "Ask the owner of the bucket.",
    "ExpiredToken": "The session has ended; log in again.",
    "InvalidAccessKeyId": "Check ACCESS_KEY of the profile; the server does not know it.",
    "InvalidToken": "Log in again; the session token is not valid.",
    "RequestTimeTooSkewed": "Set this machine's clock.",
    "SignatureDoesNotMatch": "Check SECRET_KEY of the profile; it does not belong to ACCESS_KEY.",
}
_REGION = (
    "AuthorizationHeaderMalformed",
    "PermanentRedirect",
    "TemporaryRedirect",
    "IllegalLocationConstraintException",
)
_CHECK_CREDENTIALS = "Check ACCESS_KEY and SECRET_KEY of the profile, and what they may do in this bucket."
# Where the client looks last for credentials: the metadata services of EC2 and ECS, and STS.
_NO_CREDENTIALS = ("http://169.254.", "http://[fd00:ec2::", "AssumeRoleWithWebIdentity")


def storage_error(error: Exception, doing: str, storage: str) -> Exception:
    """The error to raise for what the client raised while ``doing``, for example ``"read 'a/b.csv'"``.

    ``storage`` is ``s3://bucket``. What does not come from the client is given back as it is.
    """
    if type(error).__module__.startswith(("botocore", "boto3")):
        return _boto_error(error, doing, storage)
    text = str(error)
    missing = isinstance(error, FileNotFoundError) and text.startswith("Object at location")
    if not missing and not type(error).__module__.startswith("obstore"):
        return error
    code, status = _CODE.search(text), _STATUS.search(text)
    if any(mark in text for mark in _NO_CREDENTIALS):
        return _no_credentials(doing, storage)
    if "invalid list response" in text or "invalid XML" in text or "invalid multipart response" in text:
        return StorageError(
            f"cannot {doing}: what answers does not speak S3", where=storage, remedy="Check ENDPOINT of the profile."
        )
    kind = type(error).__name__
    refused = kind in ("PermissionDeniedError", "UnauthenticatedError")
    guess = 404 if missing else 403 if refused else 0
    return response_error(int(status.group(1)) if status else guess, code.group(1) if code else "", doing, storage)


def _boto_error(error: Exception, doing: str, storage: str) -> StorageError:
    if "Credentials" in type(error).__name__:
        return _no_credentials(doing, storage)
    answer = getattr(error, "response", {})
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    # Where an answer has no body, as to HEAD, boto3 takes the status for the code.
    code = str(answer.get("Error", {}).get("Code", ""))
    return response_error(status, "" if code.isdigit() else code, doing, storage)


def _no_credentials(doing: str, storage: str) -> AccessRefused:
    return AccessRefused(
        f"cannot {doing}: no credentials for S3 were found",
        where=storage,
        remedy="Give the profile ACCESS_KEY and SECRET_KEY, or the environment its credentials.",
    )


def response_error(status: int, code: str, doing: str, storage: str) -> StorageError:
    """The error for an HTTP status (0: no answer came) and the S3 error code, ``""`` where there was none."""
    what = f"cannot {doing}"
    if code == "NoSuchBucket":
        return StorageError(
            f"{what}: the bucket does not exist", where=storage, remedy="Check BUCKET and ENDPOINT of the profile."
        )
    if code in _REGION or status in (301, 307):
        return StorageError(
            f"{what}: the bucket lies in another region", where=storage, remedy="Set REGION_NAME of the profile to it."
        )
    if code in _REFUSED or status in (401, 403):
        reason = f" ({code})" if code else ""
        return AccessRefused(
            f"{what}: the server refuses the credentials{reason}",
            where=storage,
            remedy=_REFUSED.get(code, _CHECK_CREDENTIALS),
        )
    if status == 404:
        return ObjectMissing(f"{what}: it is not there", where=storage)
    if status == 0 or status >= 500 or status in (408, 429):
        reason = f"the server answers {status} {code}".rstrip() if status else "the server does not answer"
        return TransferFailed(
            f"{what}: {reason}, also after retries",
            where=storage,
            effect="Nothing was left half written.",
            remedy="Check ENDPOINT, the network and the server, then try again.",
        )
    return StorageError(f"{what}: the server answers {status} {code}".rstrip(), where=storage)
