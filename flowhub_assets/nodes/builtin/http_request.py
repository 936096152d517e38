"""http-request: calls a web service."""

from __future__ import annotations

import os
import re
import tempfile
import time
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from urllib.parse import unquote

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from flowhub_assets.nodes.connection_names import ConnectionName
from flowhub_assets.nodes.daemon_call import in_daemon_thread
from flowhub_assets.nodes.http.body import ACCEPT_ENCODING, body_bytes, body_chunks
from flowhub_assets.nodes.http.call import HttpFailed, Told, answer, bare, refused, within
from flowhub_assets.nodes.http.client import http_client
from flowhub_assets.nodes.http.connection import HttpConnection, http_connection
from flowhub_assets.nodes.http.content import ContentProblem, body_value, headers_to_send, json_bytes, query_to_send
from flowhub_assets.nodes.http.target import follow, target, without_credentials
from flowhub_assets.nodes.http.tries import IDEMPOTENT_METHODS, Tries, with_tries
from flowhub_assets.nodes.sdk import Node, NodeConfig, NodeContext, NodeInput, NodeOutput

if TYPE_CHECKING:
    import httpx

_MOST_IN_A_VALUE = 10 * 1024**2
_MOST_IN_A_FILE = 1024**3

Scalar = str | int | float | bool


