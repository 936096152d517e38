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
#: Seconds for what is nice to know, and for taking away what a run that ends leaves: a pod has 30 to end.
_SOON = 10.0
#: The most bytes of a line of a log; what is longer is cut. The largest messages of a step are of about a MiB.
_LONGEST_LINE = 8 << 20
#: The reasons of events that tell why a pod ended though they are no warnings.
_TELLING = ("Preempted", "TaintManagerEviction", "DeadlineExceeded")
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

    def create_job(self, job: Manifest, given_up: Callable[[], bool] = lambda: False) -> None:
        """Makes a Job; one of that name that is there already, made by a try whose answer was lost, will do.

        It is not tried again once ``given_up`` says so.
        """
        self._create(lambda: self._batch.create_namespaced_job(self.namespace, job, **_WAIT), given_up)

    def create_config_map(self, config_map: Manifest) -> bool:
        """Makes a ConfigMap; one of that name that is there already will do. Whether it was not there."""
        return self._create(lambda: self._core.create_namespaced_config_map(self.namespace, config_map, **_WAIT))

    def give_job_to(self, name: str, owner: Manifest) -> None:
        """The Job goes with ``owner`` from now on, and with nobody else."""
        self._patiently(lambda: self._batch.patch_namespaced_job(name, self.namespace, _owned_by(owner), **_WAIT))

    def give_config_map_to(self, name: str, owner: Manifest) -> None:
        """The ConfigMap goes with ``owner`` from now on, and with nobody else."""
        self._patiently(lambda: self._core.patch_namespaced_config_map(name, self.namespace, _owned_by(owner), **_WAIT))

    def delete_job(self, name: str) -> None:
        """Deletes a Job and its pods; none is there afterwards."""
        self._delete(
            lambda: self._batch.delete_namespaced_job(name, self.namespace, propagation_policy="Background", **_WAIT)
        )

    def delete_jobs(self, selector: str) -> None:
        """Deletes the Jobs, with their pods, that a label selector names; gives up soon."""
        about = {"label_selector": selector, "propagation_policy": "Background", **_WAIT}
        self._delete(lambda: self._batch.delete_collection_namespaced_job(self.namespace, **about), _SOON)

    def delete_config_maps(self, selector: str) -> None:
        """Deletes the ConfigMaps that a label selector names; gives up soon."""
        about = {"label_selector": selector, **_WAIT}
        self._delete(lambda: self._core.delete_collection_namespaced_config_map(self.namespace, **about), _SOON)

    def kill_pod(self, name: str) -> None:
        """Deletes a pod, whose processes have no time to end in order."""
        about = {"grace_period_seconds": 0, **_WAIT}
        self._delete(lambda: self._core.delete_namespaced_pod(name, self.namespace, **about))

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
        """What the cluster says went wrong with an object, the last one last, each once; [] if it does not tell."""
        selector = f"involvedObject.kind={kind},involvedObject.name={name}"
        try:
            answer = self._core.list_namespaced_event(
                self.namespace, field_selector=selector, _request_timeout=(_CONNECT, _SOON), **_RAW
            )
            events = json.loads(answer.data).get("items") or []
        except (ApiException, ValueError, *CONNECTION_ERRORS):
            return []
        events.sort(key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")
        telling = [event for event in events if event.get("type") == "Warning" or event.get("reason") in _TELLING]
        return list(dict.fromkeys(f"{event.get('reason')}: {event.get('message')}" for event in telling))

    def list(self, kind: str, selector: str) -> tuple[Sequence[Manifest], str]:
        """The objects ("jobs" or "pods") that a label selector names, and the version from which to watch."""
        answer = self._lister(kind)(self.namespace, label_selector=selector, **_RAW, **_WAIT)
        listed = json.loads(answer.data)
        return listed.get("items") or [], listed["metadata"].get("resourceVersion") or ""

    def list_patiently(self, kind: str, selector: str) -> Sequence[Manifest]:
        """The same objects, once the API answers."""
        return self._patiently(lambda: self.list(kind, selector))[0]

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

    def log(self, pod: str, container: str, since_seconds: int | None, quiet: float) -> Iterator[str]:
        """The lines of a container's log as they come, each with its time before it, until it ends.

        ``since_seconds``: only those of so many seconds before now, all by default. Raises one of CONNECTION_ERRORS
        after ``quiet`` seconds without a line: of a node that is gone nobody says that nothing more will come.
        """
        about = {} if since_seconds is None else {"since_seconds": since_seconds}
        answer = self._core.read_namespaced_pod_log(
            pod,
            self.namespace,
            container=container,
            follow=True,
            timestamps=True,
            _request_timeout=(_CONNECT, quiet),
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

    def _create(self, call: Callable[[], Any], given_up: Callable[[], bool] = lambda: False) -> bool:
        try:
            self._patiently(call, given_up=given_up)
        except ApiException as error:
            if error.status != _THERE_ALREADY:
                raise
            return False
        return True

    def _delete(self, call: Callable[[], Any], patience: float | None = None) -> None:
        try:
            self._patiently(call, patience)
        except ApiException as error:
            if error.status != _MISSING:
                raise

    def _patiently(
        self, call: Callable[[], Result], patience: float | None = None, given_up: Callable[[], bool] = lambda: False
    ) -> Result:
        until = time.monotonic() + (self._patience if patience is None else min(patience, self._patience))
        pause = _PAUSE
        while True:
            try:
                return call()
            except (ApiException, *CONNECTION_ERRORS) as error:
                passing = not isinstance(error, ApiException) or error.status in _PASSING
                if not passing or time.monotonic() + pause > until or given_up():
                    raise
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)


_WAIT: dict[str, Any] = {"_request_timeout": (_CONNECT, _ANSWER)}
_RAW: dict[str, Any] = {"_preload_content": False}


def _owned_by(owner: Manifest) -> list[dict[str, Any]]:
    # A merge would add the owner to those before it.
    return [{"op": "add", "path": "/metadata/ownerReferences", "value": [dict(owner)]}]


def _lines(answer: Any) -> Iterator[bytes]:
    """The lines of an answer that goes on, each cut at _LONGEST_LINE."""
    begun: list[bytes] = []  # the parts of a line: to join them for each part that comes takes long for a long one
    size = 0
    for chunk in answer.stream(None, decode_content=False):
        *whole, last = chunk.split(b"\n")
        for line in whole:
            yield b"".join([*begun, line[: max(0, _LONGEST_LINE - size)]])
            begun, size = [], 0
        if last and size < _LONGEST_LINE:
            begun.append(last[: _LONGEST_LINE - size])
            size += len(begun[-1])
    if begun:
        yield b"".join(begun)
