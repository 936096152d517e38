"""Runs of a server, over its REST API. No Dagster is needed for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from flowhub_assets import errors
from flowhub_assets.cli.access import Access, Begun, Order
from flowhub_assets.errors import FlowhubError, InputError, Unavailable
from flowhub_assets.server.run_facts import RunEvent, RunView, StepView

if TYPE_CHECKING:
    import httpx

#: Seconds to connect, and for an answer.
_CONNECT_SECONDS, _ANSWER_SECONDS = 10.0, 60.0
_LONGEST_DETAIL = 2_000
_KINDS = {
    401: errors.NotAuthenticated,
    403: errors.NotAllowed,
    404: errors.NotFound,
    409: errors.Conflict,
    413: errors.TooMuch,
    422: errors.InputError,
    429: errors.TooMuch,
    502: errors.Unavailable,
    503: errors.Unavailable,
    504: errors.Unavailable,
}


@contextmanager
def remote_access(url: str, token: str | None) -> Iterator[Access]:
    """Raises InputError for what is no address of a server. The token goes to that server alone, never into a word."""
    import httpx

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise InputError(
            f"{parts.scheme or url[:100]}://{parts.hostname or ''} is no address of a server",
            where="--url, FLOWHUB_URL",
            effect="Nothing was asked.",
            remedy="Write http://host:8000 or https://host, without a user; a token goes into FLOWHUB_TOKEN.",
        )
    headers = {"Authorization": f"Bearer {_plain_token(token)}"} if token else {}
    timeout = httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS)
    with httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=timeout) as client:
        yield RemoteAccess(client)


class RemoteAccess:
    """Problems that the server answers with become the errors that they came from; all methods raise them."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def params_schema(self, pipeline: str) -> Mapping[str, Any]:
        """The JSON Schema of a pipeline's params."""
        schema: Mapping[str, Any] = self._get(f"/api/v1/pipelines/{_part(pipeline)}")["params"]
        return schema

    def start(self, order: Order) -> list[Begun]:
        """Starts a run, or one for each partition that a pattern means."""
        given = {
            "params": order.params,
            "env": order.env,
            "queue": order.queue,
            "priority": order.priority,
            "partition": order.partition,
            "key_lifetime": order.key_lifetime,
            "force": order.force or None,
        }
        body = {name: value for name, value in given.items() if value is not None}
        headers = {"Idempotency-Key": order.key} if order.key is not None else {}
        told = self._post(f"/api/v1/pipelines/{_part(order.pipeline)}/runs", body, headers)
        return [_begun(one) for one in (told if isinstance(told, list) else [told])]

    def run(self, run_id: str) -> RunView:
        """One run with its steps."""
        return _view(self._get(f"/api/v1/runs/{_part(run_id)}"))

    def runs(self, pipeline: str | None, statuses: Sequence[str], limit: int) -> list[RunView]:
        """The newest runs."""
        asked: dict[str, Any] = {"limit": limit, "status": list(statuses)}
        told = self._get("/api/v1/runs", {**asked, **({"pipeline": pipeline} if pipeline is not None else {})})
        return [_view(one) for one in told["runs"]]

    def queues(self, limit: int) -> Mapping[str, Any]:
        """The queues as JSON."""
        told: Mapping[str, Any] = self._get("/api/v1/queues", {"limit": limit})
        return told

    def events(self, run_id: str, cursor: str | None) -> tuple[list[RunEvent], str]:
        """What came after a cursor, and the next one."""
        told = self._get(f"/api/v1/runs/{_part(run_id)}/events", {"after": cursor} if cursor is not None else {})
        return [RunEvent(**_known(RunEvent, one)) for one in told["events"]], told["cursor"]

    def log(self, run_id: str, step: str, attempt: int | None) -> str:
        """What a step has printed so far."""
        asked = {"attempt": attempt} if attempt is not None else {}
        return self._ask("GET", _log_path(run_id, step), params=asked).text

    def follow_log(self, run_id: str, step: str, attempt: int | None) -> Iterator[str]:
        """The same as it comes, until the run is over."""
        import httpx

        asked: dict[str, Any] = {"follow": True, **({"attempt": attempt} if attempt is not None else {})}
        # A task may be silent for hours.
        timeout = httpx.Timeout(None, connect=_CONNECT_SECONDS)
        path, client = _log_path(run_id, step), self._client
        with _transport_told(client), client.stream("GET", path, params=asked, timeout=timeout) as answer:
            if not answer.is_success:
                answer.read()
                raise _error(answer)
            yield from answer.iter_text()

    def result(self, run_id: str) -> Any:
        """The pipeline's own value."""
        return self._get(f"/api/v1/runs/{_part(run_id)}/result")

    def cancel(self, run_id: str) -> RunView:
        """Ends a run."""
        return _view(self._post(f"/api/v1/runs/{_part(run_id)}/cancel", None))

    def retry(self, run_id: str, *, from_failure: bool, steps: Sequence[str]) -> Begun:
        """Takes a run up again."""
        return _begun(
            self._post(f"/api/v1/runs/{_part(run_id)}/retry", {"from_failure": from_failure, "steps": list(steps)})
        )

    def _get(self, path: str, asked: Mapping[str, Any] | None = None) -> Any:
        return _document(self._ask("GET", path, params=asked))

    def _post(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> Any:
        return _document(self._ask("POST", path, json=body, headers=headers))

    def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        with _transport_told(self._client):
            answer = self._client.request(method, path, **more)
        if not answer.is_success:
            raise _error(answer)
        return answer


def _plain_token(token: str) -> str:
    token = token.strip()
    if token.isascii() and token.isprintable() and " " not in token:
        return token
    raise InputError(
        "the token has characters that no token has",
        where="--token, FLOWHUB_TOKEN",
        effect="Nothing was asked.",
        remedy="Give it as flowhub token create has printed it.",
    )


@contextmanager
def _transport_told(client: httpx.Client) -> Iterator[None]:
    import httpx

    try:
        yield
    except httpx.TransportError as error:
        # The error's own words may hold the request; its kind is enough.
        raise Unavailable(
            f"the server at {client.base_url} does not answer: {type(error).__name__}",
            effect="Whether it has done what was asked is not known.",
            remedy="Look whether it runs (flowhub serve) and is reached from here. With --key a run starts once only.",
        ) from None


def _error(answer: httpx.Response) -> FlowhubError:
    """An RFC 9457 problem as the error of ours that it tells."""
    told = _json(answer)
    problem: Mapping[str, Any] = told if isinstance(told, dict) else {}
    what = str(problem.get("detail") or f"the server answered {answer.status_code}")[:_LONGEST_DETAIL]
    more = {"effect": str(problem.get("effect", "")), "remedy": str(problem.get("remedy", ""))}
    faults = problem.get("errors")
    if answer.status_code == 422 and isinstance(faults, list):
        return errors.ParamsRefused(what, fields=tuple(_field(one) for one in faults if isinstance(one, dict)), **more)
    kind = _KINDS.get(answer.status_code, FlowhubError)
    return kind(what, **more)


def _field(fault: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(fault.get("pointer", "")), str(fault.get("detail", "")), str(fault.get("remedy", ""))


def _document(answer: httpx.Response) -> Any:
    told = _json(answer)
    if told is None:
        raise FlowhubError(
            f"the server at {answer.request.url.host} answers with what is no JSON",
            where="--url, FLOWHUB_URL",
            remedy="Give the address of flowhub serve, not that of Dagster's UI.",
        )
    return told


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _view(told: Mapping[str, Any]) -> RunView:
    steps = tuple(StepView(**_known(StepView, one)) for one in told["steps"])
    return RunView(**{**_known(RunView, told), "steps": steps})


def _begun(told: Mapping[str, Any]) -> Begun:
    return Begun(**_known(Begun, told))


def _known(kind: type[Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """What this version knows of an answer: a newer server may tell more."""
    return {field.name: told[field.name] for field in fields(kind) if field.name in told}


def _log_path(run_id: str, step: str) -> str:
    return f"/api/v1/runs/{_part(run_id)}/logs/{_part(step)}"


def _part(text: str) -> str:
    return quote(text, safe="")
