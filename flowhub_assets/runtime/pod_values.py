"""Values on their way from pod to pod: the value itself where it is small, or where it lies in the profile's bucket.

A result document is ``{"value": {...}}`` or ``{"url": "s3://..."}``. A loop's whole value is never written down:
``{"loop": {"into": "results", "items": document of its list, "results": [a document for each iteration]}}``, or
``"count": n`` instead of results, stands for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

from flowhub_assets.errors import InputError, ProfileError
from flowhub_assets.runtime.json_form import to_json_form
from flowhub_assets.runtime.loops import gathered, items_name, iteration_name
from flowhub_assets.runtime.storage import get_storage
from flowhub_assets.runtime.values import Values, encode_value

#: The most bytes, as JSON, of a value that travels inside its document: Airflow keeps that in its database.
LARGEST = 48 * 1024
#: How many iterations are read at a time.
_AT_ONCE = 16


class PodValues:
    """The values of one run of ``project``; they lie in the bucket of ``profile``, if it has one."""

    def __init__(self, profile: Mapping[str, Any], project: str, run_id: str) -> None:
        self._profile = profile
        self._project = project
        self._run_id = run_id

    def document(self, name: str, value: Mapping[str, Any], *, latest: bool = False) -> dict[str, Any]:
        """The result document of ``value``; in a bucket it is saved under ``name``, also as the latest if asked.

        Raises ProfileError if there is no bucket and the value is too large to travel, and StorageError.
        """
        if self._profile.get("BUCKET"):
            document = encode_value(dict(value), name)
            return {"url": self._saved.write(self._run_id, name, document, latest=latest)}
        form = to_json_form(dict(value), name)
        size = len(json.dumps(form))
        if size > LARGEST:
            raise ProfileError(
                f"the value of task {name!r} has {size:,} bytes as JSON, and without a bucket"
                f" {LARGEST:,} travel from task to task",
                effect="The tasks after it would not get it.",
                remedy="Export with a profile that has BUCKET, or let the task upload it and return the URL:"
                " get_storage(args['env']).upload(path).",
            )
        return {"value": form}

    def load(self, name: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """The value of the task ``name`` that ``document`` stands for. Raises ValueMissing and StorageError."""
        if "loop" in document:
            return self._loop(name, document["loop"])
        value = document.get("value")
        if isinstance(value, dict):
            return value
        if "url" in document:
            return self._saved.load(self._run_id, name)
        raise InputError(f"the result of task {name!r} is neither a value nor a URL: it has {', '.join(document)}")

    def _loop(self, name: str, loop: Mapping[str, Any]) -> dict[str, Any]:
        items = self.load(items_name(name), loop["items"])
        results = loop.get("results")
        if results is None:
            results = [{"url": ""}] * loop["count"]
        named = [(iteration_name(name, index), document or {"value": {}}) for index, document in enumerate(results)]
        if len(named) > 1 and self._profile.get("BUCKET"):
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                iterations = list(pool.map(lambda one: self.load(*one), named))
        else:
            iterations = [self.load(*one) for one in named]
        return gathered(loop["into"], items, iterations)

    @cached_property
    def _saved(self) -> Values:
        return Values(get_storage(self._profile), self._project)
