"""Calls to a server that speaks OpenAI's HTTP API: vLLM, llama.cpp, Ollama, OpenAI itself.

The API's own names are used: a text ends with a ``finish_reason`` (stop, length), tokens are counted in ``usage``.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from flowhub_assets.nodes.http.body import ACCEPT_ENCODING, body_bytes, body_chunks
from flowhub_assets.nodes.http.call import HttpFailed, Told, answer, refused, within
from flowhub_assets.nodes.http.client import http_client
from flowhub_assets.nodes.http.connection import HttpConnection, http_connection
from flowhub_assets.nodes.http.content import ContentProblem, body_value, json_bytes
from flowhub_assets.nodes.http.target import target
from flowhub_assets.nodes.http.tries import Tries, with_tries
from flowhub_assets.nodes.models.openai_answers import AnswerUnusable, Completion, completion_of, streamed, vectors_of
from flowhub_assets.nodes.sdk import NodeContext

if TYPE_CHECKING:
    import httpx

#: Bytes: far more than any model writes, or any batch of vectors has.
_LONGEST_ANSWER = 64 * 1024**2

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class ModelServer:
    """The server of a connection. ``timeout`` is in seconds, for one try; ``tries`` say what follows a failed one."""

    connection: HttpConnection
    context: NodeContext
    timeout: float
    tries: Tries

    @classmethod
    def of(
        cls, context: NodeContext, connection: str, *, timeout: float, retries: int, retry_delay: float
    ) -> ModelServer:
        """That of the connection's NAME_URL and NAME_API_KEY. Raises ProfileError if there is no such address."""
        found = http_connection(context.profile, connection, "Authorization")
        # A repeated question costs the server's time and changes nothing.
        return cls(found, context, timeout, Tries(retries, retry_delay, harmless=True))

    async def complete(self, path: str, body: Mapping[str, Any]) -> Completion:
        """What the model writes to ``body``, by ``chat/completions`` or ``completions``; HttpFailed if it does not."""

        async def read(response: httpx.Response, told: Told, began: float) -> Completion:
            if response.headers.get("content-type", "").startswith("text/event-stream"):
                return await streamed(body_chunks(response, _LONGEST_ANSWER), body, began)
            return completion_of(await _json(response, told), body, began)

        async with http_client(self.context.profile) as client:
            return await self._asked(client, path, body, read)

    async def embed(self, bodies: Sequence[Mapping[str, Any]]) -> list[tuple[list[list[float]], int | None]]:
        """The vectors of each body's ``input``, and the tokens it had; HttpFailed if one of them fails."""

        async def read_json(response: httpx.Response, told: Told, _: float) -> Any:
            return await _json(response, told)

        answers = []
        async with http_client(self.context.profile) as client:
            for body in bodies:
                value = await self._asked(client, "embeddings", body, read_json)
                with _unusable_answers_told(self._told("embeddings")):
                    answers.append(vectors_of(value, len(body["input"])))
        return answers

    async def _asked(
        self,
        client: httpx.AsyncClient,
        path: str,
        body: Mapping[str, Any],
        read: Callable[[httpx.Response, Told, float], Awaitable[Answer]],
    ) -> Answer:
        """What ``read`` makes of the answer, which has a status of success; the request is tried again as needed."""
        url = target(path, self.connection)
        headers = {
            "Accept": "application/json, text/event-stream",
            "Accept-Encoding": ACCEPT_ENCODING,
            "Content-Type": "application/json",
            "User-Agent": "flowhub-assets",
            **self.connection.headers,
        }
        content = json_bytes(dict(body))
        told = self._told(path)

        async def once() -> Answer:
            began = time.monotonic()
            request = client.build_request("POST", url, headers=headers, content=content)
            with _unusable_answers_told(told):
                async with within(self.timeout, told), answer(client, request, told) as response:
                    if not response.is_success:
                        raise await refused(response, told, self._remedy(response.status_code, body))
                    return await read(response, told, began)

        result, _ = await with_tries(once, self.tries, self.context)
        return result

    def _told(self, path: str) -> Told:
        return Told.of("POST", target(path, self.connection), self.connection.secrets)

    def _remedy(self, status: int, body: Mapping[str, Any]) -> str:
        address, api_key = self.connection.key("URL"), self.connection.key("API_KEY")
        if status in (401, 403):
            if self.connection.headers:
                return f"Check {api_key} of the env profile or the environment; it was sent."
            return f"Give the env profile or the environment {api_key}; none was sent."
        if status == 404 or 300 <= status < 400:
            return f"Check {address}, which usually ends in /v1, and config.model {body.get('model')!r}."
        if status in (400, 413, 422):
            return "See what the server says; the prompt and maxTokens together may be more than the model takes."
        if status == 429:
            return "Raise config.retries or config.retryDelay, or give such nodes a pool with fewer slots."
        return "See the server's log."


async def _json(response: httpx.Response, told: Told) -> Any:
    data = await body_bytes(response, _LONGEST_ANSWER)
    try:
        return body_value(data, "application/json", "json")
    except ContentProblem as problem:
        raise AnswerUnusable(f"cannot be read: {problem}: {told.quoted(data[:2000])}") from None


@contextlib.contextmanager
def _unusable_answers_told(told: Told) -> Iterator[None]:
    try:
        yield
    except AnswerUnusable as error:
        remedy = "Does the connection lead to an OpenAI-compatible server? Its address usually ends in /v1."
        raise HttpFailed(
            told.clean(f"the answer of {told.call} {error}"),
            remedy="See the server's log." if error.passing else remedy,
            retry=error.passing,
        ) from None
