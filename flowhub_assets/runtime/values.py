"""Values between steps: one JSON document per step and run, and the latest, in the profile's storage."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NoReturn

from flowhub_assets.errors import ObjectMissing, StorageError, ValueMissing
from flowhub_assets.runtime.json_form import to_json_form

if TYPE_CHECKING:
    from flowhub_assets.runtime.storage import Storage


_RUN = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_VALUE_KEY = re.compile(rf"[^/]+/(?:(?:runs/)?{_RUN}/.+|latest/[^/]+\.json)", re.DOTALL)


def is_value_key(key: str) -> bool:
    """Whether a key is one that runs give to what they keep: values of tasks, and files uploaded without a key."""
    return _VALUE_KEY.fullmatch(key) is not None


def encode_value(value: Any, task_name: str) -> bytes:
    """The task's dict as a strict JSON document in UTF-8; the same value gives the same bytes.

    Raises ValueRefused, naming the task, the path and the type, for whatever JSON cannot keep.
    """
    return _document(to_json_form(value, task_name))


def decode_value(data: bytes, where: object = "") -> dict[str, Any]:
    """The dict that encode_value wrote. Raises StorageError if ``data`` is not a JSON object in UTF-8."""
    try:
        value = json.loads(data.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise _damaged(str(error), where) from None
    if not isinstance(value, dict):
        raise _damaged(f"it holds a {type(value).__name__}, not an object", where)
    return value


class Values:
    """The outputs of one project's tasks, kept in ``storage`` per run and as the latest."""

    def __init__(self, storage: Storage, project: str) -> None:
        self.storage = storage
        self.project = project

    def __repr__(self) -> str:
        return f"Values({self.storage.name!r}, {self.project!r})"

    def run_key(self, run_id: str, task: str) -> str:
        """Where the task's output of that run is kept."""
        return f"{self.project}/runs/{run_id}/{task}.json"

    def latest_key(self, task: str) -> str:
        """Where the task's last output of any run is kept."""
        return f"{self.project}/latest/{task}.json"

    def save(self, run_id: str, task: str, value: Any) -> str:
        """Writes the task's output for this run and as its latest; returns the URL of the run's own document."""
        return self.write(run_id, task, encode_value(value, task), latest=True)

    def write(self, run_id: str, task: str, document: bytes, *, latest: bool) -> str:
        """Writes a document of encode_value for this run, also as the task's latest if asked; returns the run's URL."""
        url = self.storage.write(self.run_key(run_id, task), document)
        if latest:
            self.storage.write(self.latest_key(task), document)
        return url

    def load(self, run_id: str, task: str) -> dict[str, Any]:
        """The output of ``task`` in that run. Raises ValueMissing."""
        return decode_value(self.read(run_id, task), where=self.storage.url(self.run_key(run_id, task)))

    def read(self, run_id: str, task: str) -> bytes:
        """The document of ``task`` in that run. Raises ValueMissing."""
        return self._read(self.run_key(run_id, task), f"task {task!r} has no saved output in run {run_id}")

    def load_latest(self, task: str) -> dict[str, Any]:
        """The last output that ``task`` saved in any run. Raises ValueMissing."""
        document = self._read(self.latest_key(task), f"task {task!r} has no saved output")
        return decode_value(document, where=self.storage.url(self.latest_key(task)))

    def _read(self, key: str, missing: str) -> bytes:
        url = self.storage.url(key)
        try:
            return self.storage.read(url)
        except ObjectMissing:
            raise ValueMissing(
                missing, where=url, effect="What depends on it has no args.", remedy="Run that task first."
            ) from None


def _document(form: dict[str, Any]) -> bytes:
    return json.dumps(form, ensure_ascii=False, allow_nan=False).encode("utf-8")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _damaged(reason: str, where: object) -> StorageError:
    return StorageError(
        f"a saved value cannot be read: {reason}",
        where=where,
        effect="The tasks that take it cannot start.",
        remedy="Run the task that wrote it again.",
    )
