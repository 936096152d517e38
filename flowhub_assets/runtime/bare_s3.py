"""S3 by the standard library alone: for an image that has Python and nothing else."""

from __future__ import annotations

import contextlib
import http.client
import os
import time
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Callable, Optional, TypeVar
from urllib.parse import unquote_plus, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from flowhub_assets.errors import StorageError
from flowhub_assets.runtime.bucket import BucketStorage
from flowhub_assets.runtime.s3_answers import no_credentials, response_error
from flowhub_assets.runtime.s3_client import DIGEST_NAME, S3Answer, S3Client, S3Limits, bare_etag
from flowhub_assets.runtime.s3_config import S3Config
from flowhub_assets.runtime.s3_credentials import CredentialSource, NoCredentials
from flowhub_assets.runtime.s3_http import Http, Refused, code_in
from flowhub_assets.runtime.s3_signing import query_of, quoted_key, signed_headers, signed_url
from flowhub_assets.runtime.s3_transfer import LARGE

#: What is worth another try beside the statuses of a server in trouble.
_TRY_AGAIN = ("SlowDown", "InternalError", "RequestTimeout", "ServiceUnavailable", "Throttling", "OperationAborted")
_TROUBLE = (0, 408, 429, 500, 502, 503, 504)
#: Parts of one upload that are in memory at a time, however many the caller would like.
_PARTS_AT_ONCE = 2
_DIGEST_HEADER = f"x-amz-meta-{DIGEST_NAME}"

Result = TypeVar("Result")

# ``list`` is a request of every client, so inside the class the type needs another name.
Etags = list[str]


class NotS3(Exception):
    """What answers does not speak S3."""


class BareS3Storage(BucketStorage):
    """A bucket through the standard library's HTTP."""

    def _new_client(self, config: S3Config, limits: S3Limits) -> S3Client:
        return BareClient(config, limits)

    def _error_of(self, error: Exception, doing: str) -> Exception:
        return bare_error(error, doing, self.name)


def bare_error(error: Exception, doing: str, storage: str) -> Exception:
    """The error to raise for what BareClient raised while ``doing``; what does not come from it as it is."""
    if isinstance(error, NoCredentials):
        return no_credentials(doing, storage)
    if isinstance(error, NotS3):
        return StorageError(
            f"cannot {doing}: what answers does not speak S3", where=storage, remedy="Check ENDPOINT of the profile."
        )
    if isinstance(error, Refused):
        return response_error(error.status, error.code, doing, storage)
    return error


