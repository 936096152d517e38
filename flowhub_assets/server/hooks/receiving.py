"""A delivery → the run that it starts, and what its sender is answered, now and whenever it comes again.

hook → who sent it → what it brought → params checked → kept, with its id, in one transaction → answered
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from flowhub_assets.errors import NotAuthenticated, ParamsRefused
from flowhub_assets.nodes.builtin.object_arrival import ObjectArrival
from flowhub_assets.nodes.builtin.webhook import Webhook
from flowhub_assets.nodes.expressions.conditions import evaluate
from flowhub_assets.nodes.expressions.problem import TemplateProblem
from flowhub_assets.nodes.signed_triggers import ROOTS, SignedConfig
from flowhub_assets.server import warm
from flowhub_assets.server.access import Caller
from flowhub_assets.server.backend import Backend
from flowhub_assets.server.hooks.brought import body_of, brought
from flowhub_assets.server.hooks.finding import Hook, find_hook, signing_keys
from flowhub_assets.server.hooks.keeping import DOOR, Known, accepted, keeping
from flowhub_assets.server.hooks.objects import take_objects
from flowhub_assets.server.hooks.signatures import Refused, Request, bounded_id, verify
from flowhub_assets.server.runs import StartRequest
from flowhub_assets.store import answers, deliveries, submissions
from flowhub_assets.store.deliveries import Answer
from flowhub_assets.store.submissions import Submission

logger = logging.getLogger("flowhub.hooks")


@dataclass(frozen=True)
class Arrived:
    """A request to /hooks/: ``path`` is what stands behind that; ``peer`` the address that it came from."""

    request: Request
    method: str
    path: str
    query: bytes
    peer: str


@dataclass(frozen=True)
class Pending:
    """Another process, or another thread, is answering this delivery at this moment."""

    pipeline: str
    delivery: str


def receive(backend: Backend, arrived: Arrived, caller: Callable[[], Caller]) -> Answer | Pending:
    """Takes a delivery; ``caller`` tells who asks by an API token, where the hook has no signatures.

    Raises NotFound, NotAuthenticated, NotAllowed, ParamsRefused, Unavailable: then nothing was started.
    """
    hook = find_hook(backend.catalogue.all(), arrived.path)
    config = hook.checked()
    if arrived.method not in _methods(config):
        return Answer(405, {"Allow": ", ".join(_methods(config))})
    who, delivery = _sender(hook, config, arrived, caller)
    if not isinstance(config, Webhook.Config):
        assert isinstance(config, ObjectArrival.Config)
        return take_objects(backend, hook, config, body_of(_texts(arrived.request), arrived.request.body), who)
    if delivery is not None and (known := _known(backend, hook, delivery)):
        return known
    return _take(backend, hook, config, arrived, who, delivery)


def answer_of(backend: Backend, pending: Pending) -> Answer | Pending:
    """What a delivery was answered meanwhile."""
    with backend.database.read() as connection:
        found = deliveries.find(connection, pending.pipeline, pending.delivery, time.time())
        submission = submissions.find(connection, found.run_id) if found and not found.answer else None
    if found is None or found.answer is not None:
        return found.answer if found and found.answer else pending
    if submission is not None and submission.state == submissions.ANSWERING:
        return pending
    # Whoever began to answer is gone: the run is Dagster's, as any other's.
    return _first(backend, pending.pipeline, pending.delivery, accepted(backend, found.run_id))


def _first(backend: Backend, pipeline: str, delivery: str, answer: Answer) -> Answer:
    """The answer of a delivery: this one, if it has none yet."""
    with backend.database.begin() as connection:
        deliveries.answer_with(connection, pipeline, delivery, answer)
        found = deliveries.find(connection, pipeline, delivery, time.time())
    return found.answer if found and found.answer else answer


def _texts(request: Request) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in request.headers}


def _methods(config: SignedConfig) -> list[str]:
    return list(config.methods) if isinstance(config, Webhook.Config) else ["POST"]


def _sender(
    hook: Hook, config: SignedConfig, arrived: Arrived, caller: Callable[[], Caller]
) -> tuple[Caller, str | None]:
    """Who sent it, and its id; the header Idempotency-Key where the sender's own kind of signature has none."""
    preset, request = config.signature, arrived.request
    delivery = None
    if preset is None:
        who = caller()
        who.require("runner", f"start {hook.entry.pipeline.name}")
    elif preset == "none":
        who = Caller(f"hook {hook.path}"[:255], "runner", arrived.peer)
    else:
        try:
            keys = signing_keys(hook, config)
            delivery = verify(preset, request, keys, time.time(), config.tolerance, config.header)
        except NotAuthenticated as error:
            logger.warning("hook %r refuses a delivery from %s: %s", hook.path, arrived.peer, error.__cause__ or error)
            raise
        who = Caller(f"hook {hook.path}"[:255], "runner", arrived.peer)
    if delivery is not None:
        return who, f"{preset}:{delivery}"
    if not request.has(b"idempotency-key"):
        return who, None
    try:
        return who, f"key:{bounded_id(request.only(b'idempotency-key'))}"
    except Refused:
        what, remedy = "the header Idempotency-Key is there twice, or empty", "Send one key."
        raise ParamsRefused(what, effect="Nothing was started.", remedy=remedy) from None


