"""What a pod tells Dagster while it runs: lines of JSON in its log, as Dagster Pipes has them.

Dagster's side knows such a line by its first key, wherever in a line it begins: what a task has printed before may
have no end of line. https://docs.dagster.io/guides/build/external-pipelines/dagster-pipes-details-and-customization
"""

from __future__ import annotations

import base64
import json
import logging
import os
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from flowhub_assets.runtime.show import CHECK, Shown

#: Begins each message.
MARK = '{"__dagster_pipes_version"'
_VERSION = "0.1"
#: The one key of the payload in which a step's result document travels.
RESULT = "flowhub/result"
#: The most bytes of what a task shows that travel through the log, all together.
_MOST_SHOWN = 1 << 20


def message(method: str, **params: Any) -> str:
    """A message of the protocol as a line, without its end; ASCII, so that no stream cuts a letter."""
    told = {"__dagster_pipes_version": _VERSION, "method": method, "params": params}
    return json.dumps(told)


def tell(method: str, **params: Any) -> None:
    """Writes a message to this process's standard output, at once and in one piece."""
    data = memoryview(f"{message(method, **params)}\n".encode("ascii"))
    while data:
        data = data[os.write(1, data) :]


def tell_result(document: Mapping[str, Any]) -> None:
    """Tells the result document of the step."""
    tell("report_custom_message", payload={RESULT: document})


def result_in(payload: object) -> Optional[dict[str, Any]]:
    """The result document that a custom message's ``payload`` holds; None if it holds something else."""
    if isinstance(payload, dict) and isinstance(payload.get(RESULT), dict):
        document: dict[str, Any] = payload[RESULT]
        return document
    return None


def pipes_logger() -> logging.Logger:
    """A logger whose records go to the log of Dagster's step, with their level."""
    logger = logging.Logger("flowhub.step", logging.INFO)  # noqa: LOG001 - of one step only
    logger.addHandler(_Records())
    return logger


def shown_as_json(shown: Iterable[Shown]) -> list[dict[str, Any]]:
    """What a task has shown, pictures in base 64; what is too large for a log is left out, and that is told."""
    return _as_json(shown, [_MOST_SHOWN])


def _as_json(shown: Iterable[Shown], left: list[int]) -> list[dict[str, Any]]:
    """``left`` holds the bytes that may still travel, and gets what is left of them."""
    form = []
    for one in shown:
        if one.kind == CHECK:  # its verdict travels in any case
            left[0] -= len(one.data["description"])
            form.append(
                {"name": one.name, "kind": CHECK, "data": {**one.data, "shown": _as_json(one.data["shown"], left)}}
            )
            continue
        data = base64.b64encode(one.data).decode("ascii") if one.kind == "png" else one.data
        entry = {"name": one.name, "kind": one.kind, "data": data}
        size = len(json.dumps(entry))
        if size > left[0]:
            text = f"*{size:,} bytes are too much for a pod's log: upload it to keep it*"
            entry, size = {"name": one.name, "kind": "markdown", "data": text}, 0
        left[0] -= size
        form.append(entry)
    return form


def shown_from_json(form: Iterable[Mapping[str, Any]]) -> tuple[Shown, ...]:
    """The opposite of ``shown_as_json``."""
    return tuple(Shown(one["name"], one["kind"], _data_from_json(one["kind"], one["data"])) for one in form)


def _data_from_json(kind: str, data: Any) -> Any:
    if kind == CHECK:
        return {**data, "shown": list(shown_from_json(data["shown"]))}
    return base64.b64decode(data) if kind == "png" else data


class _Records(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        tell("log", message=self.format(record), level=record.levelname)