class BareClient:
    """S3Client by urllib. With an endpoint the bucket stands in the path, on AWS in the host's name."""

    def __init__(self, config: S3Config, limits: S3Limits) -> None:
        self._limits = limits
        self._region = config.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION", "")
        self._region = self._region or "us-east-1"
        self._base = _base_url(config, self._region)
        self._credentials = CredentialSource(config, self._region)
        self._http = Http(limits.timeout, limits.connect_timeout)

    def put(self, key: str, data: bytes, digest: str) -> str:
        """Stores a small object; returns its ETag."""
        with self._asked("PUT", key, headers={_DIGEST_HEADER: digest}, body=data) as answer:
            return bare_etag(answer.headers.get("ETag"))

    def put_parts(self, key: str, parts: Iterator[bytes], part_size: int, threads: int, digest: str) -> str:  # noqa: ARG002
        """Stores an object in parts, at most two of them in memory; returns its ETag."""
        started = self._text("POST", key, {"uploads": ""}, {_DIGEST_HEADER: digest})
        upload = _xml(started).get("UploadId", "")
        try:
            etags = self._put_all(key, upload, parts, min(threads, _PARTS_AT_ONCE))
            done = "".join(
                f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(etag)}</ETag></Part>"
                for number, etag in enumerate(etags, 1)
            )
            body = f"<CompleteMultipartUpload>{done}</CompleteMultipartUpload>".encode()
            return self._again(lambda: self._complete(key, upload, body))
        except BaseException:
            with contextlib.suppress(Exception):  # the first error is the one to tell
                self._http.text("DELETE", *self._signed("DELETE", key, {"uploadId": upload}, {}, b""))
            raise

    def get(self, key: str) -> S3Answer:
        """Asks for an object; the content of a large one is asked for anew, and only if it is wanted."""
        answer = self._asked("GET", key)
        size = answer.length
        if size is None:
            answer.close()
            raise NotS3
        if size > LARGE:
            answer.close()
        first = [answer] if size <= LARGE else []

        def body() -> bytes:
            return self._again(lambda: _content(first.pop() if first else self._sent("GET", key, {}, {}, b"")))

        return S3Answer(size, bare_etag(answer.headers.get("ETag")), answer.headers.get(_DIGEST_HEADER, ""), body)

    def size(self, key: str) -> int:
        """The object's size in bytes."""
        with self._asked("HEAD", key) as answer:
            return int(answer.headers["Content-Length"])

    def list(self, prefix: str, pages: int = 0) -> Iterator[tuple[str, int]]:
        """(key, size) of the objects whose key begins with ``prefix``."""
        query, page = {"list-type": "2", "prefix": prefix, "encoding-type": "url"}, 0
        while True:
            root = _root(self._text("GET", "", query))
            if _name(root) != "ListBucketResult":
                raise NotS3
            told = _children(root)
            decode = unquote_plus if told.get("EncodingType") == "url" else str
            for one in root:
                if _name(one) == "Contents":
                    found = _children(one)
                    yield decode(found["Key"]), int(found["Size"])
            page += 1
            token = told.get("NextContinuationToken", "")
            if told.get("IsTruncated") != "true" or not token or page == pages:
                return
            query = {**query, "continuation-token": token}

    def delete(self, key: str) -> None:
        """Removes an object."""
        self._text("DELETE", key)

    def sign(self, key: str, seconds: int) -> str:
        """A URL that gets the object for ``seconds`` seconds."""
        return signed_url(self._url(key), self._credentials.get(), self._region, seconds, _now())

    def _put_all(self, key: str, upload: str, parts: Iterator[bytes], at_once: int) -> Etags:
        etags: Etags = []
        with ThreadPoolExecutor(at_once, thread_name_prefix="s3-put") as pool:
            waiting: deque[Future[str]] = deque()
            try:
                for number, part in enumerate(parts, 1):
                    waiting.append(pool.submit(self._put_part, key, upload, number, part))
                    del part  # its copy in the pool is the one that counts
                    if len(waiting) == at_once:
                        etags.append(waiting.popleft().result())
                etags += [part.result() for part in waiting]
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        return etags

    def _put_part(self, key: str, upload: str, number: int, part: bytes) -> str:
        with self._asked("PUT", key, {"partNumber": str(number), "uploadId": upload}, body=part) as answer:
            etag: str = answer.headers.get("ETag", "")
            return etag

    def _complete(self, key: str, upload: str, body: bytes) -> str:
        text = _content(self._sent("POST", key, {"uploadId": upload}, {}, body))
        # S3 begins its answer before it knows: an error can stand in one of status 200.
        if code_in(text):
            raise Refused(500, code_in(text))
        return bare_etag(_xml(text).get("ETag"))

    def _text(self, method: str, key: str, query: Optional[Mapping[str, str]] = None, headers: Any = None) -> bytes:
        return self._again(lambda: _content(self._sent(method, key, query or {}, headers or {}, b"")))

    def _asked(
        self,
        method: str,
        key: str,
        query: Optional[Mapping[str, str]] = None,
        headers: Optional[Mapping[str, str]] = None,
        body: bytes = b"",
    ) -> http.client.HTTPResponse:
        return self._again(lambda: self._sent(method, key, query or {}, headers or {}, body))

    def _sent(
        self, method: str, key: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> http.client.HTTPResponse:
        # Signed for each try: a signature is too old after a quarter of an hour.
        return self._http.send(method, *self._signed(method, key, query, headers, body), body)

    def _signed(
        self, method: str, key: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> tuple[str, dict[str, str]]:
        url = self._url(key) + (f"?{query_of(query.items())}" if query else "")
        return url, signed_headers(method, url, headers, body, self._credentials.get(), self._region, _now())

    def _url(self, key: str) -> str:
        return f"{self._base}/{quoted_key(key)}"

    def _again(self, call: Callable[[], Result]) -> Result:
        """What ``call`` returns, tried again with longer and longer pauses where the server or the network fails."""
        failures = 0
        while True:
            try:
                return call()
            except Refused as error:
                failures += 1
                worth_it = error.status in _TROUBLE or error.code in _TRY_AGAIN
                if not worth_it or failures > self._limits.retries:
                    raise
            time.sleep(self._limits.backoff(failures))


def _base_url(config: S3Config, region: str) -> str:
    endpoint = config.endpoint or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")
    if endpoint:
        parts = urlsplit(endpoint)
        return f"{parts.scheme}://{parts.netloc}{quoted_key(parts.path.rstrip('/'))}/{config.bucket}"
    host = f"s3.{region}.amazonaws.com" + (".cn" if region.startswith("cn-") else "")
    # A dot would make the name one that AWS's certificate does not hold.
    return f"https://{host}/{config.bucket}" if "." in config.bucket else f"https://{config.bucket}.{host}"


def _now() -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())


def _content(answer: http.client.HTTPResponse) -> bytes:
    """All of it. Raises Refused if it breaks off."""
    try:
        with answer:
            return answer.read()
    except (OSError, http.client.HTTPException):
        raise Refused(0) from None


def _root(text: bytes) -> ElementTree.Element:
    try:
        # From the server that the profile names; today's expat bounds how entities grow.
        return ElementTree.fromstring(text)  # noqa: S314
    except ElementTree.ParseError:
        raise NotS3 from None


def _xml(text: bytes) -> dict[str, str]:
    """The texts directly inside the document."""
    return _children(_root(text))


def _children(element: ElementTree.Element) -> dict[str, str]:
    return {_name(one): one.text or "" for one in element}


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]
