"""The user's own line behind a call into flowhub_assets."""

from __future__ import annotations

import os
import sys
from types import CodeType, FrameType
from typing import Any, Optional

from flowhub_assets.ir.pipeline import Source

_STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep


def caller() -> Source:
    """The innermost line in a user's file that led here."""
    return source_of_frame(caller_frame())


def caller_frame() -> FrameType:
    """The innermost frame that is neither ours nor a library's; if there is none, the innermost that is not ours."""
    frame: Optional[FrameType] = sys._getframe(1)
    fallback = None
    while frame is not None:
        file = frame.f_code.co_filename
        if not _is_ours(file):
            fallback = fallback or frame
            if is_user_file(file):
                return frame
        frame = frame.f_back
    return fallback or sys._getframe(1)


def source_of_frame(frame: FrameType) -> Source:
    """The line that ``frame`` is at."""
    return Source(_absolute(frame.f_code.co_filename), frame.f_lineno)


def source_of_function(function: Any) -> Source:
    """The first line of a function (its first decorator), behind the wrappers that functools.wraps marks."""
    code = unwrapped(function).__code__
    return Source(_absolute(code.co_filename), code.co_firstlineno)


def unwrapped(function: Any) -> Any:
    """The function that its author wrote, under the decorators that functools.wraps marks."""
    seen: set[int] = set()
    inner = function
    while id(inner) not in seen and isinstance(
        getattr(getattr(inner, "__wrapped__", None), "__code__", None), CodeType
    ):
        seen.add(id(inner))
        inner = inner.__wrapped__
    return inner


def is_user_file(file: str) -> bool:
    """Whether a frame of ``file`` is the user's: neither ours nor a library's."""
    if file.startswith(("<frozen ", _STANDARD_LIBRARY)) or f"{os.sep}site-packages{os.sep}" in file:
        return False
    return not _is_ours(file)


def _is_ours(file: str) -> bool:
    from flowhub_assets.runtime.user_traceback import is_ours  # reads sysconfig: only mistakes pay for it

    return is_ours(file)


def _absolute(file: str) -> str:
    return file if file.startswith("<") else os.path.abspath(file)
