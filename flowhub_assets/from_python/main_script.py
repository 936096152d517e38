"""Whether a decorator runs in a script that somebody has just started, and what then happens instead."""

from __future__ import annotations

import os
import sys
from typing import Any, Callable, Optional, TypeVar

from flowhub_assets.errors import FlowhubError

_Decorator = TypeVar("_Decorator", bound=Callable[..., Any])


def script_path(namespace: dict[str, Any], code_file: str) -> Optional[str]:
    """The script whose module has this namespace, if Python is executing it as a file; else None.

    A console, a notebook and ``python -c`` have no file of their own; children of multiprocessing import
    the script as ``__mp_main__``; pytest imports it under its own name.
    """
    path = namespace.get("__file__")
    if namespace.get("__name__") != "__main__" or not isinstance(path, str):
        return None
    path = os.path.abspath(path)
    return path if os.path.abspath(code_file) == path and os.path.isfile(path) else None


def start_script(path: str) -> None:
    """Runs the command line of the workflow script at ``path`` and ends the process with its exit code.

    The file is loaded afresh as a module, so that what stands below the flow is there too.
    """
    from flowhub_assets.from_python.script import start

    start(path)
    raise SystemExit(0)


def main_block_line(path: str) -> int:
    """The line of the script's own ``if __name__ == "__main__":``, which is not run beside a flow; 0 without one."""
    with open(path, "rb") as file:
        code = file.read()
    if b"__main__" not in code:
        return 0
    import ast

    for node in ast.parse(code).body:
        if isinstance(node, ast.If):
            names = {part.id for part in ast.walk(node.test) if isinstance(part, ast.Name)}
            if "__name__" in names:
                return node.lineno
    return 0


def plain_errors(decorator: _Decorator) -> _Decorator:
    """Lets an error of ``decorator`` in a script end it with the message alone, without frames of ours."""
    import functools

    @functools.wraps(decorator)
    def decorate(*args: Any, **kwargs: Any) -> Any:
        try:
            return decorator(*args, **kwargs)
        except FlowhubError as error:
            if sys._getframe(1).f_globals.get("__name__") == "__main__" and hasattr(
                sys.modules["__main__"], "__file__"
            ):
                _print_plainly(error)
            raise

    return decorate  # type: ignore[return-value]


def _print_plainly(error: FlowhubError) -> None:
    usual = sys.excepthook

    def excepthook(kind: Any, raised: BaseException, traceback: Any) -> None:
        if raised is error:
            print(error, file=sys.stderr)
        else:
            usual(kind, raised, traceback)

    sys.excepthook = excepthook
