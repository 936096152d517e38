"""The user's own line behind a call into flowhub_assets."""

from __future__ import annotations

import os
import sys
from types import CodeType, FrameType
from typing import Any, Optional

from flowhub_assets.ir.pipeline import Source


def caller() -> Source:
    """The innermost line in a user's file that led here; where there is none, the innermost that is not ours."""
    from flowhub_assets.runtime.user_traceback import is_ours, is_user_file  # importing the decorators needs neither

    here = sys._getframe(1)
    fallback = None
    frame: Optional[FrameType] = here
    while frame is not None:
        file = frame.f_code.co_filename
        if is_user_file(file):
            return _line(frame)
        if fallback is None and not is_ours(file):
            fallback = frame
        frame = frame.f_back
    return _line(fallback or here)


def _line(frame: FrameType) -> Source:
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


def _absolute(file: str) -> str:
    return file if file.startswith("<") else os.path.abspath(file)