class HttpRequest(Node):
    """Calls a web service and gives its answer.

    `{{id.output}}` is the body, `{{id.output.name}}` a field of a JSON body; `{{id.status}}` and `{{id.headers}}` are
    beside it.

    **The body.** `expect: auto` (the default) reads JSON or text as the answer's Content-Type says; `json` and `text`
    insist; `file` stores the body and gives its URL, whatever its size.

    **Credentials** are never written into the file. `connection: weather` reads WEATHER_URL and WEATHER_TOKEN,
    WEATHER_API_KEY or WEATHER_USER with WEATHER_PASSWORD from the env profile or the environment; `url` is then a
    path below that address, and the credentials go nowhere else, redirects included.

    **Retries.** A server that cannot be reached, or answers 408, 425, 429 or 5xx, is asked again, at the time that
    its Retry-After names. POST and PATCH are repeated only where the server says that it did not work on the
    request (425, 429, 503, no connection), unless `idempotent: true`. The node's own `retry:` comes on top.

    **Where it may go.** Only to http and https. Link-local addresses and the metadata services of clouds are refused
    in every form (by name, as a number, inside IPv6, after a redirect, when the name server changes its mind): they
    hand out the machine's own credentials. A profile with `ALLOW_LINK_LOCAL: true` may call them. The machine itself
    and private networks are allowed, since that is where a team's own services are. Proxies of the environment
    (HTTP_PROXY) are not used.

    **Errors.** HttpFailed for a status of 400 or more (unless `failOnStatus: false`), for no answer, for one that is
    too large, and for a body that is not what `expect` says.
    """

    name = "http-request"
    category = "http"
    run_on = "engine"
    primary = "body"
    example = """
- id: fetch-topic
  type: http-request
  config:
    method: GET
    url: https://api.example.com/topics
    query: {language: ko}
    timeout: 10
    retries: 3
"""

    class Config(NodeConfig):
        """Where the request goes and what becomes of the answer."""

        method: Annotated[
            Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
            BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value),
        ] = Field("GET", description="The request's method.")
        url: Annotated[str, AfterValidator(without_credentials)] = Field(
            "", description="The address, http or https; with a connection, a path below its address."
        )
        connection: ConnectionName | None = Field(
            None,
            description="The name of a connection, whose address and credentials are used: weather for WEATHER_URL.",
        )
        api_key_header: str = Field(
            "X-API-Key", description="The header in which the connection's API key is sent, if it has one."
        )
        headers: dict[str, Scalar] = Field(default_factory=dict, description="Headers to send; never credentials.")
        query: dict[str, Scalar | list[Scalar] | None] = Field(
            default_factory=dict,
            description="Parameters added to the URL's query; a list is sent as several, null not at all.",
        )
        timeout: float = Field(
            30.0, gt=0, le=86_400, description="Seconds for one try, from connecting to the last byte."
        )
        retries: int = Field(2, ge=0, le=20, description="How many times a try that failed in passing is repeated.")
        retry_delay: float = Field(
            0.5, ge=0, le=60, description="Seconds before the first repetition; doubled before each further one."
        )
        idempotent: bool | None = Field(
            None,
            description="Whether a repeated request does no harm. By default that is so unless it is POST or PATCH.",
        )
        follow_redirects: int = Field(5, ge=0, le=20, description="How many redirects are followed; 0 gives the first.")
        fail_on_status: bool = Field(True, description="Whether a status of 400 or more makes the node fail.")
        expect: Literal["auto", "json", "text", "file"] = Field(
            "auto", description="What the body is: by its Content-Type, JSON, text, or a file for the storage."
        )
        key: str | None = Field(
            None,
            min_length=1,
            description="The storage key of a file; by default the URL's last part, in the run's place.",
        )
        max_bytes: int | None = Field(
            None, ge=1, description="The most bytes a body may have, decompressed. By default 10 MiB; 1 GiB for a file."
        )

        @model_validator(mode="after")
        def _an_address(self) -> Self:
            if not self.url and not self.connection:
                raise ValueError("must have url or connection")
            if self.key is not None and self.expect != "file":
                raise ValueError("must have expect: file where it has key")
            return self

    class Input(NodeInput):
        """What is sent: one body at most."""

        body: str | None = Field(None, description="The body as text, sent as it is.")
        json_body: Any = Field(None, alias="json", description="The body as a value, sent as JSON.")
        form: dict[str, Scalar | list[Scalar] | None] | None = Field(
            None, description="The body as the fields of a form, sent URL-encoded."
        )
        params: dict[str, Scalar | list[Scalar] | None] = Field(
            default_factory=dict, description="Parameters for the query, beside and before those of config.query."
        )

        @model_validator(mode="after")
        def _one_body(self) -> Self:
            given = [
                self.body is not None,
                self.form is not None,
                bool({"json", "json_body"} & self.model_fields_set) and self.json_body is not None,
            ]
            if sum(given) > 1:
                raise ValueError("must have only one of body, json and form")
            return self

    class Output(NodeOutput):
        """The answer."""

        status: int = Field(description="The HTTP status, for example 200.")
        headers: dict[str, str] = Field(description="The answer's headers, their names in small letters.")
        body: Any = Field(description="The JSON value or the text; of a file its URL in the storage; null if empty.")
        url: str = Field(description="The address that answered, after redirects, without its query.")
        elapsed: float = Field(description="Seconds that the last try took.")
        attempts: int = Field(description="How many tries it took.")

    config: Config

    async def execute(self, input: Input, context: NodeContext) -> Output:
        """Calls the service; HttpFailed or ProfileError if that gives no answer."""
        config = self.config
        connection = None
        if config.connection:
            connection = http_connection(context.profile, config.connection, config.api_key_header)
        if config.expect == "file":
            # A profile without a storage is told before anything is sent.
            context.storage()
        tries = Tries(config.retries, config.retry_delay, self._harmless())
        async with http_client(context.profile) as client:
            url = target(config.url, connection)
            output, attempts = await with_tries(
                lambda: self._try(client, url, connection, input, context), tries, context
            )
        output.attempts = attempts
        context.logger.info("%s %s answered %d in %.3f s", config.method, output.url, output.status, output.elapsed)
        return output

    def _harmless(self) -> bool:
        given = self.config.idempotent
        return self.config.method in IDEMPOTENT_METHODS if given is None else given

    async def _try(
        self,
        client: httpx.AsyncClient,
        url: httpx.URL,
        connection: HttpConnection | None,
        input: Input,
        context: NodeContext,
    ) -> Output:
        """One try, with the redirects that it leads through."""
        secrets = connection.secrets if connection else ()
        request = self._request(client, url, connection, input)
        began = time.monotonic()
        first = Told.of(request.method, request.url, secrets)
        async with within(self.config.timeout, first):
            for _ in range(self.config.follow_redirects + 1):
                told = Told.of(request.method, request.url, secrets)
                async with answer(client, request, told) as response:
                    following = response.next_request if self.config.follow_redirects else None
                    if following is None:
                        body = await self._body(response, told, context)
                        return self._output(response, body, told, time.monotonic() - began)
                request = follow(request.url, following, told.call)
        raise HttpFailed(
            f"{first.call} redirects more than {self.config.follow_redirects} times",
            remedy="Ask the address to which it leads in the end, or raise config.followRedirects.",
            retry=False,
        )

    def _request(
        self, client: httpx.AsyncClient, url: httpx.URL, connection: HttpConnection | None, input: Input
    ) -> httpx.Request:
        accept = "application/json" if self.config.expect == "json" else "*/*"
        headers = {"Accept": accept, "Accept-Encoding": ACCEPT_ENCODING, "User-Agent": "flowhub-assets"}
        content: bytes | None = None
        if input.body is not None:
            headers["Content-Type"], content = "text/plain; charset=utf-8", input.body.encode("utf-8", "replace")
        elif input.json_body is not None or {"json", "json_body"} & input.model_fields_set:
            headers["Content-Type"], content = "application/json", json_bytes(input.json_body)
        given = [headers_to_send(self.config.headers), connection.headers if connection else {}]
        names = {name.lower() for one in given for name in one}
        written = {name: value for name, value in headers.items() if name.lower() not in names}
        query = query_to_send(self.config.query, input.params)
        return client.build_request(
            self.config.method,
            url.copy_merge_params(query) if query else url,
            headers={**written, **given[0], **given[1]},
            content=content,
            data=query_to_send(input.form) if input.form is not None else None,
        )

    async def _body(self, response: httpx.Response, told: Told, context: NodeContext) -> Any:
        failed = response.status_code >= 400
        if failed and self.config.fail_on_status:
            raise await refused(response, told, self._remedy(response.status_code))
        if self.config.expect == "file" and not failed:
            return await self._stored(response, context)
        data = await body_bytes(response, self.config.max_bytes or _MOST_IN_A_VALUE)
        kind = response.headers.get("content-type", "")
        expect = "text" if self.config.expect == "file" else self.config.expect
        try:
            return body_value(data, kind, expect)
        except ContentProblem as problem:
            if failed:
                # What is wanted of an error is to be seen, whatever it is.
                return body_value(data, kind, "text")
            quoted = told.quoted(data[:2000])
            raise HttpFailed(
                f"{told.call} answered {response.status_code}, but {problem}: {quoted}",
                remedy=problem.remedy,
                retry=False,
            ) from None

    async def _stored(self, response: httpx.Response, context: NodeContext) -> str:
        """The URL of the body in the storage, where it is whole or not at all."""
        storage = context.storage()
        with tempfile.TemporaryDirectory(prefix="flowhub-") as folder:
            path = os.path.join(folder, file_name(response.request.url.path))
            with open(path, "wb") as file:
                async for piece in body_chunks(response, self.config.max_bytes or _MOST_IN_A_FILE):
                    file.write(piece)
            return await in_daemon_thread(storage.upload, path, self.config.key)

    def _output(self, response: httpx.Response, body: Any, told: Told, elapsed: float) -> Output:
        return self.Output(
            status=response.status_code,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=body,
            url=told.clean(bare(response.request.url)),
            elapsed=round(elapsed, 6),
            attempts=1,
        )

    def _remedy(self, status: int) -> str:
        name = self.config.connection
        if status in (401, 403):
            if name:
                return f"Check the credentials of connection {name!r} in the env profile."
            return "If it asks for credentials: name a connection that has them, connection: name."
        if status == 404:
            return "Check the url."
        if status == 429:
            return "Raise config.retries or config.retryDelay, or give the node a pool with fewer slots."
        if status >= 500:
            return "See the server's log."
        return "See what the server says; failOnStatus: false takes such an answer as it is."


def file_name(path: str) -> str:
    """The last part of a URL's path as a file's name; ``body`` if it has none."""
    last = unquote(path.rstrip("/").rpartition("/")[2])
    return re.sub(r"[^\w.-]", "_", last).strip(".")[:80] or "body"
