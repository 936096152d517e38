"""The HTTP face of the Kubernetes double for documents: create, read, list, watch, change, delete."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from flowhub_assets_tests.kubernetes.admission import KUBERNETES, faults, job_faults
from flowhub_assets_tests.kubernetes.cluster import PLURALS, Cluster
from flowhub_assets_tests.kubernetes.disruptions import drain
from flowhub_assets_tests.kubernetes.objects import Refused, as_stored, check_object
from flowhub_assets_tests.kubernetes.patching import BadPatch, patched
from flowhub_assets_tests.kubernetes.selectors import BadSelector, fits_fields, selects
from flowhub_assets_tests.kubernetes.store import Change, Document, TooOld

KINDS = {"pods": "Pod", "jobs": "Job", "configmaps": "ConfigMap", "secrets": "Secret", "events": "Event"}
_ORPHANS = (
    '299 - "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove '
    'them or set propagationPolicy=Orphan to suppress this warning"'
)


class Api:
    """One handler for each verb, for all kinds alike."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._store = cluster.store

    def routes(self) -> list[web.RouteDef]:
        found = [web.get("/version", self._version)]
        core = "/api/v1", "pods|configmaps|secrets|events"
        for prefix, names in (core, ("/apis/batch/v1", "jobs")):
            every = f"{prefix}/{{resource:{names}}}"
            all_of = f"{prefix}/namespaces/{{namespace}}/{{resource:{names}}}"
            one = all_of + "/{name}"
            found += [
                web.get(every, self.many),
                web.get(all_of, self.many),
                web.post(all_of, self._create),
                web.delete(all_of, self._delete_many),
                web.get(one, self._read),
                web.get(one + "/status", self._read),
                web.put(one, self._replace),
                web.patch(one, self._patch),
                web.delete(one, self._delete),
            ]
        found.append(web.post("/api/v1/namespaces/{namespace}/{resource:pods}/{name}/eviction", self._evict))
        return found

    async def _version(self, _: web.Request) -> web.Response:
        major, minor = KUBERNETES.split(".")
        return web.json_response({"major": major, "minor": minor, "gitVersion": f"v{KUBERNETES}.0"})

    def _document(self, request: web.Request) -> Document:
        """Raises Refused where it is not there."""
        kind, name = KINDS[request.match_info["resource"]], request.match_info["name"]
        found = self._store.get(kind, request.match_info["namespace"], name)
        if found is None:
            raise Refused(f'{PLURALS[kind]} "{name}" not found', 404, "NotFound")
        return found

    async def _create(self, request: web.Request) -> web.Response:
        body, namespace = await request.json(), request.match_info["namespace"]
        kind = KINDS[request.match_info["resource"]]
        if body.setdefault("metadata", {}).get("namespace") not in (None, namespace):
            text = "the namespace of the object does not match the namespace on the request"
            raise Refused(text, 400, "BadRequest")
        body.setdefault("apiVersion", "batch/v1" if kind == "Job" else "v1")
        body.setdefault("kind", kind)
        body["metadata"]["namespace"] = namespace
        return web.json_response(self._cluster.create(body), status=201)

    async def _read(self, request: web.Request) -> web.Response:
        return web.json_response(self._document(request))

    async def many(self, request: web.Request) -> web.StreamResponse:
        kind, query = KINDS[request.match_info["resource"]], request.query
        fits = _filter(kind, query)
        namespace = request.match_info.get("namespace", "")
        if query.get("watch", "").lower() in ("true", "1"):
            return await self._watch(request, kind, namespace, fits)
        version = self._store.version
        items = self._store.every(kind, namespace, fits)
        listed = {"apiVersion": "batch/v1" if kind == "Job" else "v1", "kind": f"{kind}List", "items": items}
        return web.json_response({**listed, "metadata": {"resourceVersion": str(version)}})

    async def _watch(
        self, request: web.Request, kind: str, namespace: str, fits: Callable[[Mapping[str, Any]], bool]
    ) -> web.StreamResponse:
        loop = asyncio.get_running_loop()
        end = loop.time() + float(request.query.get("timeoutSeconds") or 3600)
        version = int(request.query.get("resourceVersion") or 0)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)

        async def send(what: str, document: Mapping[str, Any]) -> None:
            await response.write(json.dumps({"type": what, "object": document}).encode() + b"\n")

        with contextlib.suppress(ConnectionError):
            if not version:
                version, there = self._store.version, self._store.every(kind, namespace, fits)
                for document in there:
                    await send("ADDED", document)
            while (left := end - loop.time()) > 0:
                rung = self._cluster.bell.next()
                try:
                    changes = self._store.since(version)
                except TooOld as error:
                    await send("ERROR", status_document(410, "Expired", str(error)))
                    break
                for change in changes:
                    version = change.version
                    if change.kind == kind and namespace in ("", change.namespace) and (what := _told(change, fits)):
                        await send(what, change.last)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(rung.wait(), left)
            await response.write_eof()
        return response

    async def _replace(self, request: web.Request) -> web.Response:
        before, body = self._document(request), await request.json()
        version = body.get("metadata", {}).get("resourceVersion")
        if version not in (None, "", before["metadata"]["resourceVersion"]):
            text = (
                f'Operation cannot be fulfilled on {PLURALS[before["kind"]]} "{before["metadata"]["name"]}": '
                "the object has been modified; please apply your changes to the latest version and try again"
            )
            raise Refused(text, 409, "Conflict")
        return web.json_response(self._change(before, body))

    async def _patch(self, request: web.Request) -> web.Response:
        before = self._document(request)
        try:
            after = patched(before, json.loads(await request.read()), request.content_type)
        except BadPatch as error:
            raise Refused(str(error), 422) from None
        return web.json_response(self._change(before, after))

    def _change(self, before: Document, after: Mapping[str, Any]) -> Document:
        """Puts what may be changed; what the server alone decides stays."""
        kind, name = before["kind"], before["metadata"]["name"]
        kept = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")
        metadata = {key: value for key, value in (after.get("metadata") or {}).items() if key not in kept}
        metadata |= {key: before["metadata"][key] for key in kept if key in before["metadata"]}
        made = {**after, "apiVersion": before["apiVersion"], "kind": kind, "metadata": metadata}
        if kind == "Pod":
            if made.get("spec") != before["spec"]:
                raise Refused(f'Pod "{name}" is invalid: spec: Forbidden: pod updates may not change fields', 422)
            found = faults({**_sent(made), "spec": self._posted_spec(before)})
        elif kind == "Job":
            if made["spec"].get("template") != before["spec"]["template"]:
                raise Refused(f'Job.batch "{name}" is invalid: spec.template: field is immutable', 422)
            found = job_faults(_sent(made))
        else:
            check_object(_sent(made))
            return self._store.put(as_stored(made))
        if found:
            raise Refused(f'{kind} "{name}" is invalid: {"; ".join(found)}')
        return self._store.put({**made, "status": before["status"]})

    def _posted_spec(self, pod: Document) -> Any:
        metadata = pod["metadata"]
        return self._cluster.machine.pods[metadata["namespace"], metadata["name"]].posted["spec"]

    async def _delete(self, request: web.Request) -> web.Response:
        document, options = self._document(request), await _delete_options(request)
        kind, metadata = document["kind"], document["metadata"]
        wanted = (options.get("preconditions") or {}).get("uid")
        if wanted and wanted != metadata["uid"]:
            text = f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {metadata['uid']}"
            raise Refused(text, 409, "Conflict")
        policy = options.get("propagationPolicy") or ("Orphan" if kind == "Job" else "Background")
        warned = kind == "Job" and not options.get("propagationPolicy")
        grace = options.get("gracePeriodSeconds")
        self._cluster.collector.delete(document, policy, None if grace is None else float(grace))
        headers = {"Warning": _ORPHANS} if warned else {}
        left = self._store.get(kind, metadata["namespace"], metadata["name"])
        if kind == "Pod" or left is not None:
            return web.json_response(left or document, headers=headers)
        details = {"name": metadata["name"], "kind": PLURALS[kind].partition(".")[0], "uid": metadata["uid"]}
        done = {"apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Success", "details": details}
        return web.json_response(done, headers=headers)

    async def _delete_many(self, request: web.Request) -> web.Response:
        kind, options = KINDS[request.match_info["resource"]], await _delete_options(request)
        policy = options.get("propagationPolicy") or ("Orphan" if kind == "Job" else "Background")
        found = self._store.every(kind, request.match_info["namespace"], _filter(kind, request.query))
        for document in found:
            self._cluster.collector.delete(document, policy)
        return web.json_response({"apiVersion": "v1", "kind": f"{kind}List", "metadata": {}, "items": found})

    async def _evict(self, request: web.Request) -> web.Response:
        metadata = self._document(request)["metadata"]
        pod = self._cluster.machine.pods[metadata["namespace"], metadata["name"]]
        self._cluster.go(drain(pod))
        done = {"apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Success", "code": 201}
        return web.json_response(done, status=201)


