"""Runs the code of a python node: a function by its import path, or a script, with what it prints in the log."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import inspect
import io
import linecache
import logging
import os
import sys
import threading
import traceback
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TextIO

from flowhub_assets.errors import FlowhubError
from flowhub_assets.ir.spelling import did_you_mean
from flowhub_assets.nodes.sdk import NodeContext, NodeError
from flowhub_assets.runtime.json_form import to_json_form
from flowhub_assets.runtime.user_traceback import error_text, is_user_file, user_line

_SCRIPT = "<script>"


class ScriptFailed(NodeError):
    """What the code of a python node raised. ``stands_for`` are the class names of that error and of its bases."""

    stands_for: tuple[str, ...] = ()


def call_function(path: str, args: Mapping[str, Any], context: NodeContext) -> Any:
    """The result of ``package.module:function`` with ``args`` as keyword arguments, as JSON."""
    with _code(context):
        function = _function(path)
        _require_arguments(path, function, args)
        return _as_json(_awaited(function(**args)), context)


def run_script(script: str, args: Mapping[str, Any], context: NodeContext) -> Any:
    """What the script set as ``result``, or its ``main(args)`` returned, as JSON."""
    linecache.cache[_SCRIPT] = (len(script), None, script.splitlines(keepends=True), _SCRIPT)
    module = types.ModuleType("__script__")
    names = module.__dict__
    names.update(args=args, env=dict(context.profile), log=context.logger)
    with _code(context):
        sys.modules[module.__name__] = module  # where dataclasses and the like look for the script's classes
        exec(compile(script, _SCRIPT, "exec", dont_inherit=True), names)  # noqa: S102 - it is what the node is for; its process is its own
        if "result" in names:
            return _as_json(_awaited(names["result"]), context)
        if callable(names.get("main")):
            return _as_json(_awaited(names["main"](args)), context)
    raise NodeError(
        "the script gives no result", remedy="Set it: result = ..., or define main(args) that returns it.", retry=False
    )


def _function(path: str) -> Callable[..., Any]:
    module_name, _, name = path.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # as python itself does for a script there
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise  # the module is there, and imports one that is not
        raise NodeError(
            f"there is no module {error.name!r} for the function {path!r}",
            remedy="Install its package, or put its folder on PYTHONPATH.",
            retry=False,
        ) from None
    for part in name.split("."):
        if not hasattr(found, part):
            near = did_you_mean(part, dir(found))
            raise NodeError(
                f"there is no {name!r} in module {module_name!r}",
                remedy=near or "Name one of its functions.",
                retry=False,
            )
        found = getattr(found, part)
    if not callable(found):
        raise NodeError(f"{path!r} is a {type(found).__name__}, not a function", retry=False)
    function: Callable[..., Any] = found
    return function


def _require_arguments(path: str, function: Callable[..., Any], args: Mapping[str, Any]) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # some functions written in C do not tell
    try:
        signature.bind(**args)
    except TypeError as error:
        raise NodeError(
            f"inputs.args do not fit the function {path!r}: {error}",
            remedy=f"It is called as {path.rpartition(':')[2]}{signature}, with args as keyword arguments.",
            retry=False,
        ) from None


def _awaited(value: Any) -> Any:
    return asyncio.run(value) if inspect.iscoroutine(value) else value


def _as_json(value: Any, context: NodeContext) -> Any:
    return to_json_form({"result": value}, context.node)["result"]


@contextlib.contextmanager
def _code(context: NodeContext) -> Iterator[None]:
    """Sends what is printed inside to the log, and tells what is raised there by the line that raised it."""
    out = _LogLines(context.logger, logging.INFO, sys.stdout)
    err = _LogLines(context.logger, logging.WARNING, sys.stderr)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            yield
    except (NodeError, FlowhubError):
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the code of a user raises
        raise _failed(error) from None
    finally:
        out.finish()
        err.finish()


def _failed(error: BaseException) -> NodeError:
    what = f"{type(error).__name__}: {error_text(error)}"
    frames = traceback.extract_tb(error.__traceback__)
    line = next((frame for frame in reversed(frames) if frame.filename == _SCRIPT), None)
    if line is not None:
        failure = ScriptFailed(f"line {line.lineno} of the script: {what}", remedy=f"The line is: {line.line}")
    else:
        where = user_line(error)
        files = [frame for frame in frames if is_user_file(frame.filename)]
        said = f"{where}: {what}" if where else what
        failure = ScriptFailed(said, remedy=f"The line is: {files[-1].line}" if files and files[-1].line else "")
    failure.stands_for = tuple(one.__name__ for one in type(error).__mro__[:-1])
    return failure


class _LogLines(io.TextIOBase):
    """Writes each line to a logger. What that prints meanwhile, for it may log by printing, goes to ``stream``."""

    def __init__(self, logger: logging.Logger, level: int, stream: TextIO) -> None:
        self._logger = logger
        self._level = level
        self._stream = stream
        self._rest = ""
        self._busy = threading.local()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if getattr(self._busy, "logging", False):
            return self._stream.write(text)
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._log(line)
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def finish(self) -> None:
        """Writes what has no end of line."""
        if self._rest:
            self._log(self._rest)
            self._rest = ""

    def _log(self, line: str) -> None:
        self._busy.logging = True
        try:
            self._logger.log(self._level, "%s", line)
        finally:
            self._busy.logging = False
