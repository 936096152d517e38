"""What an S3 server answers, as one error of ours.

Only the server's error code is taken over, never its text: that may hold key ids, signatures and signed URLs.
Codes: the S3 API's error responses.
"""

from __future__ import annotations

from flowhub_assets.errors import AccessRefused, ObjectMissing, StorageError, TransferFailed

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


def no_credentials(doing: str, storage: str) -> AccessRefused:
    """The error where neither the profile nor the surroundings have a key pair."""
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