def _filter(kind: str, query: Mapping[str, str]) -> Callable[[Mapping[str, Any]], bool]:
    """Raises Refused for selectors that cannot be read."""
    labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")

    def fits(document: Mapping[str, Any]) -> bool:
        return selects(labels, document["metadata"].get("labels") or {}) and fits_fields(kind, fields, document)

    try:
        selects(labels, {})
        fits_fields(kind, fields, {})
    except BadSelector as error:
        raise Refused(str(error), 400, "BadRequest") from None
    return fits


def _told(change: Change, fits: Callable[[Mapping[str, Any]], bool]) -> str:
    """What a watch with a filter says of a change, empty for nothing."""
    before = change.before is not None and fits(change.before)
    after = change.after is not None and fits(change.after)
    if after:
        return "MODIFIED" if before else "ADDED"
    return "DELETED" if before else ""


def _sent(document: Mapping[str, Any]) -> dict[str, Any]:
    """A stored document as one could have sent it."""
    return {key: value for key, value in document.items() if key != "status"}


async def _delete_options(request: web.Request) -> dict[str, Any]:
    body = await request.read()
    return {**(json.loads(body) if body else {}), **request.query}


def status_document(code: int, reason: str, message: str) -> dict[str, Any]:
    """A Status, as the API server answers what it does not do."""
    told = {"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": reason, "message": message}
    return {**told, "metadata": {}, "code": code}


@web.middleware
async def answer_refusals(request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
    """Tells a Refused as a Status."""
    try:
        answered: web.StreamResponse = await handler(request)
    except Refused as error:
        return web.json_response(status_document(error.code, error.reason, str(error)), status=error.code)
    return answered
