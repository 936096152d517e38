"""What obstore or boto3 says of an S3 server's answer, as one error of ours."""

from __future__ import annotations

import re

from flowhub_assets.errors import StorageError
from flowhub_assets.runtime.bare_s3 import bare_error
from flowhub_assets.runtime.s3_answers import no_credentials, response_error

_CODE = re.compile(r"<Code>\s*([A-Za-z0-9]+)\s*</Code>")
_STATUS = re.compile(r"(?:non-2xx status code: |status: )(\d{3})")

# Where the client looks last for credentials: the metadata services of EC2 and ECS, and STS.
_NO_CREDENTIALS = ("http://169.254.", "http://[fd00:ec2::", "AssumeRoleWithWebIdentity")


def storage_error(error: Exception, doing: str, storage: str) -> Exception:
    """The error to raise for what the client raised while ``doing``, for example ``"read 'a/b.csv'"``.

    ``storage`` is ``s3://bucket``. What does not come from the client is given back as it is.
    """
    if type(error).__module__.startswith(("botocore", "boto3")):
        return _boto_error(error, doing, storage)
    error = bare_error(error, doing, storage)
    text = str(error)
    missing = isinstance(error, FileNotFoundError) and text.startswith("Object at location")
    if not missing and not type(error).__module__.startswith("obstore"):
        return error
    code, status = _CODE.search(text), _STATUS.search(text)
    if any(mark in text for mark in _NO_CREDENTIALS):
        return no_credentials(doing, storage)
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
        return no_credentials(doing, storage)
    answer = getattr(error, "response", {})
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    # Where an answer has no body, as to HEAD, boto3 takes the status for the code.
    code = str(answer.get("Error", {}).get("Code", ""))
    return response_error(status, "" if code.isdigit() else code, doing, storage)