def _known(backend: Backend, hook: Hook, delivery: str) -> Answer | Pending | None:
    with backend.database.read() as connection:
        found = deliveries.find(connection, hook.entry.pipeline.name, delivery, time.time())
    return None if found is None else found.answer or Pending(hook.entry.pipeline.name, delivery)


def _take(
    backend: Backend, hook: Hook, config: Webhook.Config, arrived: Arrived, who: Caller, delivery: str | None
) -> Answer | Pending:
    name = hook.entry.pipeline.name
    trigger = brought(
        headers=arrived.request.headers,
        body=arrived.request.body,
        method=arrived.method,
        path=arrived.path,
        query=arrived.query,
        now=time.time(),
        delivery=delivery,
        more_headers=config.headers,
    )
    request = StartRequest(
        pipeline=name,
        params=_params(config.params, trigger),
        trigger=trigger,
        latest_of=None if config.mode == "each" else _apart(hook, config, trigger),
        delay=config.wait or 0.0,
        door=DOOR,
        caller=who.name,
        peer=who.peer,
    )
    submission = backend.runs.submission(hook.entry, request)
    if config.response == "sync" and config.mode == "each" and warm.can_answer(hook.entry):
        return _answered(backend, answers.to_be_answered(submission), request, delivery)
    answer = accepted(backend, submission.run_id)
    known = _kept(backend, submission, request, delivery, answer)
    return answer if known is None else known


def _answered(
    backend: Backend, submission: Submission, request: StartRequest, delivery: str | None
) -> Answer | Pending:
    """The pipeline's own answer: kept with the record of its run, so that neither is there without the other."""
    known = _kept(backend, submission, request, delivery, None)
    if known is not None:
        return known

    def keep(connection: Connection, reply: warm.Reply) -> None:
        if delivery is not None:
            deliveries.answer_with(connection, submission.pipeline, delivery, _answer(reply))

    reply = warm.answer(backend, submission, keep)
    if reply.is_final:
        return _answer(reply)
    # The run goes on. What came first is the answer, also when the pipeline's own is there later.
    answer = accepted(backend, submission.run_id)
    return answer if delivery is None else _first(backend, submission.pipeline, delivery, answer)


def _answer(reply: warm.Reply) -> Answer:
    return Answer(reply.status, reply.headers, reply.body.decode())


def _kept(
    backend: Backend, submission: Submission, request: StartRequest, delivery: str | None, answer: Answer | None
) -> Answer | Pending | None:
    """Keeps the submission with its delivery. What that was answered, or is being answered, if it was there before."""
    try:
        backend.runs.take(submission, request, keeping(submission, [] if delivery is None else [delivery], answer))
    except Known as known:
        return known.found.answer or Pending(submission.pipeline, delivery or "")
    return None


def _params(given: str | Mapping[str, str], trigger: Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(given, str):
        return {param: _value(text, trigger, f"params.{param}") for param, text in given.items()}
    value = _value(given, trigger, "params")
    if isinstance(value, Mapping):
        return value
    what, remedy = f"params of the hook, {given}, are no object", "Send an object."
    raise ParamsRefused(what, effect="Nothing was started.", remedy=remedy, fields=(("params", what, remedy),))


def _apart(hook: Hook, config: Webhook.Config, trigger: Mapping[str, Any]) -> str:
    """The latest-wins key of a delivery."""
    value = None if config.by is None else _value(config.by, trigger, "by")
    told = json.dumps([hook.path, value], sort_keys=True, ensure_ascii=False)
    return f"hook:{hashlib.sha256(told.encode()).hexdigest()}"


def _value(expression: str, trigger: Mapping[str, Any], field: str) -> Any:
    try:
        return evaluate(expression, {"trigger": trigger}, ROOTS)
    except TemplateProblem as problem:
        what = f"{field} of the hook cannot be had from it: {problem.what}"
        raise ParamsRefused(
            what, effect="Nothing was started.", remedy=problem.remedy, fields=((field, problem.what, problem.remedy),)
        ) from None
