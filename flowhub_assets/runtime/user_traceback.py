"""An exception as its author should see it: without the frames that are ours."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Iterable
from types import TracebackType

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
#: Pipelines that ship with the package are user code all the same.
_SHIPPED = _PACKAGE + "pipelines" + os.sep
#: Those of a user's own (pip install --user) and of Debian's packages are no part of sysconfig's answer.
_LIBRARY_FOLDERS = {"site-packages", "dist-packages"}
_LIBRARIES = tuple(
    {os.path.abspath(sysconfig.get_paths()[name]) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)


def is_ours(file: str) -> bool:
    """Whether a frame of ``file`` belongs to flowhub_assets itself."""
    path = os.path.abspath(file)
    return path.startswith(_PACKAGE) and not path.startswith(_SHIPPED)


def is_user_file(file: str) -> bool:
    """Whether a frame of ``file`` is the user's own: neither ours, nor a library's, nor the interpreter's.

    What was typed into a console or a notebook counts, too; its name begins with ``<``.
    """
    path = os.path.abspath(file)
    if path.startswith(_PACKAGE):
        return path.startswith(_SHIPPED)
    in_library = path.startswith(_LIBRARIES) or not _LIBRARY_FOLDERS.isdisjoint(path.split(os.sep))
    return not in_library and not file.startswith("<frozen ")


def user_traceback(error: BaseException) -> str:
    """The traceback as Python prints it, chained exceptions included, without the frames of flowhub_assets.

    Frames of libraries stay: where in pandas it happened is what the user needs to know. But what we raise ourselves,
    with no code of the user's on the way, has none: that contextlib stands between two of our functions says nothing.
    """
    from traceback import TracebackException

    told = TracebackException.from_exception(error)
    _leave_out_ours(told, set())
    return "".join(told.format()).rstrip("\n")


def user_line(error: BaseException) -> str:
    """``file:line`` of the innermost frame in the user's own files; '' if there is none."""
    innermost = ""
    step: TracebackType | None = error.__traceback__
    while step is not None:
        file = step.tb_frame.f_code.co_filename
        if is_user_file(file) and not file.startswith("<"):
            innermost = f"{file}:{step.tb_lineno}"
        step = step.tb_next
    return innermost


def error_text(error: BaseException) -> str:
    """str(error), also where that itself raises."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - the text of a user's class can raise anything
        return f"<{type(error).__name__}, whose text cannot be made>"


def _leave_out_ours(told: object, seen: set[int]) -> None:
    if told is None or id(told) in seen:
        return
    seen.add(id(told))
    stack = getattr(told, "stack", None)
    if stack:
        files = [frame.filename for frame in stack]
        told_by_us = is_ours(files[-1]) and not any(is_user_file(file) for file in files)
        stack[:] = [] if told_by_us else [frame for frame in stack if not is_ours(frame.filename)]
    group: Iterable[object] = getattr(told, "exceptions", None) or ()
    for inner in (getattr(told, "__cause__", None), getattr(told, "__context__", None), *group):
        _leave_out_ours(inner, seen)
