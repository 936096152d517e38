"""Workflow files as modules: imported without running them, their mistakes told with the user's own line."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from types import ModuleType
from typing import NoReturn

from flowhub_assets.errors import DefinitionError, FlowhubError
from flowhub_assets.from_python.flow import Flow
from flowhub_assets.runtime.imports import WORKFLOW_MODULE, importable
from flowhub_assets.runtime.step import Runnable
from flowhub_assets.runtime.user_traceback import user_line

_EFFECT = "none of its flows can be used"
_UTF8 = "save it as UTF-8; other encodings would not survive the way into a pod"


def load_module(path: str) -> ModuleType:
    """Imports the workflow file at ``path`` afresh and returns its module.

    The module has a name of its own that depends on the path alone, so ``if __name__ == '__main__'`` does
    not run and no command line is read. The file's folder is first on sys.path meanwhile. Raises
    DefinitionError for whatever is wrong with the file, at the user's own line.
    """
    path = os.path.abspath(path)
    _require_readable(path)
    name = _module_name(path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise DefinitionError("this is not a Python file", where=path, remedy="give a file whose name ends in .py")
    module = importlib.util.module_from_spec(spec)
    previous = sys.modules.get(name)
    sys.modules[name] = module
    try:
        with importable(os.path.dirname(path)):
            spec.loader.exec_module(module)
    except BaseException as error:
        if previous is None:
            del sys.modules[name]
        else:
            sys.modules[name] = previous
        if isinstance(error, FlowhubError) or not isinstance(error, (Exception, SystemExit)):
            raise
        _refuse(path, error)
    return module


def flows_in(module: ModuleType) -> list[Flow]:
    """The flows that the module's own code defines, in the order of their names there, each once.

    Raises DefinitionError if two of them have one name, or names that become one.
    """
    found: list[Flow] = []
    for value in vars(module).values():
        if isinstance(value, Flow) and value.function.__module__ == module.__name__ and value not in found:
            found.append(value)
    _require_different_names(found)
    return found


def load_file(path: str) -> list[Runnable]:
    """The flows of the workflow file at ``path``, checked. Raises DefinitionError, also if it holds none."""
    module = load_module(path)
    flows = flows_in(module)
    if not flows:
        foreign = [value for value in vars(module).values() if isinstance(value, Flow)]
        raise DefinitionError(
            "this file holds no flow of its own" if foreign else "this file holds no flow",
            where=path,
            effect="there is nothing to run",
            remedy=f"load the file of {foreign[0].name!r} instead: {foreign[0].source.file}"
            if foreign
            else "put @flow above the function that calls the tasks, at the top level of the file",
        )
    return [flow.runnable for flow in flows]


def _require_different_names(flows: list[Flow]) -> None:
    from flowhub_assets.names import collisions

    for first, second in collisions([flow.name for flow in flows]):
        here = [flow for flow in flows if flow.name == second][-1]
        other = next(flow for flow in flows if flow.name == first)
        raise DefinitionError(
            f"flow {second!r} has the name of another flow, {first!r} at line {other.source.line}",
            where=here.source,
            effect="one would hide the other",
            remedy="give one of them another name: @flow(name='...')",
        )


def _module_name(path: str) -> str:
    stem = "".join(letter if letter.isalnum() else "_" for letter in os.path.basename(path).rpartition(".")[0])
    name = f"{WORKFLOW_MODULE}{stem}_{hashlib.sha256(os.fsencode(path)).hexdigest()[:12]}"
    package = _package_of_main(path)
    return f"{package}.{name}" if package else name


def _package_of_main(path: str) -> str:
    """The package of ``path`` if Python runs it as ``python -m package.workflow``: its relative imports need it."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    file = getattr(main, "__file__", None)
    return spec.parent or "" if spec and isinstance(file, str) and os.path.abspath(file) == path else ""


def _require_readable(path: str) -> None:
    try:
        with open(path, "rb") as file:
            code = file.read()
    except FileNotFoundError:
        raise DefinitionError("there is no such file", where=path, remedy="check the path") from None
    except IsADirectoryError:
        raise DefinitionError("this is a folder, not a workflow file", where=path, remedy="name a .py file") from None
    except OSError as error:
        what = f"this file cannot be read: {error.strerror}"
        raise DefinitionError(what, where=path, remedy="check its permissions: ls -l") from None
    try:
        code.decode("utf-8")
    except UnicodeDecodeError as error:
        line = code.count(b"\n", 0, error.start) + 1
        raise DefinitionError("the file is not UTF-8", where=f"{path}:{line}", effect=_EFFECT, remedy=_UTF8) from None


def _refuse(path: str, error: BaseException) -> NoReturn:
    """Raises the DefinitionError that tells ``error`` of the file's import to its author."""
    what, remedy = _told(error)
    where = user_line(error) or f"{path}:1"
    if isinstance(error, SyntaxError):
        where = f"{error.filename or path}:{error.lineno or 1}"
    raise DefinitionError(what, where=where, effect=_EFFECT, remedy=remedy) from error


def _told(error: BaseException) -> tuple[str, str]:
    kind, text = type(error).__name__, str(error)
    if isinstance(error, SyntaxError):
        line = f": {error.text.strip()}" if error.text and error.text.strip() else ""
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        return f"{kind}: {error.msg}{line}", f"mend that line; this is Python {version}"
    if isinstance(error, ImportError):
        # Behind "cannot import name" Python puts the package's own file in brackets: no place of the user's.
        return f"{kind}: {text.partition(' (')[0]}", _import_remedy(error)
    if isinstance(error, SystemExit):
        remedy = "put it under if __name__ == '__main__':, or raise an error that says what is missing"
        return f"the file calls sys.exit({text}) when it is imported", remedy
    remedy = "it happens while the file is imported: mend that line, or move the work into a task"
    return f"{kind}: {text}" if text else kind, remedy


def _import_remedy(error: BaseException) -> str:
    name = getattr(error, "name", None) or ""
    top = name.partition(".")[0]
    if top in ("flowhub", "flowhub_assets") and not isinstance(error, ModuleNotFoundError):
        import flowhub_assets
        from flowhub_assets.ir.spelling import did_you_mean, listed

        wanted = str(error).partition("'")[2].partition("'")[0]
        return did_you_mean(wanted, flowhub_assets.__all__) or f"it has {listed(flowhub_assets.__all__)}"
    if isinstance(error, ModuleNotFoundError) and top:
        return (
            f"install it: pip install {top}; if only a task needs it, import it inside the task and give that"
            " task an image= that has it"
        )
    return "check the name, and that no file beside the workflow hides the package"
