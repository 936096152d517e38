"""Dagster Pipes through a log that somebody else reads: its messages are taken out, all other lines are printed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

from dagster import OpExecutionContext, PipesEnvContextInjector, PipesMessageHandler, PipesMessageReader, PipesSession
from typing_extensions import override

from flowhub_assets.executor.dagster_private import pipes_context_data
from flowhub_assets.runtime.pipes import MARK

#: What dagster_pipes' default writer is to do in the pod: it writes to its standard output.
_TO_STDOUT = {"stdio": "stdout"}


class PipesInLog:
    """One try of one step. ``environment`` is for its process; ``take_line`` takes what that writes."""

    def __init__(self, context: OpExecutionContext, stream: TextIO) -> None:
        self._stream = stream
        data = pipes_context_data(context)
        self._handler = PipesMessageHandler(context, _Reader())
        with PipesEnvContextInjector().inject_context(data) as params:
            session = PipesSession(data, self._handler, params, _TO_STDOUT, context)
            self.environment: Mapping[str, str] = session.get_bootstrap_env_vars()

    def take_line(self, line: str) -> None:
        """A line of the log, without its end: a message is handled, what is none is printed."""
        before, mark, rest = line.partition(MARK)
        if mark:
            try:
                self._handler.handle_message(json.loads(mark + rest))
            except Exception:  # noqa: BLE001 - whatever looks like a message and is none was meant to be read
                before = line
        if before or not mark:
            print(before, file=self._stream, flush=True)

    @property
    def custom_messages(self) -> Sequence[Any]:
        """The payloads of the custom messages so far."""
        return self._handler.get_custom_messages()

    @property
    def reported(self) -> Sequence[object]:
        """The materialisations and asset checks that were reported so far."""
        return self._handler.get_reported_results()


class _Reader(PipesMessageReader):
    """Reads nothing by itself: the lines come from the log of a pod."""

    @contextlib.contextmanager
    @override
    def read_messages(self, handler: PipesMessageHandler) -> Iterator[dict[str, Any]]:
        yield dict(_TO_STDOUT)

    @override
    def no_messages_debug_text(self) -> str:
        return "Attempted to read messages from the pod's log."
