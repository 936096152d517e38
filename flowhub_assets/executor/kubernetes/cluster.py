"""The Kubernetes API as the executor uses it: few calls, tried again while the API is away, with plain JSON."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import kubernetes
from kubernetes.client.rest import ApiException
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

Result = TypeVar("Result")
Manifest = Mapping[str, Any]

#: Connections kept open: one for each pod whose log is followed, and some more.
_CONNECTIONS = 64
#: Seconds for connecting, and for an answer that is not a stream.
_CONNECT, _ANSWER = 5.0, 30.0
#: Seconds without a line after which the connection that a log comes through is not trusted any more.
_QUIET_LOG = 120.0
#: Seconds between two tries, growing to the second one.
_PAUSE, _LONGEST_PAUSE = 0.25, 4.0
_GONE, _MISSING, _THERE_ALREADY = 410, 404, 409
#: Statuses of an API server that may do better in a moment: too many requests, and its own trouble.
_PASSING = (408, 429, 500, 502, 503, 504)

#: What a connection that breaks raises.
CONNECTION_ERRORS = (HTTPError, OSError)


class Gone(Exception):
    """A watch asked for a version that the API server has forgotten: list anew."""


class Cluster:
    """One namespace. ``patience`` is for how many seconds a call is tried again while the API does not answer."""

    def __init__(self, namespace: str, patience: float) -> None:
        """Uses the configuration of the kubernetes client that this process has loaded."""
        configuration = kubernetes.client.Configuration.get_default_copy()
        configuration.connection_pool_maxsize = _CONNECTIONS
        configuration.retries = Retry(total=0)
        self.namespace = namespace
        self._patience = patience
        client = kubernetes.client.ApiClient(configuration)
        self._client = client
        self._core = kubernetes.client.CoreV1Api(client)
        self._batch = kubernetes.client.BatchV1Api(client)

    def plain(self, thing: Any) -> dict[str, Any]:
        """An object of the kubernetes client as the JSON that it stands for."""
        form: dict[str, Any] = self._client.sanitize_for_serialization(thing)
        return form

    def create_job(self, job: Manifest) -> None:
        """Makes a Job; one of that name that is there already, made by a try whose answer was lost, will do."""
        self._create(lambda: self._batch.create_namespaced_job(self.namespace, job, **_WAIT))

    def create_config_map(self, config_map: Manifest) -> None:
        """Makes a ConfigMap; one of that name that is there already will do."""
        self._create(lambda: self._core.create_namespaced_config_map(self.namespace, config_map, **_WAIT))

    def delete_job(self, name: str) -> None:
        """Deletes a Job and its pods; none is there afterwards."""
        self._delete(
            lambda: self._batch.delete_namespaced_job(name, self.namespace, propagation_policy="Background", **_WAIT)
        )

    def delete_jobs(self, selector: str) -> None:
        """Deletes the Jobs, with their pods, that a label selector names."""
        about = {"label_selector": selector, "propagation_policy": "Background", **_WAIT}
        self._delete(lambda: self._batch.delete_collection_namespaced_job(self.namespace, **about))

    def delete_config_maps(self, selector: str) -> None:
        """Deletes the ConfigMaps that a label selector names."""
        about = {"label_selector": selector, **_WAIT}
        self._delete(lambda: self._core.delete_collection_namespaced_config_map(self.namespace, **about))

    def job_of_this_pod(self) -> dict[str, Any] | None:
        """The owner reference to the Job whose pod this process runs in; None outside of the cluster."""
        name = os.environ.get("HOSTNAME", "")
        try:
            pod = (
                self._patiently(lambda: self._core.read_namespaced_pod(name, self.namespace, **_WAIT)) if name else None
            )
        except (ApiException, *CONNECTION_ERRORS):
            return None
        owners = (self.plain(pod).get("metadata") or {}).get("ownerReferences") or [] if pod else []
        job = next((owner for owner in owners if owner.get("kind") == "Job"), None)
        return None if job is None else {key: job[key] for key in ("apiVersion", "kind", "name", "uid")}

    def events_of(self, kind: str, name: str) -> list[str]:
        """The warnings that the cluster has of an object, the last one last, each once; [] if it does not tell."""
        selector = f"involvedObject.kind={kind},involvedObject.name={name}"
        try:
            answer = self._core.list_namespaced_event(self.namespace, field_selector=selector, **_RAW, **_WAIT)
            events = json.loads(answer.data).get("items") or []
        except (ApiException, ValueError, *CONNECTION_ERRORS):
            return []
        events.sort(key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")
        warnings = [event for event in events if event.get("type") == "Warning"]
        return list(dict.fromkeys(f"{event.get('reason')}: {event.get('message')}" for event in warnings))

    def list(self, kind: str, selector: str) -> tuple[Sequence[Manifest], str]:
        """The objects ("jobs" or "pods") that a label selector names, and the version from which to watch."""
        answer = self._lister(kind)(self.namespace, label_selector=selector, **_RAW, **_WAIT)
        listed = json.loads(answer.data)
        return listed.get("items") or [], listed["metadata"].get("resourceVersion") or ""

    def watch(self, kind: str, selector: str, version: str, seconds: int) -> Iterator[tuple[str, Manifest]]:
        """(ADDED, MODIFIED or DELETED, object) as it happens, for so long at most. Raises Gone."""
        answer = self._lister(kind)(
            self.namespace,
            label_selector=selector,
            resource_version=version,
            watch=True,
            allow_watch_bookmarks=True,
            timeout_seconds=seconds,
            _request_timeout=(_CONNECT, seconds + _ANSWER),
            **_RAW,
        )
        try:
            for line in _lines(answer):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    if event["object"].get("code") == _GONE:
                        raise Gone
                    raise ApiException(event["object"].get("code"), event["object"].get("message"))
                yield event["type"], event["object"]
        except ApiException as error:
            raise Gone from None if error.status == _GONE else error
        finally:
            answer.close()

    def log(self, pod: str, container: str, since_seconds: int | None) -> Iterator[str]:
        """The lines of a container's log as they come, each with its time before it, until it ends.

        ``since_seconds``: only those of so many seconds before now, all by default.
        """
        about = {} if since_seconds is None else {"since_seconds": since_seconds}
        answer = self._core.read_namespaced_pod_log(
            pod,
            self.namespace,
            container=container,
            follow=True,
            timestamps=True,
            _request_timeout=(_CONNECT, _QUIET_LOG),
            **about,
            **_RAW,
        )
        try:
            yield from (line.decode("utf-8", "replace") for line in _lines(answer))
        finally:
            answer.close()

    def _lister(self, kind: str) -> Callable[..., Any]:
        lister: Callable[..., Any] = {
            "jobs": self._batch.list_namespaced_job,
            "pods": self._core.list_namespaced_pod,
        }[kind]
        return lister

    def _create(self, call: Callable[[], Any]) -> None:
        try:
            self._patiently(call)
        except ApiException as error:
            if error.status != _THERE_ALREADY:
                raise

    def _delete(self, call: Callable[[], Any]) -> None:
        try:
            self._patiently(call)
        except ApiException as error:
            if error.status != _MISSING:
                raise

    def _patiently(self, call: Callable[[], Result]) -> Result:
        until, pause = time.monotonic() + self._patience, _PAUSE
        while True:
            try:
                return call()
            except (ApiException, *CONNECTION_ERRORS) as error:
                passing = not isinstance(error, ApiException) or error.status in _PASSING
                if not passing or time.monotonic() + pause > until:
                    raise
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)


_WAIT: dict[str, Any] = {"_request_timeout": (_CONNECT, _ANSWER)}
_RAW: dict[str, Any] = {"_preload_content": False}


def _lines(answer: Any) -> Iterator[bytes]:
    """The lines of an answer that goes on."""
    rest = bytearray()
    for chunk in answer.stream(None, decode_content=False):
        rest += chunk
        *whole, last = bytes(rest).split(b"\n")
        rest[:] = last
        yield from whole
    if rest:
        yield bytes(rest)
